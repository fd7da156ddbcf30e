"""The training front end: real runs of rl_zoo3's scripts, with tiny budgets."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from stable_baselines3 import PPO

pytest.importorskip("rl_zoo3")

from sb3_delta_waypoint import GRPO, zoo
from sb3_delta_waypoint.cli import main
from sb3_delta_waypoint.policies import WaypointPolicy
from sb3_delta_waypoint.vec_env import make_waypoint_vec_env
from sb3_delta_waypoint.zoo.manager import HYPERPARAMS

SETTINGS = ["n_envs:4", "n_steps:32", "batch_size:64", "n_epochs:2"]
SHORT = ["--env-kwargs", "route_length:20", "--eval-episodes", "8", "--n-eval-envs", "4"]
TINY = [*SHORT, "--num-threads", "1", "-params", *SETTINGS]


def call(*args):
    return CliRunner().invoke(main, [str(arg) for arg in args])


def succeeded(*args):
    result = call(*args)
    assert result.exit_code == 0, result.output
    return result.output


def failed(result, *said):
    assert result.exit_code == 1, result.output
    error = result.stderr.strip().splitlines()[-1]
    assert error.startswith("Error: ") and "Traceback" not in result.output
    for words in said:
        assert words in error, error


def load(path):
    return json.loads(Path(path).read_text())


@pytest.fixture(scope="module")
def planner(tmp_path_factory):
    out = tmp_path_factory.mktemp("planner")
    succeeded("record", "--episodes", 3, "--route-length", 20, "--out", out / "episodes")
    succeeded("sft", "--episodes-glob", f"{out}/episodes/*.json", "--num-steps", 200, "--out", out / "sft")
    return out / "sft" / "model.pt"


@pytest.fixture(scope="module")
def logs(planner, tmp_path_factory):
    """The log folder of one run of the front end."""
    logs = tmp_path_factory.mktemp("logs")
    output = succeeded(
        *("train", "--algo", "ppo", "--sft", planner, "--max-delta", 1.5, "--delta-hidden-dim", 16, "--eval-after-training"),
        *("-f", logs, "-n", 1000, "--eval-freq", 400, "--save-freq", 400, "--seed", 5, "-tb", logs / "tb", *TINY),
    )
    assert str(HYPERPARAMS / "ppo.yml") in output
    return logs


@pytest.fixture
def run(logs):
    return logs / "ppo" / "ToyWaypoint-v0_1"


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


def test_enjoy(logs):
    output = succeeded("enjoy", "-f", logs, "--exp-id", 1, "--load-best", "--no-render", "-n", 150)
    assert "best_model.zip" in output and "Success rate" in output
    output = succeeded("enjoy", "-f", logs, "--exp-id", 1, "--load-last-checkpoint", "--no-render", "-n", 2)
    assert "checkpoints/rl_model_800_steps.zip" in output
    output = succeeded("enjoy", "-f", logs, "--exp-id", 1, "--load-checkpoint", 400, "--no-render", "-n", 2)
    assert "checkpoints/rl_model_400_steps.zip" in output
    failed(call("enjoy", "-f", logs, "--exp-id", 1, "--load-checkpoint", 7, "--no-render"), "after 7 steps", "400, 800")
    slow = ("--no-render", "-n", 2, "--env-kwargs", "plan_dt:0.2")
    failed(call("enjoy", "-f", logs, "--exp-id", 1, "--load-best", *slow), "plan_dt=0.1 s", "plan_dt=0.2 s")
    failed(call("enjoy", "-f", logs, "--exp-id", 99, "--no-render"), "ToyWaypoint-v0_99 folder was not found")


def test_record_video(logs, run):
    pytest.importorskip("moviepy")
    succeeded("record-video", "-f", logs, "--exp-id", 1, "--load-best", "-n", 5)
    (video,) = (run / "videos").glob("*.mp4")
    assert video.stat().st_size > 1000


def test_plot_train(logs, tmp_path):
    pytest.importorskip("seaborn")
    succeeded("plot-train", "-f", logs, "-y", "success", "-w", 2, "--output", tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_continue_training(logs, run, planner):
    model = run / "ToyWaypoint-v0.zip"
    output = succeeded("train", "-f", logs, "-i", model, "-n", 128, "--eval-freq", -1, *TINY)
    assert "Loading pretrained agent" in output
    continued = PPO.load(logs / "ppo" / "ToyWaypoint-v0_2" / "ToyWaypoint-v0.zip")
    assert continued.policy.delta_net[0].out_features == 16
    failed(call("train", "-f", logs, "-i", model, "--sft", planner, "-n", 128, *TINY), "sft", "carries its own")
    assert not (logs / "ppo" / "ToyWaypoint-v0_3").exists()


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


def model_of(logs, env="ToyWaypoint-v0"):
    return GRPO.load(logs / "grpo" / f"{env}_1" / f"{env}.zip")


GROUPS = ["--algo", "grpo", "--group-size", 4]
FEW = ["-params", "n_envs:4", "n_steps:32", "batch_size:64", "n_epochs:2", "n_groups:1"]


def test_grpo(planner, tmp_path):
    command = ["--sft", planner, "-f", tmp_path, "-n", 500, "--eval-freq", 400, *SHORT, *FEW]
    output = succeeded("train", *GROUPS, *command)
    assert str(HYPERPARAMS / "grpo.yml") in output
    run = tmp_path / "grpo" / "ToyWaypoint-v0_1"
    assert load(run / "config.json")["run_id"].startswith("grpo-delta-")
    training = load(run / "train_metrics.json")
    assert training["iterations"][0]["kl_to_sft"] is not None and training["total_timesteps"] >= 500
    model = model_of(tmp_path)
    assert model.group_size == 4 and model.advantage == "process" and model.n_trained_transitions > 0
    output = succeeded("enjoy", *GROUPS[:2], "-f", tmp_path, "--load-best", "--no-render", "-n", 150)
    assert "Success rate" in output
    # beside PPO
    succeeded("train", *command[:-1])
    output = succeeded("all-plots", "-f", tmp_path, "-k", "successes", "--picture", tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG") and "ToyWaypoint-v0" in output


def test_grpo_in_processes(planner, tmp_path):
    """Single envs that reset in their workers play groups all the same."""
    few = [*FEW, "n_envs:2", "env_wrapper:'gymnasium.wrappers.NormalizeReward'"]
    command = ["--sft", planner, "-f", tmp_path, "-n", 128, "--eval-freq", -1, "--vec-env", "subproc", *SHORT]
    succeeded("train", *GROUPS, *command, *few)
    assert model_of(tmp_path).n_trained_transitions > 0


@pytest.mark.parametrize("env", ["CartPole-v1", "Pendulum-v1"])
def test_grpo_on_other_envs(env, tmp_path):
    few = ["-params", "n_steps:64", "batch_size:64", "n_groups:1", "n_envs:2"]
    succeeded("train", *GROUPS, "--env", env, "-f", tmp_path, "-n", 300, "--eval-freq", 200, "--eval-episodes", 2, *few)
    assert model_of(tmp_path, env).group_size == 4


class Breaks(gym.Wrapper):
    """Gives a reward that is not finite some time."""

    steps = 0

    def step(self, action):
        self.steps += 1
        observation, reward, *rest = self.env.step(action)
        return observation, float("nan") if self.steps == 300 else reward, *rest


def test_what_is_not_finite_ends_training_with_the_model_saved(tmp_path):
    few = ["-params", "n_steps:32", "batch_size:32", "n_groups:1", "n_envs:2", f"env_wrapper:'{__name__}.Breaks'"]
    result = call("train", *GROUPS, "--env", "CartPole-v1", "-f", tmp_path, "-n", 2000, "--eval-freq", -1, *few)
    path = tmp_path / "grpo" / "CartPole-v1_1" / "CartPole-v1.zip"
    failed(result, "env 0 gave a reward that is not finite at step", f"the model so far is {path}")
    model = GRPO.load(path)
    assert model.n_trained_transitions > 0
    assert all(parameter.isfinite().all() for parameter in model.policy.parameters())


def test_grpo_optimize(planner, tmp_path):
    optimize = ["-optimize", "--n-trials", 1, "--n-evaluations", 1, "--no-optim-plots"]
    output = succeeded("train", *GROUPS, "--sft", planner, "-f", tmp_path, "-n", 256, *optimize, *SHORT, *FEW)
    assert "Best trial" in output


@pytest.mark.filterwarnings("ignore:You have specified a mini-batch size")
def test_optimize_keeps_the_planner(planner, tmp_path, monkeypatch):
    planners = []

    def spy(policy, *args, **kwargs):
        planners.append(kwargs["policy_kwargs"]["sft"])
        return PPO(policy, *args, **kwargs)

    monkeypatch.setitem(zoo.ALGORITHMS, "ppo", zoo.ALGORITHMS["ppo"]._replace(algorithm=spy))
    optimize = [
        "-optimize",
        "--n-trials",
        2,
        "--n-evaluations",
        1,
        "--no-optim-plots",
        "--storage",
        f"sqlite:///{tmp_path}/o.db",
    ]
    succeeded("train", "--sft", planner, "-f", tmp_path, "-n", 256, "--study-name", "s", *optimize, *TINY)
    assert planners == [str(planner)] * 2
    # what was found can be trained with
    output = succeeded(
        *("train", "--sft", planner, "-f", tmp_path, "-n", 64, "--eval-freq", -1, "--study-name", "s", "--trial-id", 1),
        *("--storage", f"sqlite:///{tmp_path}/o.db", "--env-kwargs", "route_length:20", "-params", "n_envs:1"),
    )
    assert "Loading from Optuna study" in output
    assert load(tmp_path / "ppo" / "ToyWaypoint-v0_1" / "config.json")["hyperparameters"]["n_steps"] in (16, 32, 64, 128)


def test_normalised_observations_are_refused(planner, tmp_path):
    command = ["train", "--sft", planner, "-f", tmp_path, "-n", 128, *TINY]
    failed(call(*command, "normalize:True"), "norm_obs=False", "In the yaml")
    assert not (tmp_path / "ppo").exists()
    succeeded(*command, "normalize:dict(norm_obs=False)")
    assert (tmp_path / "ppo" / "ToyWaypoint-v0_1" / "ToyWaypoint-v0" / "vecnormalize.pkl").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--sft", "absent.pt"], ["absent.pt"]),
        (["--routes", "absent.xodr"], ["absent.xodr"]),
        (["--metric", "colour"], ["colour"]),
        (["--env", "ToyWayPoint-v0"], ["ToyWayPoint-v0", "ToyWaypoint-v0"]),
        (["--algo", "ppo", "--group-size", "4"], ["--group-size", "--algo grpo"]),
        (["--algo", "grpo", "-params", "batch_size:100000"], ["batch_size=100000", "make it smaller"]),
        (["--algo", "reinforce"], ["reinforce", "ppo", "--help"]),
        (["--colour", "red"], ["--colour", "--help"]),
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
    assert "--load-best" in succeeded("enjoy", "--help")


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupt(sent, code, planner, tmp_path):
    """Ctrl-C or SIGTERM in the middle of training: its exit code, a model that loads, JSON that parses."""
    command = [
        *(sys.executable, "-m", "sb3_delta_waypoint.cli", "train", "--sft", planner, "-f", tmp_path, "-n", "1000000", *TINY),
        *("--eval-freq", "-1"),
    ]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment) as process:
        for line in process.stdout:
            if "clip_fraction" in line:
                process.send_signal(sent)
                break
        output = process.stdout.read()
    assert process.returncode == code, output
    run = tmp_path / "ppo" / "ToyWaypoint-v0_1"
    assert f"Interrupted; the model so far is {run}/ToyWaypoint-v0.zip" in output and "Traceback" not in output
    assert PPO.load(run / "ToyWaypoint-v0.zip").num_timesteps == load(run / "train_metrics.json")["total_timesteps"]
    load(run / "metrics.json")
