"""No schedule goes below zero, whatever the algorithm and the budget; budgets that leave nothing to learn are said."""

import warnings

import pytest
import torch as th
from sb3_contrib import TRPO
from stable_baselines3 import A2C, DQN, PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.utils import LinearSchedule

from sb3_delta_waypoint import GRPO
from sb3_delta_waypoint.callbacks import BoundedSchedulesCallback, CriticWarmupCallback
from sb3_delta_waypoint.callbacks.run_artifacts import describe_model
from sb3_delta_waypoint.callbacks.short_budget import short_budget

FALLING = LinearSchedule(1e-2, 0.0, 1.0)
SETTINGS = {
    PPO: {"n_steps": 8, "batch_size": 16, "n_epochs": 1},
    A2C: {"n_steps": 8},
    TRPO: {"n_steps": 8, "batch_size": 16},
    DQN: {"learning_starts": 0},
    GRPO: {"n_steps": 16, "batch_size": 16, "n_groups": 1, "group_size": 2},
}
"""A rollout of two envs of CartPole-v1 is 16 steps."""


class Falling:
    """As rl_zoo3's ``lin_``: nothing bounds it."""

    def __init__(self, start):
        self.start = start

    def __call__(self, progress_remaining):
        return self.start * progress_remaining


def make(algorithm, **kwargs):
    venv = make_vec_env("CartPole-v1", 2, seed=1)
    kwargs = {"learning_rate": Falling(1e-2), **SETTINGS[algorithm], **kwargs}
    return algorithm("MlpPolicy", venv, seed=1, policy_kwargs={"net_arch": [8]}, **kwargs)


def parameters(model):
    return th.cat([parameter.detach().flatten().clone() for parameter in model.policy.parameters()])


@pytest.fixture
def rates(monkeypatch):
    """The learning rates of all updates."""
    given = []
    original = PPO._update_learning_rate

    def spy(self, optimizers):
        original(self, optimizers)
        optimizer = optimizers[0] if isinstance(optimizers, list) else optimizers
        given.append(optimizer.param_groups[0]["lr"])

    monkeypatch.setattr("stable_baselines3.common.base_class.BaseAlgorithm._update_learning_rate", spy)
    return given


@pytest.mark.parametrize("algorithm", list(SETTINGS))
def test_the_last_update_does_not_climb_the_loss(algorithm, rates):
    """101 steps are not whole rollouts, so the last one overshoots."""
    model = make(algorithm)
    model.learn(101, callback=BoundedSchedulesCallback())
    assert model.num_timesteps > 101
    assert rates[0] > 0.0 and rates[-1] == 0.0 and min(rates) == 0.0


def test_without_the_callback_it_would(rates):
    make(PPO).learn(101)
    assert rates[-1] < 0.0


def test_within_the_budget_nothing_changes():
    trained = [parameters(make(PPO).learn(160, callback=callback)) for callback in (None, BoundedSchedulesCallback())]
    assert (trained[0] == trained[1]).all()


def test_every_schedule_is_bounded_at_its_end():
    model = make(PPO, clip_range=Falling(0.2), clip_range_vf=lambda progress: 0.1 + 0.2 * progress)
    model.learn(16, callback=BoundedSchedulesCallback())
    schedules = (model.lr_schedule, model.clip_range, model.clip_range_vf)
    assert [schedule(0.5) for schedule in schedules] == pytest.approx([5e-3, 0.1, 0.2])
    assert [schedule(-0.5) for schedule in schedules] == [0.0, 0.0, 0.1]
    below = make(A2C, learning_rate=lambda progress: 1e-2 * (progress - 0.5))
    below.learn(16, callback=BoundedSchedulesCallback())
    assert below.lr_schedule(0.2) == 0.0
    grpo = make(GRPO, clip_range=Falling(0.2), clip_range_high=Falling(0.3))
    assert grpo.clip_range(-0.5) == grpo.clip_range_high(-0.5) == grpo.lr_schedule(-0.5) == 0.0
    assert grpo.clip_range_high(0.5) == pytest.approx(0.15)


