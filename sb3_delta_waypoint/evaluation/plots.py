"""Pictures of a comparison. Matplotlib is imported when one is drawn, without a display."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sb3_delta_waypoint.driving.metrics import HEADLINE, displacement_names, metric_info
from sb3_delta_waypoint.evaluation.compare import Comparison
from sb3_delta_waypoint.evaluation.trajectories import Trajectory, TrajectoryPair
from sb3_delta_waypoint.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SFT_COLOUR, RL_COLOUR = "#d55e00", "#0072b2"
"""Vermilion and blue of the Okabe-Ito palette, told apart by colour-blind readers and in grey."""
VERDICT_COLOURS = {"better": "#009e73", "worse": "#c1272d", "different": "#b8860b", "cannot tell": "#8a8a8a"}
INK, FAINT = "#333333", "#d9d9d9"


def plot_metrics(comparison: Comparison, path: str | Path) -> Path:
    """
    Draw the headline metrics: both means on the left and the paired difference on the right, with 95% intervals.

    :param comparison: of :func:`~sb3_delta_waypoint.evaluation.compare.compare`
    :param path: the PNG file
    :return: the path
    """
    metrics = comparison["metrics"]
    names = [name for name in HEADLINE if name in metrics] or list(metrics)[:8]
    figure, grid = _figure(len(names), 2, width=9.5, height=0.62 * len(names) + 1.1)
    for name, (left, right) in zip(names, grid, strict=True):
        metric, info = metrics[name], metric_info(name)
        for y, side, colour in ((0.25, metric["sft"], SFT_COLOUR), (-0.25, metric["rl"], RL_COLOUR)):
            _whisker(left, side["mean"], side["ci95"], y, colour)
        _whisker(right, metric["difference"]["mean"], metric["difference"]["ci95"], 0.0, VERDICT_COLOURS[metric["verdict"]])
        right.axvline(0.0, color=INK, linewidth=0.9, zorder=1)
        unit = f" ({info.unit})" if info.unit else ""
        left.set_ylabel(f"{info.label}{unit} {info.arrow}", color=INK, rotation=0, ha="right", va="center", labelpad=10)
        right.text(
            1.02, 0.5, metric["verdict"], transform=right.transAxes, va="center", color=VERDICT_COLOURS[metric["verdict"]]
        )
        for axes in (left, right):
            axes.set(yticks=[], ylim=(-0.75, 0.75))
            axes.margins(x=0.15)
            axes.locator_params(axis="x", nbins=5)
    grid[0][0].set_title("mean", color=INK)
    grid[0][1].set_title("paired difference, RL − SFT", color=INK)
    figure.legend(handles=_legend_handles(grid[0][0]), loc="outside lower center", ncols=2, frameon=False)
    figure.suptitle(f"{comparison['n_scenarios']} paired scenarios, 95% bootstrap intervals", color=INK)
    return _save(figure, path)


def plot_displacement(comparison: Comparison, path: str | Path, plan_dt: float | None = None) -> Path:
    """
    Draw the mean distance from the expert's plan along the horizon, with 95% intervals.

    :param comparison: one with ``displacement_<step>`` metrics
    :param path: the PNG file
    :param plan_dt: seconds between waypoints; None counts steps
    :return: the path
    """
    metrics = comparison["metrics"]
    names = displacement_names(metrics)
    ahead = np.arange(1, len(names) + 1) * (plan_dt or 1.0)
    figure, grid = _figure(1, 1, width=6.4, height=4.2)
    axes = grid[0][0]
    for key, label, colour in (("sft", "planner (SFT)", SFT_COLOUR), ("rl", "refined (RL)", RL_COLOUR)):
        sides: list[Any] = [metrics[name][key] for name in names]  # type: ignore[literal-required]
        low, high = np.array([side["ci95"] for side in sides]).T
        axes.fill_between(ahead, low, high, color=colour, alpha=0.2, linewidth=0)
        axes.plot(ahead, [side["mean"] for side in sides], color=colour, label=label, marker="o", markersize=3)
    open_loop = names[0].startswith("open_loop")
    axes.set(
        xlabel="seconds ahead" if plan_dt else "waypoint",
        ylabel="distance from the expert's plan (m)",
        title=f"{'Open loop: d' if open_loop else 'D'}isplacement by horizon, {comparison['n_scenarios']} scenarios",
        xlim=(0, None),
        ylim=(0, None),
    )
    axes.grid(color=FAINT, linewidth=0.6)
    axes.legend(frameon=False, loc="upper left")
    return _save(figure, path)


def plot_trajectories(pairs: Sequence[TrajectoryPair], path: str | Path) -> Path:
    """
    Draw what both policies drove in some scenarios: the whole route and, beside it, the place where the two lie farthest
    apart. A disc ends a drive that reached the goal, a cross one that did not.

    :param pairs: scenarios in the order of :func:`~sb3_delta_waypoint.evaluation.compare.most_different`, which puts gains
        into the left half and losses into the right
    :param path: the PNG file
    :return: the path
    """
    columns = min(2, len(pairs))
    rows = -(-len(pairs) // columns)
    figure, grid = _figure(rows, 2 * columns, width=6.4 * columns, height=3.3 * rows + 0.5)
    places = [row[2 * column : 2 * column + 2] for column in range(columns) for row in grid]
    for (whole, detail), pair in zip(places, pairs, strict=False):
        _draw_pair(whole, detail, pair)
    for unused in places[len(pairs) :]:
        for axes in unused:
            axes.set_visible(False)
    halves = "left: where RL gained most, right: where it lost most; " if columns == 2 else ""
    figure.supxlabel(f"{halves}metres, each route turned to lead from left to right", fontsize=9, color=INK)
    figure.legend(*grid[0][0].get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False)
    return _save(figure, path)


def _draw_pair(whole: "Axes", detail: "Axes", pair: TrajectoryPair) -> None:
    from matplotlib.ticker import MultipleLocator

    route = pair.sft.route
    # turned so that every route leads from left to right
    along = (route[-1] - route[0]) / max(float(np.hypot(*(route[-1] - route[0]))), 1e-9)
    turn = np.array([along, [-along[1], along[0]]]).T
    sft, rl = ((drive.path - route[0]) @ turn for drive in (pair.sft, pair.rl))
    for axes in (whole, detail):
        axes.plot(*((route - route[0]) @ turn).T, color=FAINT, linewidth=7, solid_capstyle="round", label="route", zorder=1)
        for points, drive, label, colour in (
            (sft, pair.sft, "planner (SFT)", SFT_COLOUR),
            (rl, pair.rl, "refined (RL)", RL_COLOUR),
        ):
            axes.plot(*points.T, color=colour, linewidth=1.6, label=label, zorder=3)
            marker = "o" if drive.success else "X"
            axes.plot(*points[-1], marker=marker, markersize=9, color=colour, markeredgecolor="white", zorder=4)
        axes.tick_params(labelsize=8)
    centre, half = _farthest_apart(sft, rl), 10.0
    whole.set_aspect("equal", adjustable="datalim")
    whole.add_patch(_square(centre, half))
    whole.set_title(f"scenario {pair.scenario}", fontsize=10, color=INK)
    detail.plot(*((route - route[0]) @ turn).T, color="#8a8a8a", linewidth=0.8, linestyle=(0, (6, 4)), zorder=2)
    detail.set_aspect("equal", adjustable="box")
    detail.set(xlim=(centre[0] - half, centre[0] + half), ylim=(centre[1] - half, centre[1] + half))
    for axis in (detail.xaxis, detail.yaxis):
        axis.set_major_locator(MultipleLocator(5.0))
    detail.spines[:].set(visible=True, color="#8a8a8a")
    detail.set_title(f"SFT {_outcome(pair.sft)}, RL {_outcome(pair.rl)}", fontsize=10, color=INK)


def _farthest_apart(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The point of the shorter path that is farthest from the other path, (2,)."""
    shorter, longer = sorted((first, second), key=lambda points: float(np.hypot(*np.diff(points, axis=0).T).sum()))
    distances = np.hypot(*(shorter[:, None] - longer[None]).transpose(2, 0, 1)).min(axis=1)
    return shorter[distances.argmax()]


