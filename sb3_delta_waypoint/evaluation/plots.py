"""Plots of a comparison. Matplotlib is imported only when one is drawn, and needs no display."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sb3_delta_waypoint.driving.metrics import displacement_names, metric_info
from sb3_delta_waypoint.evaluation.compare import Comparison, headline
from sb3_delta_waypoint.evaluation.trajectories import TrajectoryPair
from sb3_delta_waypoint.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SFT_COLOUR, RL_COLOUR = "#d55e00", "#0072b2"
"""Vermilion and blue of the Okabe-Ito palette, which colour-blind readers can distinguish. In greyscale, rings and dots,
dashes and solid lines distinguish them."""
DASHES = (0, (4, 1.5))
SFT_STYLE: dict[str, Any] = {"color": SFT_COLOUR, "marker": "o", "markerfacecolor": "white", "markeredgewidth": 1.6}
RL_STYLE: dict[str, Any] = {"color": RL_COLOUR, "marker": "o"}
SFT_LABEL, RL_LABEL = "planner (SFT)", "refined (RL)"
VERDICT_COLOURS = {"better": "#009e73", "worse": "#c1272d", "different": "#b8860b", "cannot tell": "#8a8a8a"}
INK, FAINT = "#333333", "#d9d9d9"
MOST_ROWS = 14
"""Largest number of metrics in a plot."""


def plot_metrics(comparison: Comparison, path: str | Path) -> Path:
    """
    Draw the headline metrics: both means on the left and the paired difference on the right, with 95% intervals.

    :param comparison: result of :func:`~sb3_delta_waypoint.evaluation.compare.compare`
    :param path: path of the PNG file
    :return: the path
    """
    metrics = comparison["metrics"]
    names = headline(metrics)[:MOST_ROWS]
    figure, grid = _figure(len(names), 2, width=9.5, height=0.62 * len(names) + 1.1)
    for name, (left, right) in zip(names, grid, strict=True):
        metric, info = metrics[name], metric_info(name)
        _whisker(left, metric["sft"], 0.25, SFT_STYLE)
        _whisker(left, metric["rl"], -0.25, RL_STYLE)
        _whisker(right, metric["difference"], 0.0, {"color": VERDICT_COLOURS[metric["verdict"]], "marker": "o"})
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
    # space between the numbers of the left and the right axes
    figure.get_layout_engine().set(w_pad=0.12)  # type: ignore[union-attr, call-arg]
    grid[0][0].set_title("mean", color=INK)
    grid[0][1].set_title("paired difference, RL − SFT", color=INK)
    handles = [
        grid[0][0].plot([], [], linewidth=2.2, label=label, **style)[0]
        for label, style in ((SFT_LABEL, SFT_STYLE), (RL_LABEL, RL_STYLE))
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
    figure.suptitle(f"{comparison['n_scenarios']:,} paired scenarios, 95% bootstrap intervals", color=INK)
    return _save(figure, path)


def plot_displacement(comparison: Comparison, path: str | Path, plan_dt: float | None = None) -> Path:
    """
    Draw the mean distance from the expert's plan along the horizon, with 95% intervals.

    :param comparison: a comparison with ``displacement_<step>`` metrics
    :param path: path of the PNG file
    :param plan_dt: seconds between waypoints; None for an axis in steps
    :return: the path
    """
    metrics = comparison["metrics"]
    names = displacement_names(metrics)
    ahead = np.arange(1, len(names) + 1) * (plan_dt or 1.0)
    figure, grid = _figure(1, 1, width=6.4, height=4.2)
    axes = grid[0][0]
    for key, label, style in (("sft", SFT_LABEL, SFT_STYLE), ("rl", RL_LABEL, RL_STYLE)):
        sides: list[Any] = [metrics[name][key] for name in names]  # type: ignore[literal-required]
        low, high = np.array([side["ci95"] for side in sides]).T
        axes.fill_between(ahead, low, high, color=style["color"], alpha=0.2, linewidth=0)
        axes.plot(ahead, [side["mean"] for side in sides], label=label, markersize=4, **style)
    open_loop = names[0].startswith("open_loop")
    axes.set(
        xlabel="seconds ahead" if plan_dt else "waypoint",
        ylabel="distance from the expert's plan (m)",
        title=f"{'Open loop: d' if open_loop else 'D'}isplacement along the plan\n"
        f"mean over {comparison['n_scenarios']:,} scenarios, 95% bootstrap intervals",
        xlim=(0, None),
        ylim=(0, None),
    )
    axes.grid(color=FAINT, linewidth=0.6)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return _save(figure, path)


def plot_trajectories(pairs: Sequence[TrajectoryPair], path: str | Path) -> Path:
    """
    Draw the drives of both policies in some scenarios: the whole route and, beside it, the place where the two are farthest
    apart. A disc marks the end of a drive that reached the goal, a cross the end of one that did not.

    :param pairs: scenarios in the order of :func:`~sb3_delta_waypoint.evaluation.compare.most_different`; gains are drawn in
        the left half, losses in the right half, whose heading says so if there are none
    :param path: path of the PNG file
    :return: the path
    """
    halves = [half for half in _halves(pairs) if half]
    rows = max(map(len, halves))
    figure, grid = _figure(rows, 2 * len(halves), width=6.4 * len(halves), height=3.3 * rows + 1.0)
    for column, (half, heading) in enumerate(zip(halves, _headings(halves), strict=False)):
        for row, axes in enumerate(grid):
            whole, detail = axes[2 * column : 2 * column + 2]
            if row < len(half):
                _draw_pair(whole, detail, half[row])
            else:
                whole.set_visible(False)
                detail.set_visible(False)
        grid[0][2 * column].annotate(
            heading, (0, 1), (0, 26), "axes fraction", textcoords="offset points", fontsize=12, weight="bold", color=INK
        )
    figure.supxlabel(
        "Ranked by route completion, in a tie by mean lateral deviation. Metres; each route leads from left to right.",
        fontsize=9,
        color=INK,
    )
    lines, labels = grid[0][0].get_legend_handles_labels()
    for marker, label in (("o", "reached the goal"), ("X", "did not reach it")):
        lines.append(grid[0][0].plot([], [], linestyle="", marker=marker, markersize=9, color="#8a8a8a")[0])
        labels.append(label)
    figure.legend(lines, labels, loc="outside upper center", ncols=5, frameon=False)
    return _save(figure, path)


def _is_loss(pair: TrajectoryPair) -> bool:
    return pair.gain < (0.0, 0.0)


def _halves(pairs: Sequence[TrajectoryPair]) -> tuple[Sequence[TrajectoryPair], Sequence[TrajectoryPair]]:
    """Return the pairs of the left and right half: gains and losses, or the largest and smallest if all are of one kind."""
    losses = [pair for pair in pairs if _is_loss(pair)]
    if 0 < len(losses) < len(pairs):
        return [pair for pair in pairs if not _is_loss(pair)], losses
    middle = (len(pairs) + 1) // 2
    return pairs[:middle], pairs[middle:]


def _headings(halves: Sequence[Sequence[TrajectoryPair]]) -> tuple[str, str]:
    left = "RL gained nowhere:\nits smallest losses" if _is_loss(halves[0][0]) else "Where RL gained most"
    right = "Where RL lost most" if _is_loss(halves[-1][0]) else "RL lost nowhere:\nits smallest gains"
    return left, right


def _draw_pair(whole: "Axes", detail: "Axes", pair: TrajectoryPair) -> None:
    from matplotlib.ticker import MultipleLocator

    route = pair.sft.route
    # rotated so that every route leads from left to right
    along = (route[-1] - route[0]) / max(float(np.hypot(*(route[-1] - route[0]))), 1e-9)
    turn = np.array([along, [-along[1], along[0]]]).T
    line, sft, rl = ((points - route[0]) @ turn for points in (route, pair.sft.path, pair.rl.path))
    for axes in (whole, detail):
        axes.plot(*line.T, color=FAINT, linewidth=7, solid_capstyle="round", label="route", zorder=1)
        # the planner's dashes are on top, so that neither line hides the other
        axes.plot(*rl.T, color=RL_COLOUR, linewidth=1.8, label=RL_LABEL, zorder=3)
        axes.plot(*sft.T, color=SFT_COLOUR, linewidth=1.8, linestyle=DASHES, label=SFT_LABEL, zorder=4)
        for points, drive, colour, size in ((rl, pair.rl, RL_COLOUR, 12), (sft, pair.sft, SFT_COLOUR, 8)):
            marker = "o" if drive.success else "X"
            axes.plot(*points[-1], marker=marker, markersize=size, color=colour, markeredgecolor="white", zorder=5)
        axes.tick_params(labelsize=8)
    centre, half = _farthest_apart(sft, rl), 10.0
    whole.set_aspect("equal", adjustable="datalim")
    whole.add_patch(_square(centre, half))
    whole.set_title(f"scenario {pair.scenario}", fontsize=8, color=INK)
    detail.plot(*line.T, color="#8a8a8a", linewidth=0.8, linestyle=(0, (6, 4)), zorder=2)
    detail.set_aspect("equal", adjustable="box")
    detail.set(xlim=(centre[0] - half, centre[0] + half), ylim=(centre[1] - half, centre[1] + half))
    for axis in (detail.xaxis, detail.yaxis):
        axis.set_major_locator(MultipleLocator(5.0))
    detail.spines[:].set(visible=True, color="#8a8a8a")
    detail.set_title(_ranked(pair), fontsize=8, color=INK)


def _ranked(pair: TrajectoryPair) -> str:
    """Return the quantities by which the pair is ranked, as text."""
    if pair.gain[0]:
        sft, rl = (f"{100.0 * drive.metrics['route_completion']:.1f}%" for drive in (pair.sft, pair.rl))
        return f"route completion: SFT {sft}, RL {rl}"
    sft, rl = (f"{drive.metrics['lateral_deviation_mean']:.2f} m" for drive in (pair.sft, pair.rl))
    return f"lateral deviation: SFT {sft}, RL {rl}"


def _farthest_apart(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the point of the shorter path that is farthest from the other path, (2,) metres."""
    shorter, longer = sorted((first, second), key=lambda points: float(np.hypot(*np.diff(points, axis=0).T).sum()))
    distances = np.hypot(*(shorter[:, None] - longer[None]).transpose(2, 0, 1)).min(axis=1)
    return shorter[distances.argmax()]


def _square(centre: np.ndarray, half: float) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle(tuple(centre - half), 2 * half, 2 * half, fill=False, edgecolor="#8a8a8a", linewidth=0.8, zorder=2)


def _whisker(axes: "Axes", side: Any, y: float, style: dict[str, Any]) -> None:
    """Draw the mean of one side, or of the difference, and its interval."""
    axes.plot(side["ci95"], [y, y], color=style["color"], linewidth=2.2, solid_capstyle="round", zorder=2)
    axes.plot([side["mean"]], [y], markersize=6, zorder=3, linestyle="", **style)


def _figure(rows: int, columns: int, width: float, height: float) -> "tuple[Figure, list[list[Axes]]]":
    # not a pyplot figure: needs no display and has no global state
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