@pytest.mark.parametrize("algorithm", [PPO, GRPO])
def test_saved_loaded_and_continued(algorithm, rates, tmp_path):
    """Schedules survive the zip, and are wrapped once however often training goes on."""
    model = make(algorithm, clip_range=Falling(0.2))
    model.learn(101, callback=BoundedSchedulesCallback())
    described = describe_model(model)["hyperparameters"]["clip_range"]
    model.save(tmp_path / "model.zip")
    for _ in range(2):
        model = algorithm.load(tmp_path / "model.zip", env=make_vec_env("CartPole-v1", 2))
        model.learn(101, callback=BoundedSchedulesCallback())
        model.learn(101, callback=BoundedSchedulesCallback(), reset_num_timesteps=False)
        model.save(tmp_path / "model.zip")
    assert isinstance(model.clip_range.value_schedule, Falling) and isinstance(model.lr_schedule.value_schedule, Falling)
    assert describe_model(model)["hyperparameters"]["clip_range"].split(" at ")[0] == described.split(" at ")[0]
    assert model.clip_range(-1.0) == 0.0 and min(rates) == 0.0


def said(model, steps, *callbacks, **kwargs):
    """What the callbacks warn of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.learn(steps, callback=list(callbacks), **kwargs)
    return [str(warning.message) for warning in caught if "can move the policy" in str(warning.message)]


def test_a_budget_that_rollouts_eat():
    (message,) = said(make(PPO), 16, BoundedSchedulesCallback())
    assert "16 env steps are 1 rollout of at least 16 (n_steps=8 times 2 envs)" in message
    assert "none of their updates" in message and "in 1 the learning rate is 0" in message and "train for 96 steps" in message
    assert said(make(PPO), 96, BoundedSchedulesCallback()) == []
    assert len(said(make(PPO, learning_rate=1e-3), 64, BoundedSchedulesCallback())) == 1
    assert said(make(PPO, learning_rate=1e-3), 80, BoundedSchedulesCallback()) == []
    assert len(said(make(GRPO), 16, BoundedSchedulesCallback())) == 1
    assert "learning rate" not in said(make(TRPO), 16, BoundedSchedulesCallback())[0], "TRPO's is its critic's"
    assert said(make(DQN), 16, BoundedSchedulesCallback()) == []


@pytest.mark.parametrize("steps", [16, 100, 112])
def test_a_budget_that_the_warm_up_eats_is_said_once(steps):
    (message,) = said(make(PPO), steps, CriticWarmupCallback(warmup_steps=40), BoundedSchedulesCallback())
    n_warmup = min(steps // 16, 2)
    assert f"{n_warmup} belong to the critic's warm-up (warmup_steps=40)" in message and "train for 128 steps" in message
    assert said(make(PPO), 128, CriticWarmupCallback(warmup_steps=40), BoundedSchedulesCallback()) == []


def test_the_warm_up_warns_by_itself():
    (message,) = said(make(PPO, learning_rate=1e-3), 64, CriticWarmupCallback(warmup_steps=1000))
    assert "4 belong to the critic's warm-up (warmup_steps=1000)" in message and "learning rate" not in message


def test_training_that_goes_on_needs_one_update():
    model = make(PPO, learning_rate=1e-3)
    model.learn(80)
    assert said(model, 16, BoundedSchedulesCallback(), reset_num_timesteps=False) == []
    falling = make(PPO)
    falling.learn(80)
    assert len(said(falling, 16, BoundedSchedulesCallback(), reset_num_timesteps=False)) == 1


def test_training_that_goes_on_has_had_its_warm_up():
    model = make(PPO, learning_rate=1e-3)
    model.num_timesteps, model._total_timesteps = 48, 64
    assert short_budget(model, warmup_steps=48) is None
    assert "1 belong to the critic's warm-up" in short_budget(model, warmup_steps=64)
