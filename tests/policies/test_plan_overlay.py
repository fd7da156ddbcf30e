"""The planner's plan in the picture."""

import gymnasium as gym
import numpy as np
import pytest
from stable_baselines3.common.env_util import make_vec_env

from sb3_delta_waypoint import WaypointPolicy, make_waypoint_vec_env
from sb3_delta_waypoint.policies import PlanOverlay


def toy(n_envs=2):
    return make_vec_env("ToyWaypoint-v0", n_envs, seed=3, env_kwargs={"render_mode": "rgb_array", "route_length": 12})


@pytest.fixture
def policy(make_model):
    """A refined policy whose plans are not its planner's."""
    model = make_model()
    model.policy.delta_net[-1].bias.data[:] = 0.5
    return WaypointPolicy(model)


def test_each_env_draws_what_the_planner_plans_there(policy):
    venv = PlanOverlay(toy(), policy)
    observations = venv.reset()
    for _ in range(40):  # beyond the end of an episode
        parts = policy(observations, parts=True)
        following, _, dones, _ = venv.step(parts.waypoints)
        for index in np.flatnonzero(~dones).tolist():
            (overlay,) = venv.get_attr("overlay", index)
            np.testing.assert_array_equal(overlay["sft"], parts.sft_waypoints[index])
            assert not np.allclose(overlay["sft"], parts.waypoints[index])
        observations = following


def test_nothing_but_the_picture_changes(policy):
    plain, drawn = toy(1), PlanOverlay(toy(1), policy)
    observations = plain.reset()
    for key, value in drawn.reset().items():
        np.testing.assert_array_equal(value, observations[key])
    for _ in range(5):
        plans = policy(observations)
        observations, rewards, *_ = plain.step(plans)
        same, same_rewards, *_ = drawn.step(plans)
        assert all((same[key] == observations[key]).all() for key in observations) and rewards == same_rewards
    assert (plain.get_images()[0] != drawn.get_images()[0]).any()


def test_without_a_policy_nothing_is_drawn():
    venv = PlanOverlay(toy(1))
    venv.reset()
    venv.step(np.zeros((1, 20, 2), np.float32))
    assert venv.get_attr("overlay") == [{}]


@pytest.mark.parametrize("make", [lambda: make_vec_env("CartPole-v1"), lambda: make_waypoint_vec_env(n_envs=2)])
def test_envs_that_draw_no_plans_are_refused(make):
    with pytest.raises(ValueError, match="no attribute 'overlay'"):
        PlanOverlay(make())
    assert "overlay" in vars(gym.make("ToyWaypoint-v0").unwrapped)
