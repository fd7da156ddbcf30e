"""A planner that reads more than state and route drives with every command: the env gives what it reads."""

import json

import pytest
import torch

pytest.importorskip("rl_zoo3")

from sb3_delta_waypoint.sft.checkpoint import save_planner
from sb3_delta_waypoint.sft.planners import SFTWaypointModel
from tests.command_line import TINY, succeeded

READ = ("state", "route", "signal")


@pytest.fixture(scope="module")
def signal_planner(tmp_path_factory):
    torch.manual_seed(0)
    planner = SFTWaypointModel(hidden_dims=(8,), groups=READ)
    return save_planner(planner, tmp_path_factory.mktemp("signal") / "model.pt")


def test_commands_ask_the_env_for_what_a_planner_reads(signal_planner, tmp_path):
    few = ("--episodes", 3, "--env-kwargs", "route_length:15")
    succeeded("evaluate", "--model", signal_planner, *few, "--out", tmp_path / "metrics.json")
    assert json.loads((tmp_path / "metrics.json").read_text())["env_kwargs"]["observe"] == list(READ)
    logs = tmp_path / "logs"
    succeeded("train", "--sft", signal_planner, "-n", 128, "-f", logs, *TINY)
    model = logs / "ppo/ToyWaypoint-v0_1/ToyWaypoint-v0.zip"
    succeeded("compare", "--rl", model, *few, "--out", tmp_path / "comparison")
    succeeded("enjoy", "--algo", "ppo", "-f", logs, "--no-render", "-n", 3)
    succeeded("train", "-i", model, "-n", 128, "-f", logs, *TINY)
    succeeded("enjoy", "--algo", "ppo", "-f", logs, "--exp-id", 2, "--no-render", "-n", 3)
