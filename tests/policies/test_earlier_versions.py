"""Files that version 0.1.0 wrote still load, and drive as they did."""

import json
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

from sb3_delta_waypoint import GRPO, WaypointPolicy, make_waypoint_vec_env

FILES = Path(__file__).resolve().parents[1] / "data" / "version_0_1"
SCENARIO = 3


@pytest.mark.parametrize("name", ["planner.pt", "refined.zip"])
def test_a_file_of_version_0_1_drives_as_it_did(name):
    expected = json.loads((FILES / "expected.json").read_text())[name]
    policy = WaypointPolicy(FILES / name)
    env = gym.make("ToyWaypoint-v0", disable_env_checker=True)
    observation, _ = env.reset(seed=2_000_003, options={"scenario": SCENARIO})
    first_plan, ended = policy(observation), False
    while not ended:
        observation, _, terminated, truncated, info = env.step(policy(observation))
        ended = terminated or truncated
    np.testing.assert_allclose(first_plan, expected["first_plan"], atol=1e-4)
    # there may be metrics that there were not yet
    metrics = {name: info["episode_metrics"][name] for name in expected["episode_metrics"]}
    assert metrics == pytest.approx(expected["episode_metrics"], abs=1e-2, rel=1e-2)


def test_a_model_of_version_0_1_trains_on():
    venv = make_waypoint_vec_env("ToyWaypoint-v0", 8, seed=1, group_size=4)
    model = GRPO.load(FILES / "refined.zip", env=venv, device="cpu")
    before = model.num_timesteps
    model.learn(64, reset_num_timesteps=False)
    assert model.num_timesteps > before
