"""rl_zoo3 itself with this package's yaml: the lines of README.md, as they are printed there, and what it says of them."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import optuna
import pytest

pytest.importorskip("rl_zoo3")

from rl_zoo3.hyperparams_opt import sample_ppo_params

from sb3_delta_waypoint import zoo
from sb3_delta_waypoint.zoo.hyperparameters import HYPERPARAMS

README = Path(__file__).parents[2] / "README.md"
LINES = re.findall(r"^python (-m rl_zoo3\.train .+)$", README.read_text(), re.M)
CUSTOM_ENVS = re.search(r"`custom_envs\.py` .+?\swhich\ssays\s`(.+?)`", README.read_text(), re.S)[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the lines are run: nothing but the yaml, and the file that README.md asks for."""
    folder = tmp_path_factory.mktemp("zoo")
    (folder / "hyperparams").symlink_to(HYPERPARAMS)
    return folder


def run(folder, line, *more):
    command = [sys.executable, *shlex.split(line), *more]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


def test_readme_has_a_line_of_ppo_and_of_grpo():
    assert [re.search(r"--algo (\w+)", line)[1] for line in LINES] == ["ppo", "grpo"]
    assert all("-n 20000" in line and "-params" not in line for line in LINES)


@pytest.mark.parametrize(("algo", "line"), list(zip(["ppo", "grpo"], LINES, strict=True)))
def test_lines_of_the_readme(algo, line, folder):
    if algo == "grpo":
        (folder / "custom_envs.py").write_text(CUSTOM_ENVS)
    output = run(folder, line)
    logs = folder / "logs" / algo / "ToyWaypoint-v0_1"
    model = zoo.ALGORITHMS[algo].load().load(logs / "ToyWaypoint-v0.zip")
    assert model.num_timesteps > 20_000, "the last rollout overshoots"
    assert model.policy.optimizer.param_groups[0]["lr"] == 0.0
    assert "of their updates can move the policy" in output
    assert (logs / "best_model.zip").exists()
    assert np.load(logs / "evaluations.npz")["results"].shape[1] == 5


def test_optimize(folder):
    """Two trials, drawn by this package's samplers."""
    (folder / "custom_envs.py").write_text(CUSTOM_ENVS)
    line = LINES[0].replace("-n 20000 --eval-freq 10000", "-n 4096 -optimize --n-trials 2 --no-optim-plots")
    output = run(folder, line, "--eval-episodes", "1", "--seed", "33")
    assert re.search(r"Number of finished trials: +2\b", output) and "one_minus_gamma" in output


def test_the_samplers_of_rl_zoo3_describe_other_networks():
    """Which is why README.md asks for ``custom_envs.py``."""
    drawn = sample_ppo_params(optuna.create_study().ask(), 20, 4, {})
    assert "net_arch" in drawn["policy_kwargs"]
