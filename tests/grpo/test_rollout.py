"""How long a rollout goes on, what stops it, and what becomes of its transitions."""

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
from tests.grpo.conftest import QUICK, Identity, Varied, equal, equal_returns, state


class Endless(gym.Env):
    """Has no end, and pays one whatever is done."""

    ends = False
    observation_space = spaces.Box(-1.0, 1.0, (1,))
    action_space = spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        return np.zeros(1, np.float32), {}

    def step(self, action):
        return np.zeros(1, np.float32), 1.0, self.ends, False, {}


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


def test_no_transition_is_lost(make_model):
    model = make_model(env_kwargs={"impatient": True}, advantage="process", advantage_scale=None)
    flat = []
    original = model._log_groups

    def spy():
        flat.extend(group.n_transitions for group in model.rollout_buffer.flat_groups)
        original()

    model._log_groups = spy
    model.learn(1000)
    assert model.n_trained_transitions + sum(flat) + model.rollout_buffer.n_held == model.num_timesteps


@pytest.mark.parametrize(("n_envs", "share"), [(1, 0.95), (4, 0.85)])
def test_most_transitions_are_trained_on(n_envs, share):
    # one epoch: episodes stay short, so that few steps are under way when training ends
    model = GRPO("MlpPolicy", make_vec_env("CartPole-v1", n_envs), seed=0, n_epochs=1)
    model.learn(5000)
    assert model.logger.name_to_value["grpo/trained_fraction"] > share


def test_resampling_replaces_groups_without_spread(make_model):
    sizes = {}
    for zero_std in ("skip", "resample"):
        model = make_model(env_kwargs={"length": 1}, group_size=2, n_groups=8, n_steps=6, zero_std=zero_std)
        sizes[zero_std] = []
        original = model._take_batch

        def spy(original=original, found=sizes[zero_std]):
            batch = original()
            found.append(len(batch.lengths) // 2)
            return batch

        model._take_batch = spy
        model.learn(300)
    # the end of training ends the last search as well
    assert min(sizes["resample"][:-1]) >= 8 > min(sizes["skip"])


class Pays(Endless):
    """Pays one whatever is done, and ends at once."""

    ends = True


@equal_returns
@pytest.mark.parametrize("zero_std", ["skip", "resample"])
def test_nothing_to_learn_ends_all_the_same(make_model, zero_std):
    model = make_model(env=Pays, zero_std=zero_std, ent_coef=0.1)
    before = state(model)
    model.learn(500)
    assert equal(before, state(model)) and model.logger.name_to_value["grpo/frac_groups_zero_std"] == 1.0
    assert model.n_trained_transitions == 0


@pytest.mark.parametrize("zero_std", ["skip", "resample"])
def test_a_long_streak_of_groups_without_spread_is_said_once(make_model, zero_std):
    model = make_model(env=Pays, zero_std=zero_std)
    message = "last 16 groups of 4 episodes all returns were equal, the latest 1: .* group_size"
    with pytest.warns(UserWarning, match=message) as said:
        model.learn(500)
        model.learn(500, reset_num_timesteps=False)
    assert [str(warning.message) for warning in said if "returns were equal" in str(warning.message)] == [str(said[0].message)]
    assert model.logger.name_to_value["grpo/zero_std_streak"] >= 1000 // 4 - 2


class Faulty(Varied):
    """Some episodes are broken off by a fault, with a reward that is not the policy's doing."""

    def step(self, action):
        observation, reward, terminated, truncated, info = super().step(action)
        if self.unwrapped.t == 4 and self.unwrapped.np_random.random() < 0.5:
            return observation, -1000.0, False, True, {"fault": "the server is gone"}
        return observation, reward, terminated, truncated, info


def test_nothing_is_learnt_from_groups_that_a_fault_broke_off(make_model):
    model = make_model(env=lambda: Faulty(Identity(), "vector"), n_envs=4, n_groups=4)
    rewards = []
    original = model.rollout_buffer.take
    model.rollout_buffer.take = lambda: rewards.append(original()) or rewards[-1]
    model.learn(1500)
    assert model.n_trained_transitions < 0.8 * model.num_timesteps
    assert min(episodes.rewards.min() for episodes in rewards if episodes is not None) > -1000.0
    assert model.rollout_buffer.n_held < 100, "what is not trained on is forgotten"


class Broken(Varied):
    """Something that is not finite after a while."""

    def __init__(self, where):
        super().__init__(Identity(), "vector")
        self.where, self.n = where, 0

    def step(self, action):
        observation, reward, *rest = super().step(action)
        self.n += 1
        broken = self.n > 60
        if self.where == "reward":
            return observation, np.nan if broken else reward, *rest
        return np.full_like(observation, np.inf) if broken else observation, reward, *rest


@pytest.mark.parametrize("where", ["reward", "observation"])
def test_what_is_not_finite_stops_training(make_model, where):
    model = make_model(vec_env=make_vec_env(lambda: Broken(where), 2))
    with pytest.raises(ValueError, match=f"env 0 gave a {where} that is not finite at step 122"):
        model.learn(1000)
    assert all(value.isfinite().all() for value in model.policy.state_dict().values())
    assert model.n_trained_transitions > 0
