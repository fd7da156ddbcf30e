"""``compare`` as a user calls it."""

import json

import pytest

from sb3_delta_waypoint.sft.checkpoint import save_planner
from sb3_delta_waypoint.sft.planners import SFTWaypointModel
from tests.command_line import call
from tests.commands.conftest import ON_SHORT_ROUTES, H, write_predictions


@pytest.mark.usefixtures("undrawn")
def test_compare_models(models, tmp_path):
    rl, out = models / "rl_model_20000_steps.zip", tmp_path / "comparison"
    result = call("compare", "--sft", models / "model.pt", "--rl", rl, "--episodes", 24, "--out", out, *ON_SHORT_ROUTES)
    assert result.exit_code == 0, result.output
    comparison = json.loads((out / "comparison.json").read_text())
    assert comparison["n_scenarios"] == 24
    assert comparison["metrics"]["ade"]["sft"] != comparison["metrics"]["ade"]["rl"]
    assert " ".join(comparison["verdict"].split()) in " ".join(result.output.split())
    for name in ("comparison.json", "comparison.md", "metrics.png", "displacement.png", "trajectories.png"):
        assert (out / name).is_file() and str(out / name) in result.output
    # without --sft the planner inside the model is meant
    inside = tmp_path / "inside"
    result = call("compare", "--rl", rl, "--episodes", 24, "--out", inside, *ON_SHORT_ROUTES)
    assert result.exit_code == 0, result.output
    assert json.loads((inside / "comparison.json").read_text()) == comparison


@pytest.mark.usefixtures("undrawn")
def test_compare_says_when_it_cannot_tell(models, tmp_path):
    rl = models / "rl_model_900_steps.zip"  # its residual is zero
    result = call("compare", "--rl", rl, "--episodes", 20, "--out", tmp_path, *ON_SHORT_ROUTES)
    assert result.exit_code == 0, result.output
    assert "cannot tell the two apart" in " ".join(result.output.split())


@pytest.mark.usefixtures("undrawn")
def test_compare_predictions(models, tmp_path):
    sft, rl = (write_predictions(tmp_path / f"{name}.json", error) for name, error in (("sft", 1.0), ("rl", 0.5)))
    result = call("compare", "--sft", sft, "--rl", rl, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    comparison = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert comparison["metrics"]["open_loop_fde"]["verdict"] == "better"
    assert comparison["metrics"]["open_loop_fde"]["difference"]["mean"] == pytest.approx(-0.5)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "comparison.json",
        "comparison.md",
        "displacement.png",
        "metrics.png",
    ]
    for arguments in (["--rl", rl], ["--sft", models / "model.pt", "--rl", rl], ["--sft", sft, "--rl", models / "model.pt"]):
        result = call("compare", *arguments, "--out", tmp_path / "none")
        assert result.exit_code == 2 and "both as .json files" in result.output
    other = write_predictions(tmp_path / "other.json", 0.5, episodes=26)
    result = call("compare", "--sft", sft, "--rl", other, "--out", tmp_path / "none")
    assert result.exit_code == 1 and "('e25', t = 0.1 s)" in result.output
    assert not (tmp_path / "none").exists()


def test_compare_plans_of_two_lengths(models, tmp_path):
    for planner, named in (({"horizon_steps": 3}, "other.pt plans 3 steps of 0.1 s"), ({"plan_dt": 0.2}, "steps of 0.2 s")):
        save_planner(SFTWaypointModel(**{"horizon_steps": H, "hidden_dims": (8,), **planner}), tmp_path / "other.pt")
        result = call(
            "compare", "--sft", tmp_path / "other.pt", "--rl", models / "rl_model_900_steps.zip", "--out", tmp_path / "out"
        )
        assert result.exit_code == 1 and named in result.output
    assert not (tmp_path / "out").exists()
