"""How long a rollout goes on, and what stops it."""

import warnings

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecNormalize

from sb3_delta_waypoint import DeltaWaypointPolicy, make_waypoint_vec_env
from sb3_delta_waypoint.grpo import GRPO, rollout
from tests.grpo.conftest import QUICK


class Endless(gym.Env):
    """Has no end."""

    observation_space = spaces.Box(-1.0, 1.0, (1,))
    action_space = spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        return np.zeros(1, np.float32), {}

    def step(self, action):
        return np.zeros(1, np.float32), 1.0, False, False, {}


def test_an_env_that_never_ends_stops_training(make_model, monkeypatch):
    monkeypatch.setattr(rollout, "LONGEST_EPISODE", 100)
    model = make_model(env=Endless, n_envs=2)
    with (
        pytest.raises(ValueError, match="episode of env 0 has not ended after 100 steps.*TimeLimit"),
        pytest.warns(UserWarning),
    ):
        model.learn(50)
    assert model.num_timesteps == 200


def test_one_env_of_several_that_never_ends_stops_training(make_model, monkeypatch):
    """Its episode would be held, and grow, for ever."""
    monkeypatch.setattr(rollout, "LONGEST_EPISODE", 100)
    limits = iter([10, 1000, 10])
    model = make_model(env=lambda: gym.wrappers.TimeLimit(Endless(), next(limits)), n_envs=3)
    with pytest.raises(ValueError, match="episode of env 1 has not ended after 100 steps"):
        model.learn(10_000)


def test_a_budget_that_is_over_before_the_first_update_is_said(make_model):
    model = make_model(n_envs=2, n_groups=4)  # episodes of 8 steps in groups of 4: 128 steps
    with pytest.warns(UserWarning, match="total_timesteps=40 is over before the first update.*16 episodes.*ended by now: 4"):
        model.learn(40)
    assert model.num_timesteps == 128 and model._n_updates > 0, "the update is done all the same"
    with pytest.warns(UserWarning, match="total_timesteps=40 is over before the first update"):
        model.learn(40, reset_num_timesteps=False)


def test_a_budget_that_is_enough_is_not_talked_about(make_model):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make_model(n_envs=2, n_groups=4).learn(129)


class Change(BaseCallback):
    """Sets an attribute of the model after its first rollout."""

    def __init__(self, name, value):
        super().__init__()
        self.change = name, value

    def _on_step(self):
        return True

    def _on_rollout_end(self):
        setattr(self.model, *self.change)


def test_group_size_cannot_be_set_later(make_model, tmp_path):
    model = make_model(group_size=4)
    model.group_size = 2
    with pytest.raises(ValueError, match=r"group_size=2 was set.*groups of 4.*load\(path, env=env, group_size=2\)"):
        model.learn(100)
    model.group_size = 4
    with pytest.raises(ValueError, match="group_size=8 was set"):
        model.learn(1000, Change("group_size", 8))
    model.group_size = 4
    model.save(tmp_path / "model")
    loaded = GRPO.load(tmp_path / "model", env=model.env, group_size=2).learn(100)
    assert loaded.rollout_buffer.group_size == 2, "the remedy works"


@pytest.mark.parametrize(
    ("name", "value"), [("batch_size", 1000), ("n_groups", 0), ("advantage", "best"), ("clip_range", -1.0)]
)
def test_settings_that_make_no_sense_are_refused_later_too(make_model, name, value):
    model = make_model()
    setattr(model, name, value)
    with pytest.raises(ValueError, match=f"{name}="):
        model.learn(100)


def test_settings_that_may_change_do(make_model):
    model = make_model()
    model.clip_range, model.gamma, model.n_groups = 0.1, 0.5, 1
    model.learn(100, log_interval=1000)
    assert model.logger.name_to_value["train/clip_range"] == 0.1 and model.rollout_buffer.gamma == 0.5


def test_normalised_observations_are_refused_where_a_planner_reads_them():
    venv = make_waypoint_vec_env(n_envs=4, group_size=4)
    with pytest.raises(ValueError, match="norm_obs=False"):
        GRPO(DeltaWaypointPolicy, VecNormalize(venv), **QUICK)
    model = GRPO(DeltaWaypointPolicy, VecNormalize(venv, norm_obs=False), **QUICK)
    model.set_env(VecNormalize(venv))
    with pytest.raises(ValueError, match="norm_obs=False"):
        model.learn(10)
    GRPO("MlpPolicy", VecNormalize(make_vec_env("CartPole-v1", 1)), **QUICK)
