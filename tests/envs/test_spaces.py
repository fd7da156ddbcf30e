"""The spaces follow the contract, and the action space knows what the rows of a plan mean."""

import copy
import math
import pickle

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from stable_baselines3 import PPO

from sb3_delta_waypoint import DeltaWaypointPolicy, make_waypoint_vec_env
from sb3_delta_waypoint.contract import GROUPS
from sb3_delta_waypoint.envs.spaces import NOBODY, PlanSpace, observation_space

PLAIN = spaces.Box(-100.0, 100.0, (20, 2), np.float32)


def test_spaces_are_equal_where_their_plans_are():
    space = PlanSpace(20, 0.1)
    assert space == PlanSpace(20, 0.1) and space != PlanSpace(20, 0.2) and space != PlanSpace(10, 0.1)
    for copied in (pickle.loads(pickle.dumps(space)), copy.deepcopy(space)):
        assert copied == space and copied.plan_dt == 0.1
    assert "plan_dt=0.1 s" in repr(space)


def test_a_box_that_says_nothing_of_time_is_equal():
    other = PlanSpace(20, 0.2)
    # models that were saved before the space knew the time hold such a box
    assert PLAIN == other and other == PLAIN  # noqa: SIM300 (from both sides)
    assert PlanSpace(10, 0.1) != PLAIN


def test_every_env_says_what_its_plans_are():
    assert gym.make("ToyWaypoint-v0", plan_dt=0.2).action_space == PlanSpace(20, 0.2)
    assert gym.make_vec("ToyWaypoint-v0", num_envs=2, plan_dt=0.2).single_action_space.plan_dt == 0.2
    assert make_waypoint_vec_env(n_envs=2, plan_dt=0.2).action_space.plan_dt == 0.2


def test_a_saved_model_refuses_an_env_with_other_plans(tmp_path):
    venv, other = (make_waypoint_vec_env(n_envs=2, plan_dt=plan_dt) for plan_dt in (0.1, 0.2))
    model = PPO(DeltaWaypointPolicy, venv, n_steps=4, batch_size=8)
    model.save(tmp_path / "model.zip")
    with pytest.raises(ValueError, match=r"plan_dt=0\.1 s\) != .*plan_dt=0\.2 s"):
        PPO.load(tmp_path / "model.zip", env=other)
    with pytest.raises(ValueError, match=r"plan_dt=0\.1 s\) != .*plan_dt=0\.2 s"):
        model.set_env(other)
    assert PPO.load(tmp_path / "model.zip", env=venv).action_space.plan_dt == 0.1


def test_the_bounds_of_what_is_observed():
    space = observation_space()
    state = np.array([60.0, 1.5, 10.0, 30.0], np.float32)
    assert (space["state"].high == state).all() and (space["route"].high == 100.0).all()
    assert (space["state"].low == [0.0, -1.5, -10.0, -30.0]).all(), "no car is slower than at rest"
    assert (space["route"].low == -100.0).all() and space["route"].shape == (10, 2)


@pytest.mark.parametrize("groups", [("route",), ("signal", "state", "route"), tuple(GROUPS)])
def test_an_env_gives_the_groups_that_it_is_asked_for(groups):
    env = gym.make("ToyWaypoint-v0", observe=groups)
    plain = gym.make("ToyWaypoint-v0")
    vector = gym.make_vec("ToyWaypoint-v0", num_envs=3, observe=groups)
    (observation, _), (expected, _), (many, _) = env.reset(seed=4), plain.reset(seed=4), vector.reset(seed=4)
    assert set(observation) == set(groups) and list(env.observation_space.spaces) == sorted(groups)
    assert observation in env.observation_space and many in vector.observation_space
    for name in groups:
        np.testing.assert_array_equal(observation[name], many[name][0])
        if name in expected:
            np.testing.assert_array_equal(observation[name], expected[name])
    for name, values in NOBODY.items():
        if name in groups:
            np.testing.assert_array_equal(observation[name], values)
            observation[name][:] = 7.0  # the caller's own
            assert (NOBODY[name] != 7.0).all()


@pytest.mark.parametrize(
    ("observe", "message"),
    [(("state", "lidar"), "'lidar'.*accepted are state, route"), ((), "at least"), (3, "observe=3"), ("roads", "'roads'")],
)
def test_groups_that_no_env_has_are_refused(observe, message):
    for make in (gym.make, gym.make_vec):
        with pytest.raises(ValueError, match=message):
            make("ToyWaypoint-v0", observe=observe)


def test_spaces_are_those_of_version_0_1():
    space = observation_space([name for name in GROUPS if name != "speed_limit"])
    low = np.array([-100, -100, -math.pi, 0, 0, 0, 0], np.float32)
    high = np.array([100, 100, math.pi, 60, 30, 10, 1], np.float32)
    assert space == spaces.Dict(
        {
            "state": spaces.Box(np.array([0, -1.5, -10, -30], np.float32), np.array([60, 1.5, 10, 30], np.float32)),
            "route": spaces.Box(-100.0, 100.0, (10, 2), np.float32),
            "agents": spaces.Box(np.tile(low, (16, 1)), np.tile(high, (16, 1))),
            "agents_valid": spaces.Box(0.0, 1.0, (16,), np.float32),
            "signal": spaces.Box(np.zeros(2, np.float32), np.array([100.0, 1.0], np.float32)),
        }
    )
