"""The experiment manager: schedules without a callback in the yaml, and env arguments that are not evaluated."""

import pytest
import yaml

pytest.importorskip("rl_zoo3")

from stable_baselines3.common.base_class import BaseAlgorithm

from sb3_delta_waypoint.zoo.hyperparameters import HYPERPARAMS
from tests.command_line import TINY, call, failed, succeeded

QUICK = ["--algo", "ppo", "--eval-freq", "-1", "--num-threads", "1"]
FEW = ["-params", "n_envs:2", "n_steps:8", "batch_size:16"]


@pytest.fixture
def entry():
    return yaml.safe_load((HYPERPARAMS / "ppo.yml").read_text())["ToyWaypoint-v0"]


def conf(path, entry):
    path.write_text(yaml.safe_dump({"ToyWaypoint-v0": entry}))
    return path


@pytest.fixture
def rates(monkeypatch):
    """The learning rates of all updates."""
    given = []
    original = BaseAlgorithm._update_learning_rate

    def spy(self, optimizer):
        original(self, optimizer)
        given.append(optimizer.param_groups[0]["lr"])

    monkeypatch.setattr(BaseAlgorithm, "_update_learning_rate", spy)
    return given


def test_no_schedule_goes_below_zero(entry, rates, tmp_path):
    """Neither in a yaml of the user's that names no callback, nor in rl_zoo3's own."""
    del entry["callback"]
    entry.update(n_envs=2, n_steps=8, batch_size=16)
    result = call("train", "-conf", conf(tmp_path / "mine.yml", entry), "-f", tmp_path, "-n", 17, *QUICK)
    assert result.exit_code == 0 and len(rates) == 2 and rates[-1] == 0.0, result.output
    result = call("train", "--env", "CartPole-v1", "-f", tmp_path, "-n", 17, *QUICK, *FEW)
    assert result.exit_code == 0 and len(rates) == 4 and rates[-1] == 0.0, result.output


def test_a_budget_that_the_warm_up_eats(tmp_path):
    with pytest.warns(
        UserWarning, match=r"none of their updates .* warm-up \(warmup_steps=20000\).* train for \d+ steps"
    ) as said:
        assert call("train", "-f", tmp_path, "-n", 20, *QUICK, *FEW).exit_code == 0
    assert sum("can move the policy" in str(warning.message) for warning in said) == 1


@pytest.mark.parametrize("env_kwargs", ["dict(route_length=20)", "__import__('pathlib').Path('evaluated').touch()", [20]])
def test_env_kwargs_are_a_mapping_and_not_evaluated(env_kwargs, entry, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    entry["env_kwargs"] = env_kwargs
    result = call("train", "-conf", conf(tmp_path / "mine.yml", entry), "-f", tmp_path / "logs", "-n", 17, *QUICK)
    assert result.exit_code == 1
    (error,) = result.stderr.splitlines()
    assert "mine.yml, -params): env_kwargs is " in error and "expected a mapping, such as {route_length: 200}" in error
    assert not (tmp_path / "evaluated").exists() and not list(tmp_path.glob("logs/*/*"))


def test_normalised_observations_are_refused(planner, tmp_path):
    command = ["train", "--sft", planner, "-f", tmp_path, "-n", 128, *TINY]
    failed(call(*command, "normalize:True"), "norm_obs=False", "In the yaml")
    assert not (tmp_path / "ppo").exists()
    succeeded(*command, "normalize:dict(norm_obs=False)")
    assert (tmp_path / "ppo" / "ToyWaypoint-v0_1" / "ToyWaypoint-v0" / "vecnormalize.pkl").exists()
