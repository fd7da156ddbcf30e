"""The action space knows what the rows of a plan mean."""

import copy
import pickle

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from stable_baselines3 import PPO

from sb3_delta_waypoint import DeltaWaypointPolicy, make_waypoint_vec_env
from sb3_delta_waypoint.envs.spaces import PlanSpace, observation_space

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
