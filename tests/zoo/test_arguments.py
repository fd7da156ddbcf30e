"""Bad settings of a training run: one line that names thing, value and remedy, and nothing left on disk."""

import re
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

pytest.importorskip("rl_zoo3")

import rl_zoo3
from sb3_contrib import TRPO
from stable_baselines3 import A2C, PPO

from sb3_delta_waypoint import GRPO
from sb3_delta_waypoint.cli import main
from sb3_delta_waypoint.zoo.arguments import check_hyperparameters
from sb3_delta_waypoint.zoo.hyperparameters import HYPERPARAMS

ENTRY = "n_timesteps: 300, policy: sb3_delta_waypoint.DeltaWaypointPolicy"
FEW = ["--algo", "ppo", "-params", "n_envs:2", "n_steps:8", "batch_size:8", "n_epochs:1"]


def refused(folder, *arguments, code=1):
    """What ``train`` says when it refuses its arguments; exit code 2 where they are malformed."""
    result = CliRunner().invoke(main, ["train", "-f", f"{folder}/logs", *map(str, arguments)])
    assert result.exit_code == code, (result.output, result.exception)
    (*_, error) = lines = result.stderr.strip().splitlines()
    assert error.startswith("Error: ") and len([line for line in lines if line.startswith("Error")]) == 1
    assert not (folder / "logs").exists()
    return error


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ToyWaypoint-v0: {a: [1\n b", ["not readable as YAML", "line 1"]),
        ("- a\n- b\n", ["['a', 'b']", "by env"]),
        ("", ["None", "by env"]),
        ("ToyWaypoint-v0: [1, 2]", ["ToyWaypoint-v0 is [1, 2]", "keys and values"]),
        ("ToyWaypoint-v0:", ["ToyWaypoint-v0 is None", "keys and values"]),
        ("Other-v0: {n_timesteps: 3}", ["no hyperparameters of ToyWaypoint-v0", "Other-v0", "-conf"]),
        (f"ToyWaypoint-v0: {{{ENTRY}, n_stepz: 3}}", ["n_stepz", "did you mean n_steps?"]),
        ("ToyWaypoint-v0: {n_timesteps: 300}", ["policy is missing"]),
        (f"ToyWaypoint-v0: {{{ENTRY}, learning_rate: lin_fast}}", ["learning_rate is 'lin_fast'", "lin_1e-3"]),
        (f"ToyWaypoint-v0: {{{ENTRY}, callback: sb3_delta_waypoint.callbacks.Nope}}", ["'Nope'"]),
        (f"ToyWaypoint-v0: {{{ENTRY}, callback: nowhere.Callback}}", ["'nowhere'"]),
        (f"ToyWaypoint-v0: {{{ENTRY}, policy_kwargs: 'dict(a='}}", ["never closed"]),
    ],
)
def test_yaml(text, said, tmp_path):
    path = tmp_path / "mine.yml"
    path.write_text(text)
    error = refused(tmp_path, "-conf", path, "-n", 16)
    assert str(path) in error and all(words in error for words in said), error


def test_an_env_that_no_yaml_knows(tmp_path):
    error = refused(tmp_path, "--algo", "grpo", "--env", "Blackjack-v1")
    assert "no hyperparameters of grpo for Blackjack-v1" in error and "-conf" in error and "rl_zoo3/" not in error


@pytest.mark.parametrize("name", ["absent.yml", "absent.py", "no_such_module", "notes.txt", "."])
def test_yaml_that_is_not_there(name, tmp_path):
    assert f"-conf {name}: " in refused(tmp_path, "-conf", name)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("n_steps:abc", ["n_steps is 'abc'", "whole number from 1"]),
        ("n_steps:32.5", ["n_steps is 32.5", "whole number from 1"]),
        ("n_envs:0", ["n_envs is 0", "whole number from 1"]),
        ("n_epochs:'x'", ["n_epochs is 'x'", "whole number from 1"]),
        ("gamma:2", ["gamma is 2", "from 0 to 1"]),
        ("learning_rate:-1", ["learning_rate is -1", "expected a number"]),
        ("target_kl:'x'", ["target_kl is 'x'", "float"]),
        ("seed:3", ["seed", "--seed"]),
        ("policy_kwargs:3", ["policy_kwargs is 3", "keys and values"]),
        ("policy_kwargs:dict(colour=1)", ["'colour'"]),
        ("callback:3", ["-params"]),
        ("env_wrapper:'nowhere.Wrapper'", ["'nowhere'"]),
    ],
)
def test_params(setting, said, tmp_path):
    error = refused(tmp_path, "-n", 16, "--eval-freq", -1, *FEW, setting)
    assert all(words in error for words in said), error


