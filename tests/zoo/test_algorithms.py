"""The algorithms that refine planners, each with its yaml and its sampler; all others are refused."""

import inspect

import optuna
import pytest
import yaml
from click.testing import CliRunner

pytest.importorskip("rl_zoo3")

import rl_zoo3.utils

from sb3_delta_waypoint import zoo
from sb3_delta_waypoint.callbacks import BoundedSchedulesCallback
from sb3_delta_waypoint.cli import main
from sb3_delta_waypoint.commands.zoo_command import ALGORITHMS
from sb3_delta_waypoint.zoo.manager import HYPERPARAMS

YAML = {algo: yaml.safe_load((HYPERPARAMS / f"{algo}.yml").read_text()) for algo in zoo.ALGORITHMS}
OTHERS = sorted(set(rl_zoo3.utils.ALGOS) - set(zoo.ALGORITHMS))


def call(*args):
    return CliRunner().invoke(main, [str(arg) for arg in args])


def test_the_command_line_names_them_all():
    assert set(ALGORITHMS) == set(zoo.ALGORITHMS) == {path.stem for path in HYPERPARAMS.glob("*.yml")}
    for command in ("train", "demo"):
        output = call(command, "--help").output
        assert all(algo in output for algo in zoo.ALGORITHMS)


@pytest.mark.parametrize(("algo", "env"), [(algo, env) for algo, envs in YAML.items() for env in envs])
def test_every_entry_bounds_its_schedules_and_plain_rl_zoo3_can_read_it(algo, env):
    entry = YAML[algo][env]
    callbacks = rl_zoo3.utils.get_callback_list(entry)
    assert isinstance(callbacks[-1], BoundedSchedulesCallback)
    assert isinstance(entry.get("env_kwargs", {}), dict)


def test_every_algorithm_knows_the_envs_of_this_package():
    assert all({"ToyWaypoint-v0", "CarlaWaypoint-v0"} <= set(envs) for envs in YAML.values())


@pytest.mark.parametrize("algo", list(zoo.ALGORITHMS))
def test_samplers_draw_arguments_of_the_algorithm(algo):
    algorithm, sampler, converter = zoo.ALGORITHMS[algo]
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    for _ in range(5):
        trial = study.ask()
        drawn = sampler(trial, 20, 4, {})
        assert set(drawn) <= set(inspect.signature(algorithm).parameters) - {"policy", "policy_kwargs", "env"}
        assert converter(trial.params) == drawn


@pytest.mark.filterwarnings("ignore:You have specified a mini-batch size")
@pytest.mark.parametrize("algo", ["a2c", "trpo"])
def test_train_and_enjoy(algo, tmp_path):
    command = ["--algo", algo, "-f", tmp_path, "--env-kwargs", "route_length:20"]
    trained = call("train", *command, "-n", 64, "--eval-freq", -1, "--num-threads", 1, "-params", "n_envs:2")
    assert trained.exit_code == 0 and str(HYPERPARAMS / f"{algo}.yml") in trained.output, trained.output
    run = tmp_path / algo / "ToyWaypoint-v0_1"
    model = zoo.ALGORITHMS[algo].algorithm.load(run / "ToyWaypoint-v0.zip")
    assert model.gamma == YAML[algo]["ToyWaypoint-v0"]["gamma"]
    enjoyed = call("enjoy", *command[:4], "--no-render", "-n", 2)
    assert enjoyed.exit_code == 0, enjoyed.output


@pytest.mark.parametrize("algo", OTHERS)
def test_others_are_refused_before_anything_is_recorded(algo, tmp_path):
    result = call("train", "--algo", algo, "-f", tmp_path / "logs", "-n", 64)
    assert result.exit_code == 1
    said = f"Error: --algo {algo} does not refine planners: ToyWaypoint-v0 takes ppo, grpo, a2c, trpo"
    assert result.stderr.splitlines() == [said]
    assert not (tmp_path / "logs").exists()


def test_the_demo_refuses_them_before_it_records(tmp_path):
    result = call("demo", "--algo", "sac", "--out", tmp_path / "out")
    assert result.exit_code == 2 and "'sac' is not one of" in result.stderr
    assert not (tmp_path / "out").exists()


def test_an_unknown_name(tmp_path):
    result = call("train", "--algo", "reinforce", "-f", tmp_path / "logs")
    assert result.exit_code == 1
    assert "'reinforce'" in result.stderr and "envs of this package take ppo, grpo, a2c, trpo" in result.stderr


def test_other_envs_take_any_algorithm(tmp_path):
    params = ["buffer_size:100", "learning_starts:10", "policy_kwargs:dict(net_arch=[8])"]
    result = call(
        *("train", "--algo", "dqn", "--env", "CartPole-v1", "-f", tmp_path, "-n", 50, "--eval-freq", -1),
        *("--num-threads", 1, "-params", *params),
    )
    assert result.exit_code == 0, result.output
    assert (tmp_path / "dqn" / "CartPole-v1_1" / "CartPole-v1.zip").exists()
