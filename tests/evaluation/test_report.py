"""What people see: tables that fit, Markdown, and pictures that are pictures."""

import io
import json

import numpy as np
import pytest
from matplotlib.text import Text
from rich.console import Console

from sb3_delta_waypoint.evaluation import plots
from sb3_delta_waypoint.evaluation.compare import compare
from sb3_delta_waypoint.evaluation.plots import plot_trajectories
from sb3_delta_waypoint.evaluation.report import comparison_table, markdown, selection_table, summary_table, write_report
from sb3_delta_waypoint.evaluation.statistics import summarise_all
from sb3_delta_waypoint.evaluation.trajectories import Trajectory, TrajectoryPair

N = 60
PNG = b"\x89PNG\r\n\x1a\n"


def metrics(shift, seed):
    generator = np.random.default_rng(seed)
    names = ["success", "ade", "fde", "route_completion", "waypoint_hit_rate", "lateral_deviation_mean", "jerk_mean"]
    values = {name: generator.gamma(2.0, 1.0, size=N) + shift for name in [*names, "displacement_1", "displacement_2"]}
    return values | {"episode_reward": -1000.0 * generator.random(N)}


@pytest.fixture(scope="module")
def comparison():
    return compare(metrics(3.0, 0), metrics(0.0, 1))


def shown(table, width=100):
    console = Console(width=width, file=io.StringIO())
    console.print(table)
    return console.file.getvalue()


def drive(success, bend, completion=0.6):
    along = np.arange(60.0)
    path = np.column_stack([along, bend * along**2])
    outcome = {"success": success, "route_completion": completion, "lateral_deviation_mean": bend}
    return Trajectory(path, np.column_stack([along, np.zeros(60)]), np.zeros((59, 20, 2)), outcome)


def test_table_fits_100_columns_with_the_headline_first(comparison):
    text = shown(comparison_table(comparison))
    assert "…" not in text and max(map(len, text.splitlines())) <= 100
    order = ["success rate", "ADE ↓", "FDE ↓", "route completion", "waypoint hit rate", "lateral deviation", "reward ↑"]
    positions = [text.index(label) for label in order]
    assert positions == sorted(positions)
    assert "jerk" not in text
    ade = comparison["metrics"]["ade"]
    line = next(line for line in text.splitlines() if line.lstrip().startswith("ADE"))
    for value in (ade["sft"]["mean"], ade["rl"]["median"], ade["rl"]["iqm"], ade["difference"]["mean"]):
        assert f"{value:.2f}" in line
    assert line.rstrip().endswith("better")


def test_markdown_holds_every_metric(comparison):
    text = markdown(comparison)
    assert comparison["verdict"] in text
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(rows) == 1 + len(comparison["metrics"])
    assert len({row.count("|") for row in rows}) == 1
    assert "| displacement at step 2 (m) ↓ |" in rows[-1]


def test_report_files(comparison, tmp_path):
    pair = TrajectoryPair(7, drive(0.0, 0.01), drive(1.0, 0.0))
    files = write_report(comparison, tmp_path / "new", 0.1, [pair] * 3)
    names = ["comparison.json", "comparison.md", "metrics.png", "displacement.png", "trajectories.png"]
    assert [file.name for file in files] == names
    assert sorted(file.name for file in (tmp_path / "new").iterdir()) == sorted(names)
    assert json.loads(files[0].read_text()) == comparison
    assert "![trajectories](trajectories.png)" in files[1].read_text()
    assert all(file.read_bytes().startswith(PNG) and file.stat().st_size > 10_000 for file in files[2:])


def test_report_without_horizon_and_trajectories(tmp_path):
    comparison = compare({"ade": np.full(3, np.nan)}, {"ade": np.ones(3)})
    files = write_report(comparison, tmp_path)
    assert [file.name for file in files] == ["comparison.json", "comparison.md", "metrics.png"]
    assert json.loads(files[0].read_text())["metrics"]["ade"]["sft"]["mean"] is None
    assert "–" in files[1].read_text()


def drawn(pairs, monkeypatch):
    """The words in the picture of some trajectories."""
    figures = []
    monkeypatch.setattr(plots, "_save", lambda figure, path: figures.append(figure))
    plot_trajectories(pairs, "unused.png")
    return [text.get_text() for text in figures[0].findobj(Text) if text.get_text()]


def test_trajectories_name_what_they_rank_by_and_show_losses_only_where_there_are_some(monkeypatch):
    near, far, short = drive(1.0, 0.0, 1.0), drive(1.0, 0.01, 1.0), drive(0.0, 0.02, 0.3)
    gains = [TrajectoryPair(1, short, near), TrajectoryPair(2, far, near)]
    words = drawn(gains, monkeypatch)
    assert {"reached the goal", "did not reach it"} <= set(words)
    assert {"Where RL gained most", "RL lost nowhere:\nits smallest gains"} <= set(words)
    assert {"route completion: SFT 30.0%, RL 100.0%", "lateral deviation: SFT 0.01 m, RL 0.00 m"} <= set(words)
    words = drawn([*gains, TrajectoryPair(3, near, far)], monkeypatch)
    assert {"Where RL gained most", "Where RL lost most"} <= set(words)
    assert words[words.index("Where RL lost most") + 1] == "scenario 3"
    words = drawn([TrajectoryPair(3, near, far), TrajectoryPair(4, near, short)], monkeypatch)
    assert {"RL gained nowhere:\nits smallest losses", "Where RL lost most"} <= set(words)


def test_summary_table():
    text = shown(summary_table(summarise_all(metrics(0.0, 0)), "title"))
    assert "ADE (m) ↓" in text and "mean jerk" in text and "displacement" not in text


def test_selection_table_marks_the_best():
    evaluations = [{"ade": 0.5, "success_rate": 0.8}, {"ade": 0.4, "success_rate": 0.95}]
    text = shown(selection_table(["logs/a/1.zip", "logs/b/2.zip"], evaluations, "ade", {"success_rate": (">=", 0.9)}, 1))
    assert "b/2.zip ← best" in text and "a/1.zip" in text and "logs/a" not in text
    assert "0.400" in text and "0.950" in text