@pytest.mark.filterwarnings("ignore:You passed a remote storage")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--env-kwargs", "start:3"], ["start=3", "mapping"]),
        (["--env-kwargs", "colour:1"], ["ToyWaypoint-v0", "'colour'"]),
        (["--env-kwargs", "routes:Town01.xodr"], ["Town01.xodr"]),
        (["--eval-env-kwargs", "start:3"], ["start=3", "mapping"]),
        (["--env", "CartPole-v1", "--env-kwargs", "colour:1"], ["CartPole-v1", "'colour'"]),
        (["-n", "-5"], ["-n -5", "-1 for the n_timesteps of the yaml"]),
        (["-n", "0"], ["-n 0", "at least 1"]),
        (["--eval-episodes", "0"], ["--eval-episodes 0", "at least 1"]),
        (["--n-eval-envs", "0"], ["--n-eval-envs 0", "at least 1"]),
        (["--log-interval", "0"], ["--log-interval 0"]),
        (["--device", "cuda:77"], ["device cuda:77", "cpu or auto"]),
        (["--device", "quantum"], ["device quantum", "cpu or auto"]),
        (["-optimize", "--n-trials", "0"], ["--n-trials 0"]),
        (["-optimize", "--n-trials", "1", "--storage", "nonsense"], ["cannot be tuned"]),
        (["-optimize", "--metric", "ade"], ["--metric", "-optimize"]),
        (["-optimize", "--max-episodes", "3"], ["--max-episodes", "-optimize"]),
        (["--env", "CartPole-v1", "--metric", "ade"], ["--metric", "reward"]),
    ],
)
def test_options(arguments, said, tmp_path):
    error = refused(tmp_path, *arguments)
    assert all(words in error for words in said), error


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--save-freq", "often"], ["--save-freq", "'often'"]),
        (["--vec-env", "thread"], ["--vec-env", "'thread'", "'subproc'"]),
        (["--colour", "red"], ["--colour"]),
        (["-params", "n_steps"], ["'-params'", "'n_steps'", "KEY:VALUE", "n_steps:64"]),
        (["--env-kwargs"], ["--env-kwargs"]),
        (["--env-kwargs", "route_length:20", "length"], ["'length'", "KEY:VALUE", "route_length:200"]),
    ],
)
def test_malformed_options(arguments, said, tmp_path):
    error = refused(tmp_path, *arguments, code=2)
    assert all(words in error for words in said), error


@pytest.mark.parametrize("content", [b"", b"not a zip"])
def test_continuing_from_what_is_no_model(content, tmp_path):
    path = tmp_path / "foreign.zip"
    path.write_bytes(content)
    assert f"-i {path} cannot go on as ppo" in refused(tmp_path, "-i", path, "-n", 16, "--eval-freq", -1, *FEW)


def test_enjoy_checks_its_device_too():
    result = CliRunner().invoke(main, ["enjoy", "--device", "cuda:77"])
    assert result.exit_code == 1 and "device cuda:77 is not available here" in result.stderr


@pytest.mark.parametrize(("name", "algorithm"), [("ppo", PPO), ("a2c", A2C), ("trpo", TRPO), ("grpo", GRPO)])
def test_hyperparameters_that_ship_pass(name, algorithm):
    for folder in (HYPERPARAMS, Path(rl_zoo3.__file__).parent / "hyperparams"):
        path = folder / f"{name}.yml"
        for env_id, hyperparams in yaml.safe_load(path.read_text()).items() if path.exists() else ():
            check_hyperparameters(algorithm, hyperparams, env_id)


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"ToyWaypoint-v0: {", "not readable as YAML"),
        (b"\xff\xfe\x00", "not readable as YAML"),
        (b"- ToyWaypoint-v0", r"holds \['ToyWaypoint-v0'\], expected hyperparameters by env"),
        (b"ToyWaypoint-v0: [n_steps, 3]", r"ToyWaypoint-v0 is \['n_steps', 3\], expected keys and values"),
        (b"", "holds None, expected hyperparameters by env"),
        (f"{BOMB}ToyWaypoint-v0: {{n_timesteps: *i}}".encode(), "more than 100,000 values"),
    ],
)
def test_a_broken_file_is_named(tmp_path, content, said):
    path = tmp_path / "own.yml"
    path.write_bytes(content)
    assert re.search(rf"own\.yml.*{said}", refused(tmp_path, "--algo", "ppo", "-conf", path))
