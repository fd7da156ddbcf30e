"""``train``: real runs of rl_zoo3's script, with tiny budgets."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from stable_baselines3 import PPO

pytest.importorskip("rl_zoo3")

from sb3_delta_waypoint.policies import WaypointPolicy
from sb3_delta_waypoint.vec_env import make_waypoint_vec_env
from sb3_delta_waypoint.zoo.hyperparameters import HYPERPARAMS
from tests.command_line import SHORT, TINY, call, failed, succeeded


def load(path):
    return json.loads(Path(path).read_text())


def test_run_folder(run):
    names = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    assert names >= {
        "ToyWaypoint-v0.zip",
        "best_model.zip",
        "evaluations.npz",
        "monitor.csv",
        "config.json",
        "metrics.json",
        "train_metrics.json",
        "eval_metrics.json",
        "checkpoints/rl_model_400_steps.zip",
        "checkpoints/rl_model_800_steps.zip",
        "ToyWaypoint-v0/args.yml",
        "ToyWaypoint-v0/config.yml",
        "ToyWaypoint-v0/command.txt",
    }
    assert list((run / "../../tb").rglob("events.out.tfevents.*"))


def test_an_env_of_a_module_that_is_not_there(tmp_path):
    said = "env no_such_module:Own-v0 (--env): there is no module no_such_module"
    failed(call("train", "--env", "no_such_module:Own-v0", "-f", tmp_path / "logs"), said)
    assert list(tmp_path.iterdir()) == []


def test_what_was_asked_for_was_trained(run, planner):
    config = load(run / "config.json")
    assert config["run_id"].startswith("ppo-delta-")
    assert config["policy_kwargs"] == {"sft": str(planner), "delta_hidden_dim": 16, "max_delta": 1.5}
    shipped = yaml.safe_load((HYPERPARAMS / "ppo.yml").read_text())["ToyWaypoint-v0"]
    assert config["env_kwargs"] == {"start": {"lateral": 1.0, "heading": 0.2}, "route_length": 20}
    assert config["hyperparameters"]["n_epochs"] == 2 and config["hyperparameters"]["gamma"] == shipped["gamma"]
    saved = yaml.unsafe_load((run / "ToyWaypoint-v0" / "config.yml").read_text())
    assert saved["policy_kwargs"]["max_delta"] == 1.5 and saved["env_kwargs"] == config["env_kwargs"]
    # enjoy drives as evaluations do, which begin near the route
    assert yaml.unsafe_load((run / "ToyWaypoint-v0" / "args.yml").read_text())["env_kwargs"] == {"route_length": 20}
    assert PPO.load(run / "ToyWaypoint-v0.zip").policy.delta_net[0].out_features == 16


def test_metrics_files_agree(run):
    metrics, training = load(run / "metrics.json"), load(run / "train_metrics.json")
    assert [row["timesteps"] for row in metrics["evaluations"]] == [0, 400, 800]
    assert metrics["selection"]["metric"] == "success_rate"
    assert metrics["best"]["success_rate"] == max(row["success_rate"] for row in metrics["evaluations"])
    assert np.load(run / "evaluations.npz")["results"].shape == (3, 8)
    assert training["total_timesteps"] == training["iterations"][-1]["timesteps"] == 1024
    assert training["iterations"][0]["kl_to_sft"] is not None
    monitor = (run / "monitor.csv").read_text().splitlines()
    assert monitor[1] == "r,l,t,is_success" and len(monitor) == training["total_episodes"] + 2


def test_evaluation_after_training(run):
    evaluation = load(run / "eval_metrics.json")
    assert evaluation["model"] == str(run / "best_model.zip") and evaluation["n_scenarios"] == 8
    assert evaluation["env_kwargs"]["route_length"] == 20 and "start" not in evaluation["env_kwargs"]
    low, high = evaluation["metrics"]["ade"]["ci95"]
    assert 0 < low <= evaluation["metrics"]["ade"]["mean"] <= high


def test_model_moves_without_its_planner(run, planner, tmp_path):
    observation = make_waypoint_vec_env(n_envs=3, seed=1).reset()
    expected = WaypointPolicy(run / "best_model.zip")(observation)
    moved = planner.rename(tmp_path / "elsewhere.pt")
    try:
        np.testing.assert_array_equal(WaypointPolicy(run / "best_model.zip")(observation), expected)
    finally:
        moved.rename(planner)


def test_continue_training(logs, run, planner):
    model = run / "ToyWaypoint-v0.zip"
    output = succeeded("train", "-f", logs, "-i", model, "-n", 128, "--eval-freq", -1, *TINY)
    assert "Loading pretrained agent" in output
    continued = PPO.load(logs / "ppo" / "ToyWaypoint-v0_2" / "ToyWaypoint-v0.zip")
    assert continued.policy.delta_net[0].out_features == 16
    failed(call("train", "-f", logs, "-i", model, "--sft", planner, "-n", 128, *TINY), "sft", "carries its own")
    assert not (logs / "ppo" / "ToyWaypoint-v0_3").exists()


@pytest.fixture
def zeroed(monkeypatch):
    """How many updates of PPO had no advantages: those of a critic's warm-up."""
    updates = []
    update = PPO.train

    def spy(model):
        updates.append(not model.rollout_buffer.advantages.any())
        update(model)

    monkeypatch.setattr(PPO, "train", spy)
    return updates


