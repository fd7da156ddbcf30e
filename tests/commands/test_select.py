"""``select`` as a user calls it."""

import numpy as np
import pytest

from sb3_delta_waypoint.evaluation.rollout import Scenarios
from sb3_delta_waypoint.policies.inference import WaypointPolicy
from tests.command_line import call
from tests.commands.conftest import ON_SHORT_ROUTES, H, write_episode


@pytest.fixture(scope="module")
def ades(models):
    """The mean ADE of each checkpoint on the scenarios of these tests."""
    scenarios = Scenarios(8, 3, 8, env_kwargs={"route_length": 12, "horizon_steps": H})
    paths = sorted(models.glob("rl_model_*_steps.zip"))
    values = {path: scenarios.evaluate(WaypointPolicy(path))["ade"].mean() for path in paths}
    assert len(set(values.values())) == 3
    return values


def test_select_the_lowest(models, ades, tmp_path):
    checkpoints = models / "rl_model_*_steps.zip"
    arguments = ["select", "--checkpoints", checkpoints, "--metric", "ade", "--episodes", 8, "--seed", 3, *ON_SHORT_ROUTES]
    result = call(*arguments, "--output-best", tmp_path / "new" / "best.zip")
    assert result.exit_code == 0, result.output
    best = min(ades, key=ades.__getitem__)
    assert (tmp_path / "new" / "best.zip").read_bytes() == best.read_bytes()
    assert f"{best.name} ← best" in result.output
    # all checkpoints, by number of steps
    positions = [result.output.index(f"rl_model_{steps}_steps.zip") for steps in (900, 10_000, 20_000)]
    assert positions == sorted(positions)
    assert all(f"{ade:.3f}" in result.output for ade in ades.values())
    # under a constraint that the lowest does not meet
    bound = np.median(list(ades.values()))
    result = call(*arguments, "--where", f"ade>={bound - 1e-9}", "--output-best", tmp_path / "second.zip")
    assert result.exit_code == 0, result.output
    second = sorted(ades, key=ades.__getitem__)[1]
    assert (tmp_path / "second.zip").read_bytes() == second.read_bytes()


def test_select_looks_where_train_writes(models, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "out/logs/grpo/**/rl_model_*_steps.zip" in call("select").stderr
    folder = tmp_path / "out" / "logs" / "grpo" / "ToyWaypoint-v0_1" / "checkpoints"
    folder.mkdir(parents=True)
    (folder / "rl_model_900_steps.zip").write_bytes((models / "rl_model_900_steps.zip").read_bytes())
    result = call("select", "--episodes", 2, *ON_SHORT_ROUTES)
    assert result.exit_code == 0 and "best: out/logs/grpo/ToyWaypoint-v0_1/checkpoints/" in result.output, result.output


def test_select_writes_nothing_where_nothing_meets_the_constraint(models, tmp_path):
    best = tmp_path / "best.zip"
    best.write_bytes(b"of an earlier run")
    arguments = ["--checkpoints", models / "*.zip", "--metric", "ade", "--where", "success_rate>1", "--output-best", best]
    result = call("select", *arguments, "--episodes", 4, *ON_SHORT_ROUTES)
    assert result.exit_code == 1
    assert "none of the 3 checkpoints meets success_rate > 1" in result.output and "rl_model_900_steps.zip" in result.output
    assert best.read_bytes() == b"of an earlier run"


def test_select_open_loop(models, tmp_path):
    write_episode(tmp_path / "a.json")
    arguments = [
        "--checkpoints",
        models / "*.zip",
        "--metric",
        "ade",
        "--where",
        "fde<1000",
        "--eval-data",
        tmp_path / "*.json",
    ]
    result = call("select", *arguments)
    assert result.exit_code == 0, result.output
    assert "open-loop ADE" in result.output and "← best" in result.output


def test_select_bad_input(models, tmp_path):
    result = call("select", "--checkpoints", tmp_path / "*.zip", "--metric", "ade")
    assert result.exit_code == 1 and "no checkpoint matches" in result.output
    for arguments, message in (
        (["--metric", "adee"], "cannot rank by 'adee'"),
        (["--metric", "ade", "--where", "success_rate=0.9"], "success_rate>=0.9"),
        (["--metric", "open_loop_ade"], "unknown metric 'open_loop_ade'"),
    ):
        result = call("select", "--checkpoints", models / "*.zip", "--episodes", 1, *ON_SHORT_ROUTES, *arguments)
        assert result.exit_code == 1 and message in result.output, result.output


def spoilt(models, folder):
    """A folder with the checkpoints, of which the first is empty, the second cut off."""
    for index, path in enumerate(sorted(models.glob("rl_model_*.zip"))):
        content = path.read_bytes()
        (folder / path.name).write_bytes([b"", content[: len(content) // 2], content][index])
    return folder / "*.zip"


def test_select_passes_over_damaged_checkpoints(models, tmp_path):
    arguments = ["--checkpoints", spoilt(models, tmp_path), "--output-best", tmp_path / "out" / "best.zip"]
    result = call("select", *arguments, "--episodes", 4, *ON_SHORT_ROUTES)
    assert result.exit_code == 0, result.output
    assert result.stderr.count("skipped: ") == 2
    assert "rl_model_10000_steps.zip" in result.stderr and "rl_model_20000_steps.zip" in result.stderr
    left = "rl_model_900_steps.zip"
    assert f"best: {tmp_path / left} (by success_rate, in a tie route_completion, lateral_deviation_mean)" in result.stdout
    assert (tmp_path / "out" / "best.zip").read_bytes() == (models / left).read_bytes()


def test_select_with_nothing_but_damaged_checkpoints(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"")
    best = tmp_path / "best" / "best.zip"
    result = call("select", "--checkpoints", tmp_path / "*.zip", "--output-best", best, *ON_SHORT_ROUTES)
    assert result.exit_code == 1 and "none of the 1 files" in result.stderr and "a.zip" in result.stderr
    assert not (tmp_path / "best").exists()


def test_select_open_loop_needs_a_metric(models, tmp_path):
    result = call("select", "--checkpoints", models / "*.zip", "--eval-data", write_episode(tmp_path / "a.json"))
    assert result.exit_code == 2 and "--eval-data needs --metric" in result.stderr
