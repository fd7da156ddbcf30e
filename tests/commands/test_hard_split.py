"""``hard-split``, and the commands that play its scenarios."""

import json

import numpy as np
import pytest

from sb3_delta_waypoint.evaluation import hard_split
from sb3_delta_waypoint.evaluation.rollout import Scenarios
from sb3_delta_waypoint.policies.inference import WaypointPolicy
from tests.command_line import call, failed, succeeded
from tests.commands.conftest import ON_SHORT_ROUTES, H


@pytest.fixture
def split(models, tmp_path, monkeypatch):
    """A list of scenarios of seed 6, chosen by three models; planners here are so bad that the bound is that of a half."""
    monkeypatch.chdir(tmp_path)
    scores = iter((0.4, 0.9, 0.4))

    def evaluate(self, policy, progress=False):
        bound = next(scores)
        return {"closed_loop_score": np.where(np.arange(self.n) % 3, 100.0, 100.0 * bound), "success_rate": np.ones(self.n)}

    with monkeypatch.context() as patched:
        patched.setattr(Scenarios, "evaluate", evaluate)
        text = succeeded(
            *("hard-split", "--models", *sorted(models.glob("*.zip")), "--episodes", 10, "--seed", 6, *ON_SHORT_ROUTES)
        )
    assert "4 of 10 scenarios are hard" in text
    return tmp_path / "out" / "hard_split.json"


def test_the_split_is_written_once_and_played_exactly(models, split, tmp_path):
    content = json.loads(split.read_text())
    assert content["numbers"] == [0, 3, 6, 9] and content["seed"] == 6 and content["env_kwargs"] == {"route_length": 12}
    assert sorted(content["planners"]) == sorted(map(str, models.glob("*.zip")))
    expected = Scenarios(10, 6, env_kwargs={"route_length": 12, "horizon_steps": H}).evaluate(
        WaypointPolicy(models / "model.pt")
    )
    for flag in (["--hard"], ["--scenarios", split]):
        succeeded("evaluate", "--model", models / "model.pt", *flag, "--n-envs", 3, "--out", "metrics.json")
        written = json.loads((tmp_path / "metrics.json").read_text())
        assert (written["seed"], written["scenarios"], written["n_scenarios"]) == (6, [0, 3, 6, 9], 4)
        assert written["metrics"]["ade"]["mean"] == pytest.approx(expected["ade"][[0, 3, 6, 9]].mean())


@pytest.mark.usefixtures("undrawn")
def test_compare_on_the_split(models, split):
    succeeded("compare", "--rl", models / "rl_model_20000_steps.zip", "--hard", "--reference", "--out", "comparison")
    comparison = json.loads((split.parents[1] / "comparison" / "comparison.json").read_text())
    assert comparison["n_scenarios"] == 4 and "time_ratio" in comparison["metrics"]


def test_the_file_decides_what_is_played(models, split):
    for flag in (["--seed", 3], ["--episodes", 3], ["--env", "ToyWaypoint-v0"], ["--routes", "Town01.xodr"]):
        result = call("evaluate", "--model", models / "model.pt", "--hard", *flag)
        assert (
            result.exit_code == 2 and f"brings its own env, arguments, seed and numbers: leave out {flag[0]}" in result.output
        )
    result = call("evaluate", "--model", models / "model.pt", "--scenarios", "nowhere.json")
    failed(result, "no list of scenarios nowhere.json")


def test_nothing_is_written_where_nothing_is_hard(models, tmp_path, monkeypatch):
    monkeypatch.setattr(hard_split, "hard_numbers", lambda results, at_least: [])
    model = models / "model.pt"
    out = tmp_path / "hard.json"
    result = call("hard-split", "--models", model, model, "--episodes", 2, "--out", out, *ON_SHORT_ROUTES)
    failed(result, "in none of 2 scenarios 2 of the 2 models fail: nothing written")
    assert not out.exists()
    result = call("hard-split", "--models", model, "--out", out)
    assert result.exit_code == 2 and "--at-least 2: there are only 1 --models" in result.output
