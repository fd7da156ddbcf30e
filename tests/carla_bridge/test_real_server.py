"""
On a real CARLA server: ``CARLA_HOST=localhost [CARLA_PORT=2000] python -m pytest -m carla_server``.

The tests take the server for themselves: they load no map, but step it, and leave it as they found it.
"""

import json
import os

import gymnasium as gym
import numpy as np
import pytest
from click.testing import CliRunner

pytest.importorskip("carla")

from sb3_delta_waypoint.cli import main
from sb3_delta_waypoint.sft.checkpoint import DEFAULT_PLANNER

HOST, PORT = os.environ.get("CARLA_HOST"), int(os.environ.get("CARLA_PORT", "2000"))

pytestmark = [pytest.mark.carla_server, pytest.mark.skipif(HOST is None, reason="no CARLA server: CARLA_HOST is not set")]


@pytest.fixture
def world():
    import carla

    client = carla.Client(HOST, PORT)
    client.set_timeout(30.0)
    return client.get_world()


def settings_of(world):
    settings = world.get_settings()
    return settings.synchronous_mode, settings.fixed_delta_seconds, settings.no_rendering_mode


def vehicles_of(world):
    world.wait_for_tick()
    return sorted(actor.id for actor in world.get_actors().filter("vehicle.*"))


def drive(env, seed=0):
    observation, _ = env.reset(seed=seed)
    path, done, info = [], False, {}
    while not done:
        assert env.observation_space.contains(observation)
        observation, _, terminated, truncated, info = env.step(env.unwrapped.expert_plan())
        path.append(observation["state"])
        done = terminated or truncated
    return np.array(path), info


def test_the_expert_drives_and_leaves_the_server_as_it_was(world):
    before = settings_of(world), vehicles_of(world)
    env = gym.make("CarlaWaypoint-v0", host=HOST, port=PORT, fps=20, route_length=60, timeout=30.0)
    try:
        _, info = drive(env)
        assert info["episode_metrics"]["route_completion"] > 0.9
        again = [drive(env, seed=0)[0] for _ in range(2)]
        n = min(map(len, again))
        np.testing.assert_allclose(again[0][:n], again[1][:n], atol=0.2)
    finally:
        env.close()
    assert (settings_of(world), vehicles_of(world)) == before


def test_cameras_see_something(world):
    env = gym.make("CarlaWaypoint-v0", host=HOST, port=PORT, cameras={"front": {"width": 84, "height": 64}}, timeout=30.0)
    try:
        observation, _ = env.reset(seed=0)
        for _ in range(5):
            observation, *_ = env.step(env.unwrapped.expert_plan())
        assert observation["front_valid"] == 1.0 and observation["front"].std() > 1.0
    finally:
        env.close()


def test_closed_loop_evaluation(tmp_path):
    arguments = ["carla-eval", "--checkpoint", str(DEFAULT_PLANNER), "--output-dir", str(tmp_path), "--smoke"]
    result = CliRunner().invoke(main, [*arguments, "--host", HOST, "--port", str(PORT), "--timeout", "30"])
    assert result.exit_code == 0, result.output
    metrics = json.loads((tmp_path / "smoke" / "metrics.json").read_text())
    assert metrics["backend"] in ("carla", "loopback")
