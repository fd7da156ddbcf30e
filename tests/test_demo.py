"""The main job in its short version, as the command runs it."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from sb3_delta_waypoint import GRPO, WaypointPolicy
from sb3_delta_waypoint.cli import main

SHORT = ["--timesteps", "16384", "--episodes", "40"]


def run(*arguments: str) -> str:
    result = CliRunner().invoke(main, ["demo", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_demo_writes_everything_that_it_promises(tmp_path: Path) -> None:
    output = run("--out", str(tmp_path), "--demonstrations", "2", *SHORT)
    comparison = json.loads((tmp_path / "comparison.json").read_text())
    assert comparison["n_scenarios"] == 40
    assert {"success_rate", "ade", "fde"} <= set(comparison["metrics"])
    for name in ("metrics.png", "displacement.png", "trajectories.png", "comparison.md"):
        assert (tmp_path / name).stat().st_size > 0
        assert str(tmp_path / name) in output
    assert comparison["verdict"].split()[0] in output
    assert len(list((tmp_path / "episodes").glob("*.json"))) == 2
    run_folder = tmp_path / "logs" / "grpo" / "ToyWaypoint-v0_1"
    for name in ("config.json", "metrics.json", "train_metrics.json"):
        json.loads((run_folder / name).read_text())
    evaluations = np.load(run_folder / "evaluations.npz")
    assert evaluations["timesteps"][0] == 0 and evaluations["results"].shape[1] == 40

    os.remove(tmp_path / "sft" / "model.pt")
    observation = {"state": np.zeros(4, np.float32), "route": np.zeros((10, 2), np.float32)}
    plan = WaypointPolicy(run_folder / "best_model.zip")(observation)
    assert (GRPO.load(run_folder / "best_model").predict(observation, deterministic=True)[0] == plan).all()


def test_demo_on_real_roads(tmp_path: Path, shared_data) -> None:
    pytest.importorskip("carla")
    towns = [str(shared_data(name)) for name in ("Town01.xodr", "Town02.xodr")]
    arguments = ["--routes", towns[0], "--eval-routes", towns[1], "--demonstrations", "3"]
    output = run("--out", str(tmp_path), *arguments, *SHORT)
    for path in (tmp_path / "comparison.json", tmp_path / "Town02" / "comparison.json"):
        assert json.loads(path.read_text())["n_scenarios"] == 40
    assert "Town02" in output


def test_a_missing_map_is_named_before_anything_is_written(tmp_path: Path) -> None:
    arguments = ["demo", "--out", str(tmp_path / "out"), "--eval-routes", "Nowhere.xodr"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1 and "Nowhere.xodr" in result.output
    assert not (tmp_path / "out").exists()
