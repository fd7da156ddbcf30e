"""The main job in its short version, as the command runs it."""

import importlib
import json
import os
import signal
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from sb3_delta_waypoint import GRPO, WaypointPolicy, demo
from sb3_delta_waypoint.cli import main
from sb3_delta_waypoint.demo import _places

SHORT = ["--timesteps", "16384", "--episodes", "40"]


@pytest.fixture
def short_sft(monkeypatch) -> None:
    """The planner is trained for a tenth of its steps."""
    monkeypatch.setattr(demo, "train_sft", partial(demo.train_sft, num_steps=200))


def run(*arguments: str) -> str:
    result = CliRunner().invoke(main, ["demo", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.usefixtures("short_sft")
@pytest.mark.filterwarnings("ignore:rich is experimental")
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


@pytest.mark.usefixtures("short_sft", "undrawn")
@pytest.mark.filterwarnings("ignore:rich is experimental")
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


def test_maps_of_one_name_have_a_folder_each() -> None:
    places = _places("maps/Town01.xodr", ["a/Town01.xodr", "b/Town01.xodr", "a/Town01.xodr", "b/sft.xodr", "c/*.json"])
    assert list(places.values()) == ["maps/Town01.xodr", "a/Town01.xodr", "b/Town01.xodr", "b/sft.xodr", "c/*.json"]
    assert list(places) == ["Town01", "a_Town01", "b_Town01", "b_sft", "_"]
    assert list(_places(None, ["x/a/Town.xodr", "y/a/Town.xodr", "z/a/Town.xodr"])) == [
        "synthetic",
        "Town",
        "a_Town",
        "a_Town_2",
    ]


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("when", "said"), [("sft.training._fit", "sft/model.pt"), ("episodes.recorder._drive", "nothing was")]
)
def test_sigterm_leaves_what_is_complete_and_says_where(when: str, said: str, tmp_path: Path, monkeypatch) -> None:
    module, _, name = f"sb3_delta_waypoint.{when}".rpartition(".")
    function = getattr(importlib.import_module(module), name)

    def terminated(*arguments):
        result = function(*arguments)
        if when.startswith("episodes"):
            signal.raise_signal(signal.SIGTERM)
            return result
        return interrupting(result)

    def interrupting(rows):
        yield next(rows)
        signal.raise_signal(signal.SIGTERM)
        yield from rows

    monkeypatch.setattr(f"{module}.{name}", terminated)
    result = CliRunner().invoke(main, ["demo", "--out", str(tmp_path / "demo"), "--demonstrations", "2", *SHORT])
    assert result.exit_code == 143, result.output
    assert result.stderr.strip().splitlines()[-1].startswith("Interrupted; ") and said in result.stderr
    if "model.pt" in said:
        WaypointPolicy(tmp_path / "demo" / "sft" / "model.pt")