def test_the_warm_up_of_a_critic_does_not_begin_again(planner, zeroed, tmp_path):
    warm = "callback:[{'sb3_delta_waypoint.callbacks.CriticWarmupCallback':{'warmup_steps':384}}]"
    command = ["train", "-f", tmp_path, "--eval-freq", -1, *TINY, warm]
    succeeded(*command, "--sft", planner, "-n", 256)
    assert zeroed == [True, True]
    model = tmp_path / "ppo" / "ToyWaypoint-v0_1" / "ToyWaypoint-v0.zip"
    succeeded(*command, "-i", model, "-n", 256)
    assert zeroed[2:] == [True, False], "256 of 384 steps had been done"


def test_selection(planner, tmp_path):
    where = ["--metric", "ade", "--where", "success_rate>=0"]
    succeeded("train", "--sft", planner, "-f", tmp_path, "-n", 256, "--eval-freq", 128, *where, *TINY)
    metrics = load(tmp_path / "ppo" / "ToyWaypoint-v0_1" / "metrics.json")
    assert metrics["best"]["ade"] == min(row["ade"] for row in metrics["evaluations"])


def test_single_envs_in_processes(planner, tmp_path):
    succeeded(
        "train",
        "--sft",
        planner,
        "-f",
        tmp_path,
        "--algo",
        "ppo",
        "-n",
        128,
        "--eval-freq",
        -1,
        "--vec-env",
        "subproc",
        *SHORT,
        "-params",
        "n_envs:2",
        "n_steps:32",
        "batch_size:64",
    )
    assert len(list((tmp_path / "ppo" / "ToyWaypoint-v0_1").glob("?.monitor.csv"))) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--sft", "absent.pt"], ["absent.pt"]),
        (["--routes", "absent.xodr"], ["absent.xodr"]),
        (["--metric", "colour"], ["colour"]),
        (["--env", "ToyWayPoint-v0"], ["ToyWayPoint-v0", "ToyWaypoint-v0"]),
        (["--algo", "ppo", "--group-size", "4"], ["--group-size", "--algo grpo"]),
        (["--algo", "grpo", "-params", "batch_size:100000"], ["batch_size=100000", "make it smaller"]),
        (["--algo", "reinforce"], ["reinforce", "grpo, ppo"]),
        (["-i", "absent.zip"], ["trained_agent"]),
    ],
)
def test_mistakes(arguments, said, tmp_path):
    failed(call("train", "-f", tmp_path / "logs", "-n", 64, *arguments), *said)
    assert not list(tmp_path.iterdir())


def test_help_shows_all_options():
    output = succeeded("train", "--help")
    for option in ("--sft", "--eval-after-training", "--tensorboard-log", "--optimize-hyperparameters", "--progress"):
        assert option in output
    assert output.count("\n  --algo ") == 1, "our own option stands for that of rl_zoo3"
    assert "--load-best" in succeeded("enjoy", "--help")


def check_interrupted(output, tmp_path):
    """A model that loads, JSON that parses, and no traceback."""
    run = tmp_path / "ppo" / "ToyWaypoint-v0_1"
    assert f"Interrupted; the model so far is {run}/ToyWaypoint-v0.zip" in output and "Traceback" not in output
    assert PPO.load(run / "ToyWaypoint-v0.zip").num_timesteps == load(run / "train_metrics.json")["total_timesteps"]
    load(run / "metrics.json")


ENDLESS = ["train", "-n", 1_000_000, *TINY, "--eval-freq", -1]


def test_sigterm(planner, tmp_path):
    """As Slurm and Docker send it to the process, in the middle of training."""
    command = [sys.executable, "-m", "sb3_delta_waypoint.cli", *map(str, ENDLESS), "--sft", planner, "-f", tmp_path]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment) as process:
        for line in process.stdout:
            if "clip_fraction" in line:
                process.send_signal(signal.SIGTERM)
                break
        output = process.stdout.read()
    assert process.returncode == 143, output
    check_interrupted(output, tmp_path)


def test_ctrl_c(planner, tmp_path, monkeypatch):
    update = PPO.train

    def interrupted(model):
        update(model)
        if model._n_updates >= 4:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(PPO, "train", interrupted)
    result = call(*ENDLESS, "--sft", planner, "-f", tmp_path)
    assert result.exit_code == 130, result.output
    check_interrupted(result.output, tmp_path)


def test_a_planner_by_import_path_with_arguments(tmp_path, monkeypatch):
    (tmp_path / "trained_planners.py").write_text(
        "from sb3_delta_waypoint import SFTWaypointModel\n"
        "class Wide(SFTWaypointModel):\n"
        "    def __init__(self, width, **kwargs):\n"
        "        super().__init__(**{'hidden_dims': (width,), **kwargs})\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    few = ("-f", tmp_path / "typed", "-n", 128, "--eval-freq", -1, *TINY)
    succeeded("train", "--sft", "trained_planners:Wide", "--sft-kwargs", "width:12", *few)
    model = next((tmp_path / "typed").glob("ppo/*_1/ToyWaypoint-v0.zip"))
    assert WaypointPolicy(model).module.features_extractor.planner.hidden_dims == (12,)
    failed(call("train", "--sft", "trained_planners:Wide", *few), "trained_planners:Wide", "'width'")
    # and the same in a yaml, as it may be written
    (tmp_path / "own.yml").write_text(
        "ToyWaypoint-v0:\n  policy: sb3_delta_waypoint.DeltaWaypointPolicy\n  n_timesteps: 128\n"
        "  policy_kwargs: \"dict(sft='trained_planners:Wide', sft_kwargs=dict(width=20))\"\n"
    )
    succeeded("train", "-conf", tmp_path / "own.yml", "-f", tmp_path / "yaml", "--eval-freq", -1, *TINY)
    model = next((tmp_path / "yaml").glob("ppo/*_1/ToyWaypoint-v0.zip"))
    assert WaypointPolicy(model).module.features_extractor.planner.hidden_dims == (20,)
