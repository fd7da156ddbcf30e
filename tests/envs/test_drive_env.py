"""What the picture of an env's car shows: where it has been, and its plans where they were made."""

import numpy as np
import pytest

from sb3_delta_waypoint.driving.frames import to_world
from sb3_delta_waypoint.driving.records import AGENT
from sb3_delta_waypoint.driving.score import COLLISION
from sb3_delta_waypoint.envs import ToyWaypointEnv
from sb3_delta_waypoint.rendering.birds_eye import Renderer


@pytest.fixture
def env(monkeypatch):
    """An env whose ``render()`` returns the scene."""
    monkeypatch.setattr(Renderer, "draw", lambda self, scene: scene)
    env = ToyWaypointEnv(render_mode="rgb_array")
    env.reset(seed=3)
    yield env
    env.close()


def test_the_trail_is_that_of_the_episode(env):
    for _ in range(2):
        been = [env.render().pose[:2]]
        for _ in range(3):
            env.step(env.expert_plan())
            been.append(env.render().pose[:2])
        np.testing.assert_array_equal(env.render().trail, been)
        env.reset()


def test_plans_are_drawn_where_they_were_made(env):
    assert list(env.render().plans) == ["expert"]
    for _ in range(5):
        pose, plan = env.render().pose, env.expert_plan()
        env.overlay = {"sft": plan + np.float32(0.5)}
        env.step(plan + np.float32(1.0))
        scene = env.render()
        assert list(scene.plans) == ["expert", "sft", "final"] and scene.pose != pose
        for found, offset in zip(scene.plans.values(), (0.0, 0.5, 1.0), strict=True):
            np.testing.assert_allclose(to_world(found, scene.pose), to_world(plan + offset, pose), atol=1e-4)
    env.reset()
    assert list(env.render().plans) == ["expert"]


def test_who_was_hit_is_noted_with_the_fault(env):
    env.drive.world = env.drive.world._replace(agents=np.zeros((1, 3), AGENT))
    env.step(env.expert_plan())
    assert env._faults == {}
    collided = env.drive.world.agents[0]["collided"]
    collided[1] = True
    env.step(env.expert_plan())
    # an at-fault collision would have ended the episode
    assert env._faults == {1: False}
    collided[2] = True
    env._outcome = COLLISION
    env._has_moved()
    assert env._faults == {1: False, 2: True}
    collided[:] = False
    env.reset()
    assert env._faults == {}
