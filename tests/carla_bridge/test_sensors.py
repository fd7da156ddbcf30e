"""What cameras show, and that they may fail."""

import numpy as np
import pytest

pytest.importorskip("carla")


def test_cameras_show_the_tick_of_the_state(make):
    env = make(cameras={"front": {"width": 42, "height": 32}, "left": {"yaw": np.pi / 2}})
    observation, _ = env.reset(seed=1)
    pictures = []
    for _ in range(5):
        assert env.observation_space.contains(observation)
        assert observation["front"].shape == (3, 32, 42) and observation["left"].shape == (3, 64, 84)
        assert observation["front_valid"] == observation["left_valid"] == 1.0
        pictures.append(observation["front"])
        observation = env.step(env.expert_plan())[0]
    assert (pictures[0] != pictures[4]).any(), "the car moves"
    assert pictures[0].std() > 5.0, "there is a road to be seen"


def test_a_missing_image_is_told_from_a_black_one(make, monkeypatch):
    monkeypatch.setattr("sb3_delta_waypoint.carla_bridge.sensors.IMAGE_TIMEOUT", 0.2)
    env = make(cameras={"front": {}})
    env.reset(seed=1)
    for sensor in env.session._sensors:
        sensor.stop()
    observation = env.step(env.expert_plan())[0]
    assert observation["front_valid"] == 0.0 and not observation["front"].any()
