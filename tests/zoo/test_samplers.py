"""The tuning of hyperparameters: real studies of rl_zoo3, as short as can be."""

import json

import pytest
from stable_baselines3 import PPO

pytest.importorskip("rl_zoo3")

from sb3_delta_waypoint.zoo.algorithms import Algorithm
from tests.command_line import FEW_GROUPS, GROUPS, SHORT, TINY, succeeded


@pytest.mark.filterwarnings("ignore:total_timesteps=.* is over before the first update")
def test_grpo_optimize(planner, tmp_path):
    optimize = ["-optimize", "--n-trials", 1, "--n-evaluations", 1, "--no-optim-plots"]
    output = succeeded("train", *GROUPS, "--sft", planner, "-f", tmp_path, "-n", 256, *optimize, *SHORT, *FEW_GROUPS)
    assert "Best trial" in output


@pytest.mark.filterwarnings("ignore:You have specified a mini-batch size")
def test_optimize_keeps_the_planner(planner, tmp_path, monkeypatch):
    planners = []

    def spy(policy, *args, **kwargs):
        planners.append(kwargs["policy_kwargs"]["sft"])
        return PPO(policy, *args, **kwargs)

    monkeypatch.setattr(Algorithm, "load", lambda self: spy)
    storage = ["--study-name", "s", "--storage", f"sqlite:///{tmp_path}/o.db"]
    optimize = ["-optimize", "--n-trials", 2, "--n-evaluations", 1, "--no-optim-plots"]
    succeeded("train", "--sft", planner, "-f", tmp_path, "-n", 256, *storage, *optimize, *TINY)
    assert planners == [str(planner)] * 2
    # what was found can be trained with
    output = succeeded(
        *("train", "--sft", planner, "-f", tmp_path, "-n", 64, "--eval-freq", -1, *storage, "--trial-id", 1),
        *("--algo", "ppo"),
        *("--env-kwargs", "route_length:20", "-params", "n_envs:1"),
    )
    assert "Loading from Optuna study" in output
    config = json.loads((tmp_path / "ppo" / "ToyWaypoint-v0_1" / "config.json").read_text())
    assert config["hyperparameters"]["n_steps"] in (16, 32, 64, 128)
