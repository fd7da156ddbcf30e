"""GRPO refines a planner: features once per step, the divergence in closed form, the planner as it was."""

import os

import numpy as np
import pytest
import torch as th
from stable_baselines3.common.env_util import make_vec_env
from torch import nn

from sb3_delta_waypoint import DeltaWaypointPolicy, SFTWaypointModel, WaypointPolicy, make_waypoint_vec_env
from sb3_delta_waypoint.grpo import GRPO
from sb3_delta_waypoint.sft.checkpoint import save_planner
from tests.grpo.conftest import QUICK, equal, short_budget, state

FROZEN = "features_extractor.planner."


class Bumpy(nn.Module):
    """A planner with everything that freezing has to deal with, which counts how often it is asked."""

    horizon_steps = 20

    def __init__(self):
        super().__init__()
        th.manual_seed(3)
        self.layers = nn.Sequential(nn.Linear(24, 16), nn.BatchNorm1d(16), nn.Dropout(0.5), nn.Linear(16, 16))
        self.head = nn.Linear(16, 40)
        self.n_calls = 0

    def forward(self, observation):
        self.n_calls += 1
        latent = self.layers(th.cat([observation["state"], observation["route"].flatten(1)], dim=1))
        return latent, self.head(latent).view(-1, 20, 2)


@pytest.fixture
def make():
    """A function that makes a model on a few short envs."""

    def make(sft=None, n_envs=4, **kwargs):
        venv = make_waypoint_vec_env(n_envs=n_envs, seed=1, group_size=4, route_length=20)
        return GRPO(DeltaWaypointPolicy, venv, policy_kwargs={"sft": sft}, **{"seed": 1, **QUICK, **kwargs})

    return make


@short_budget
def test_the_planner_is_as_it_was_and_the_critic_too(make):
    planner = Bumpy()
    model = make(planner)
    before = {name: value.clone() for name, value in model.policy.state_dict().items() if isinstance(value, th.Tensor)}
    observation = make_waypoint_vec_env(n_envs=5, seed=3).reset()
    plans = model.predict(observation, deterministic=True)[0]
    model.learn(300)
    for name, value in before.items():
        same = (model.policy.state_dict()[name] == value).all()
        assert same or name.startswith(("delta_net", "log_std")), name
    assert (model.predict(observation, deterministic=True)[0] != plans).any()


def test_each_step_is_encoded_once(make):
    model = make(Bumpy(), n_epochs=7)
    planner = model.policy.features_extractor.planner
    planner.n_calls = 0
    model.learn(1500)
    assert model._n_updates >= 14 and planner.n_calls == model.num_timesteps // 4


@short_budget
def test_saved_models_live_without_the_planner_file(make, tmp_path):
    th.manual_seed(0)
    path = save_planner(SFTWaypointModel(hidden_dims=(16,)), tmp_path / "sft.pt")
    model = make(str(path)).learn(200)
    model.save(tmp_path / "model")
    os.remove(path)
    observation = make_waypoint_vec_env(n_envs=5, seed=3).reset()
    expected = model.predict(observation, deterministic=True)[0]
    loaded = GRPO.load(tmp_path / "model", env=model.env)
    assert (loaded.predict(observation, deterministic=True)[0] == expected).all()
    np.testing.assert_array_equal(WaypointPolicy(tmp_path / "model.zip")(observation), expected)
    loaded.learn(200, reset_num_timesteps=False)
    assert (loaded.predict(observation, deterministic=True)[0] != expected).any()


def test_distance_to_the_planner(make):
    model = make(learning_rate=2e-3, n_epochs=5).learn(600)
    logged = model.logger.name_to_value
    assert logged["train/kl"] == logged["train/kl_to_sft"] > 0.0 and logged["train/delta_norm_mean"] > 0.0
    assert logged["train/delta_norm_mean"] < logged["train/delta_norm_max"] < 3.0
    held = make(learning_rate=2e-3, n_epochs=5, kl_coef=3.0).learn(600)
    assert held.reference_policy is None, "the policy knows its own"
    assert held.logger.name_to_value["train/kl"] < 0.6 * logged["train/kl"]


@short_budget
def test_single_envs(make):
    """The scalar env in a DummyVecEnv is seeded by the wrapper."""
    venv = make_vec_env("ToyWaypoint-v0", 2, env_kwargs={"route_length": 20})
    model = GRPO(DeltaWaypointPolicy, venv, seed=0, **QUICK)
    model.learn(200)
    assert model._n_updates > 0


def test_learns_to_drive():
    """A short run already drives better than the planner it started from."""
    venv = make_waypoint_vec_env(n_envs=64, seed=0, group_size=8, route_length=40)
    model = GRPO(
        DeltaWaypointPolicy, venv, seed=0, learning_rate=2e-3, n_steps=16, batch_size=512, n_epochs=5, n_groups=4
    )  # fmt: skip
    rewards = []
    original = model._log_groups

    def spy():
        original()
        rewards.append(model.logger.name_to_value["grpo/reward_mean"])

    model._log_groups = spy
    model.learn(60_000)
    assert np.mean(rewards[-5:]) > np.mean(rewards[:5]) + 0.3
    print(rewards[:5], rewards[-5:])


@short_budget
@pytest.mark.parametrize(("policy", "kind"), [("CnnPolicy", "image"), ("MultiInputPolicy", "dict")])
def test_images_and_dicts(make_model, policy, kind, tmp_path):
    model = make_model(policy, env_kwargs={"kind": kind}, policy_kwargs={"net_arch": [16]})
    before = state(model)
    model.learn(150)
    assert not equal(before, state(model))
    observation = model.env.reset()
    expected = model.predict(observation, deterministic=True)[0]
    model.save(tmp_path / "model")
    loaded = GRPO.load(tmp_path / "model", env=model.env)
    assert (loaded.predict(observation, deterministic=True)[0] == expected).all()
    loaded.learn(50)


@short_budget
def test_images_wait_as_bytes(make_model):
    model = make_model("CnnPolicy", env_kwargs={"kind": "image"}, policy_kwargs={"net_arch": [16]})
    model.learn(60)
    assert model.rollout_buffer._store.seen.dtype == th.uint8


def test_value_parameters_are_left_alone(make_model):
    model = make_model()
    before = state(model)
    model.learn(300)
    for name, value in model.policy.named_parameters():
        assert (value == before[name]).all() == ("value" in name), name
        assert "value" not in name or value.grad is None


def test_a_policy_without_a_value_network(make_model):
    model = make_model()
    del model.policy.value_net, model.policy.mlp_extractor.value_net
    model.learn(100)
    model.predict(np.zeros((1, 3), np.float32))
