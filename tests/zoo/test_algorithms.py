"""The algorithms that refine planners, each with its yaml and its sampler; all others are refused."""

import inspect
import json

import gymnasium as gym
import numpy as np
import optuna
import pytest
import yaml

pytest.importorskip("rl_zoo3")

import rl_zoo3.utils
from stable_baselines3.common.vec_env import SubprocVecEnv

from sb3_delta_waypoint import GRPO, zoo
from sb3_delta_waypoint.callbacks import BoundedSchedulesCallback
from sb3_delta_waypoint.envs.hard_scenarios import write_hard_scenarios
from sb3_delta_waypoint.zoo.algorithms import OTHER_ALGORITHMS
from sb3_delta_waypoint.zoo.hyperparameters import HYPERPARAMS
from tests.command_line import FEW_GROUPS, GROUPS, SHORT, call, failed, succeeded

YAML = {algo: yaml.safe_load((HYPERPARAMS / f"{algo}.yml").read_text()) for algo in zoo.ALGORITHMS}
OTHERS = sorted(set(rl_zoo3.utils.ALGOS) - set(zoo.ALGORITHMS))


def test_the_command_line_names_them_all():
    assert sorted(OTHER_ALGORITHMS) == OTHERS
    assert set(zoo.ALGORITHMS) == {path.stem for path in HYPERPARAMS.glob("*.yml")}
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
    _, sampler, converter = zoo.ALGORITHMS[algo]
    algorithm = zoo.ALGORITHMS[algo].load()
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
    model = zoo.ALGORITHMS[algo].load().load(run / "ToyWaypoint-v0.zip")
    assert model.gamma == YAML[algo]["ToyWaypoint-v0"]["gamma"]
    enjoyed = call("enjoy", *command[:4], "--no-render", "-n", 2)
    assert enjoyed.exit_code == 0, enjoyed.output


@pytest.mark.parametrize("algo", OTHERS)
def test_others_are_refused_before_anything_is_recorded(algo, tmp_path):
    result = call("train", "--algo", algo, "-f", tmp_path / "logs", "-n", 64)
    assert result.exit_code == 1
    said = f"Error: --algo {algo} does not refine planners: ToyWaypoint-v0 takes grpo, ppo, a2c, trpo"
    assert result.stderr.splitlines() == [said]
    assert not (tmp_path / "logs").exists()


def test_the_demo_refuses_them_before_it_records(tmp_path):
    result = call("demo", "--algo", "sac", "--out", tmp_path / "out")
    assert result.exit_code == 2 and "'sac' is not one of" in result.stderr
    assert not (tmp_path / "out").exists()


def test_an_unknown_name(tmp_path):
    result = call("train", "--algo", "reinforce", "-f", tmp_path / "logs")
    assert result.exit_code == 1
    assert "--algo reinforce" in result.stderr and "envs of this package take grpo, ppo, a2c, trpo" in result.stderr


def test_other_envs_take_any_algorithm(tmp_path):
    params = ["buffer_size:100", "learning_starts:10", "policy_kwargs:dict(net_arch=[8])"]
    result = call(
        *("train", "--algo", "dqn", "--env", "CartPole-v1", "-f", tmp_path, "-n", 50, "--eval-freq", -1),
        *("--num-threads", 1, "-params", *params),
    )
    assert result.exit_code == 0, result.output
    assert (tmp_path / "dqn" / "CartPole-v1_1" / "CartPole-v1.zip").exists()


def model_of(logs, env="ToyWaypoint-v0"):
    return GRPO.load(logs / "grpo" / f"{env}_1" / f"{env}.zip")


def test_grpo(planner, tmp_path):
    command = ["--sft", planner, "-f", tmp_path, "-n", 500, "--eval-freq", 400, *SHORT, *FEW_GROUPS]
    output = succeeded("train", *GROUPS, *command)
    assert str(HYPERPARAMS / "grpo.yml") in output
    run = tmp_path / "grpo" / "ToyWaypoint-v0_1"
    assert json.loads((run / "config.json").read_text())["run_id"].startswith("grpo-delta-")
    training = json.loads((run / "train_metrics.json").read_text())
    assert training["iterations"][0]["kl_to_sft"] is not None and training["total_timesteps"] >= 500
    model = model_of(tmp_path)
    assert model.group_size == 4 and model.advantage == "process" and model.n_trained_transitions > 0
    output = succeeded("enjoy", *GROUPS[:2], "-f", tmp_path, "--load-best", "--no-render", "-n", 150)
    assert "Success rate" in output
    # beside PPO
    succeeded("train", "--algo", "ppo", *command[:-1])
    output = succeeded("all-plots", "-f", tmp_path, "-k", "successes", "--picture", tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG") and "ToyWaypoint-v0" in output


def test_grpo_in_processes(planner, tmp_path, monkeypatch):
    """Single envs that reset in their workers play groups all the same."""
    monkeypatch.setattr(SubprocVecEnv.__init__, "__defaults__", ("fork",))  # a server of forks imports everything again
    few = [*FEW_GROUPS, "n_envs:2", "env_wrapper:'gymnasium.wrappers.NormalizeReward'"]
    command = ["--sft", planner, "-f", tmp_path, "-n", 128, "--eval-freq", -1, "--vec-env", "subproc", *SHORT]
    succeeded("train", *GROUPS, *command, *few)
    assert model_of(tmp_path).n_trained_transitions > 0


@pytest.mark.filterwarnings("ignore:total_timesteps=.* is over before the first update")
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


def test_groups_that_begin_in_a_state_and_a_mixture_of_hard_scenarios(tmp_path):
    """From yaml: monitor.csv has whole episodes only, and evaluations play neither."""
    hard = write_hard_scenarios(tmp_path / "hard.json", 7, np.array([3, 17]))
    entry = YAML["grpo"]["ToyWaypoint-v0"] | {"group_start": "state", "state_share": 0.5}
    entry |= {"env_kwargs": {"route_length": 20, "hard_scenarios": str(hard), "hard_share": 0.4}}
    config = tmp_path / "grpo.yml"
    config.write_text(yaml.safe_dump({"ToyWaypoint-v0": entry | {"n_timesteps": 1200.0}}))
    options = ("--conf-file", config, "--eval-episodes", "8", "--n-eval-envs", "4", "--eval-freq", "400", "-f", tmp_path)
    succeeded("train", *GROUPS, *FEW_GROUPS, *options)
    run = tmp_path / "grpo" / "ToyWaypoint-v0_1"
    settings = json.loads((run / "config.json").read_text())
    assert settings["hyperparameters"]["group_start"] == "state" and settings["env_kwargs"]["hard_share"] == 0.4
    lengths = [int(line.split(",")[1]) for line in (run / "monitor.csv").read_text().splitlines()[2:]]
    metrics = json.loads((run / "train_metrics.json").read_text())
    assert metrics["total_episodes"] == len(lengths) > 4
    assert sum(lengths) < 0.9 * metrics["total_timesteps"], "the rest belongs to episodes that began in a state"
    arguments = yaml.unsafe_load((run / "ToyWaypoint-v0" / "args.yml").read_text())
    assert arguments["env_kwargs"] == {"route_length": 20}
