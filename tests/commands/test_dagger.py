"""``dagger`` as a user calls it."""

import json

import pytest
import torch
from stable_baselines3 import PPO

from sb3_delta_waypoint import GRPO
from sb3_delta_waypoint.policies.inference import WaypointPolicy
from sb3_delta_waypoint.sft.checkpoint import load_planner
from sb3_delta_waypoint.vec_env import make_waypoint_vec_env
from tests.command_line import call, failed, succeeded
from tests.commands.conftest import H

TINY = ["--env-kwargs", "route_length:20", "--n-envs", 8, "--iterations", 2, "--steps", 400, "--gradient-steps", 30]


@pytest.mark.filterwarnings("ignore:total_timesteps=300")
@pytest.mark.parametrize(("algo", "algorithm"), [("grpo", GRPO), ("ppo", PPO)])
def test_reinforcement_learning_goes_on_from_the_head(models, tmp_path, algo, algorithm):
    out = tmp_path / "out"
    text = succeeded("dagger", "--sft", models / "model.pt", "--out", out, "--max-delta", 1.5, "--algo", algo, *TINY)
    path = out / algo / "ToyWaypoint-v0.zip"
    assert "400 env steps, 60 gradient steps" in text and str(path) in text
    described = json.loads((out / "dagger.json").read_text())
    assert (described["train"], described["env_steps"], len(described["history"])) == ("head", 400, 2)
    assert described["cpu_seconds"] > 0.0 and described["settings"]["drive"] == "student"
    group_size = 8 if algo == "grpo" else 1
    venv = make_waypoint_vec_env(n_envs=8, group_size=group_size, horizon_steps=H, route_length=20)
    observation = venv.reset()
    policy = WaypointPolicy(path)
    parts = policy(observation, parts=True)
    assert 0.01 < abs(parts.delta).max() <= 1.5
    # the planner inside is the one it began with
    torch.testing.assert_close(parts.sft_waypoints, WaypointPolicy(models / "model.pt")(observation))
    model = algorithm.load(path, venv, n_steps=16)
    model.learn(300)
    assert abs(WaypointPolicy(model)(observation) - parts.waypoints).max() > 0.0
    result = call("evaluate", "--model", path, "--episodes", 4, "--env-kwargs", "route_length:12")
    assert result.exit_code == 0, result.output


def test_a_whole_network_fine_tuned_on_the_drives_of_its_teacher(models, tmp_path):
    out, again = tmp_path / "out", tmp_path / "again"
    for folder in (out, again):
        succeeded(
            *(
                "dagger",
                "--sft",
                models / "model.pt",
                "--train",
                "network",
                "--drive",
                "teacher",
                "--out",
                folder,
                "--seed",
                3,
            ),
            *TINY,
        )
    planners = [load_planner(path) for path in (models / "model.pt", out / "model.pt", again / "model.pt")]
    before, after, same = ([values for _, values in planner.named_parameters()] for planner in planners)
    assert all(torch.equal(a, b) for a, b in zip(after, same, strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert planners[1].config() == planners[0].config()
    assert json.loads((out / "dagger.json").read_text())["settings"]["drive"] == "teacher"


def test_dagger_says_what_is_wrong_before_it_trains(models, tmp_path):
    failed(call("dagger", "--sft", tmp_path / "nowhere.pt", "--out", tmp_path / "out"), "nowhere.pt")
    assert not (tmp_path / "out").exists()
    few = call("dagger", "--sft", models / "model.pt", "--out", tmp_path / "out", "--steps", 10)
    failed(few, "10 env steps are too few for 8 iterations of 128 envs")
    failed(call("dagger", "--out", "/dev/null", "--steps", 10), "/dev/null")
    assert call("dagger", "--train", "everything").exit_code == 2