def _square(centre: np.ndarray, half: float) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle(tuple(centre - half), 2 * half, 2 * half, fill=False, edgecolor="#8a8a8a", linewidth=0.8, zorder=2)


def _outcome(drive: Trajectory) -> str:
    return "goal" if drive.success else f"ends at {int(100 * drive.metrics['route_completion'])}%"


def _whisker(axes: "Axes", mean: float, interval: Sequence[float], y: float, colour: str) -> None:
    axes.plot(interval, [y, y], color=colour, linewidth=2.2, solid_capstyle="round", zorder=2)
    axes.plot([mean], [y], marker="o", markersize=6, color=colour, zorder=3)


def _legend_handles(axes: "Axes") -> list[Any]:
    return [
        axes.plot([], [], color=colour, marker="o", linewidth=2.2, label=label)[0]
        for label, colour in (("planner (SFT)", SFT_COLOUR), ("refined (RL)", RL_COLOUR))
    ]


def _figure(rows: int, columns: int, width: float, height: float) -> "tuple[Figure, list[list[Axes]]]":
    # a figure of its own, not pyplot's: no display, no global state
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", dpi=150)
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(color=INK, labelcolor=INK)
    return figure, grid.tolist()


def _save(figure: "Figure", path: str | Path) -> Path:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", facecolor="white")
    return write_atomically(path, buffer.getvalue())
