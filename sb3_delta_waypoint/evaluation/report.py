"""Reports of results: tables in the terminal, Markdown, JSON and plots."""

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sb3_delta_waypoint.driving.metrics import HEADLINE, displacement_names, in_reading_order, metric_info
from sb3_delta_waypoint.evaluation.compare import Comparison, MetricComparison, Verdict, headline
from sb3_delta_waypoint.evaluation.plots import plot_displacement, plot_metrics, plot_trajectories
from sb3_delta_waypoint.evaluation.selection import Where, satisfies
from sb3_delta_waypoint.evaluation.statistics import Summary
from sb3_delta_waypoint.evaluation.trajectories import TrajectoryPair
from sb3_delta_waypoint.files import write_atomically, write_json

COLOURS: dict[Verdict, str] = {"better": "green", "worse": "red", "different": "yellow", "cannot tell": "dim"}

PANEL = (
    "success_rate",
    "closed_loop_score",
    "collision_at_fault",
    "collision",
    "red_light",
    "time_ratio",
    "time_with_failures",
    "route_completion",
)
"""The metrics that a panel shows; its file holds the others as well."""

WIDTH = 100
"""Width of the tables in columns; used if the output is not a terminal."""


def console() -> Console:
    """Return a console on stdout that is wide enough for the tables, unless a terminal determines its width."""
    found = Console()
    return found if found.is_terminal else Console(width=WIDTH)


def comparison_table(comparison: Comparison) -> Table:
    """
    Return a table of the headline metrics of both policies, 100 columns wide.

    :param comparison: result of :func:`~sb3_delta_waypoint.evaluation.compare.compare`
    :return: a rich table
    """
    title = f"{comparison['n_scenarios']} paired scenarios; second lines: 95% interval of the mean"
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("metric", no_wrap=True)
    for side in ("planner (SFT)", "refined (RL)"):
        table.add_column(f"{side}\n[dim]mean · median · IQM[/]", justify="right", no_wrap=True)
    table.add_column("difference\n[dim]RL − SFT[/]", justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    metrics = comparison["metrics"]
    for name in headline(metrics):
        metric, info = metrics[name], metric_info(name)
        sft, rl, difference = _metric_texts(metric)
        colour = COLOURS[metric["verdict"]]
        table.add_row(
            Text.assemble(f"{info.label} {info.arrow}", "\n", (", ".join(filter(None, (info.unit, _defined(metric)))), "dim")),
            *(Text.assemble((side[0], "bold"), *side[2:], "\n", (side[1], "dim")) for side in (sft, rl)),
            Text("\n".join(difference), style=colour),
            Text(metric["verdict"], style=colour),
        )
    return table


def summary_table(summaries: Mapping[str, Summary], title: str) -> Table:
    """
    Return a table of all metrics of one policy, except the displacements by step.

    :param summaries: result of :func:`~sb3_delta_waypoint.evaluation.statistics.summarise_all`
    :param title: title of the table
    :return: a rich table
    """
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("metric")
    for column in ("mean", "95% interval", "median", "IQM"):
        table.add_column(column, justify="right", no_wrap=True)
    for name in _without_steps(summaries):
        summary = summaries[name]
        decimals = _decimals(summary["ci95"])
        mean, median, iqm = (_number(value, decimals) for value in (summary["mean"], summary["median"], summary["iqm"]))
        # what is defined only in some episodes says in how many
        label = _label(name) + (f", n = {summary['n']}" if "n" in summary else "")
        table.add_row(label, mean, _interval(summary["ci95"], decimals), median, iqm)
    return table


def panel_table(by_behaviour: Mapping[str, Mapping[str, Summary]], overall: Mapping[str, Summary], title: str) -> Table:
    """
    Return a table of the metrics of one policy in :data:`PANEL`: their means under each behaviour, mean and interval overall.

    :param by_behaviour: statistics of every metric, by behaviour
    :param overall: the same over all behaviours
    :param title: title of the table
    :return: a rich table
    """
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("metric")
    for column in (*by_behaviour, "overall", "95% interval"):
        table.add_column(column, justify="right", no_wrap=True)
    for name in [name for name in PANEL if name in overall] or list(overall):
        decimals = _decimals(overall[name]["ci95"])
        cells = [_number(summaries[name]["mean"], decimals) for summaries in (*by_behaviour.values(), overall)]
        table.add_row(_label(name), *cells, _interval(overall[name]["ci95"], decimals))
    return table


def selection_table(
    checkpoints: Sequence[str], evaluations: Sequence[Mapping[str, float]], metric: str, where: Where, best: int | None
) -> Table:
    """
    Return a table of all evaluated checkpoints, with the metrics of the criterion and the headline metrics.

    :param checkpoints: names of the checkpoints
    :param evaluations: mean of each metric, one mapping per checkpoint
    :param metric: the metric that they are ranked by
    :param where: the constraints; checkpoints that do not meet them are dimmed
    :param best: index of the selected checkpoint, None if there is none
    :return: a rich table
    """
    names = list(dict.fromkeys([metric, *where, *(name for name in HEADLINE if name in evaluations[0])]))[:6]
    # rows show only the part of the paths that differs: full paths would leave no room for numbers
    folder = os.path.commonpath([os.path.dirname(path) for path in checkpoints]) or "."
    table = Table(title=f"checkpoints in {folder}", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("checkpoint", no_wrap=True)
    for name in names:
        info = metric_info(name)
        table.add_column(f"{info.label} {info.arrow}", justify="right")
    for index, (path, means) in enumerate(zip(checkpoints, evaluations, strict=True)):
        label = os.path.relpath(path, folder) + (" ← best" if index == best else "")
        style = "bold green" if index == best else "" if satisfies(means, where) else "dim"
        table.add_row(label, *(_number(means[name], 3) for name in names), style=style)
    return table


def markdown(comparison: Comparison, plots: Sequence[Path] = ()) -> str:
    """
    Return a comparison as Markdown.

    :param comparison: result of :func:`~sb3_delta_waypoint.evaluation.compare.compare`
    :param plots: pictures in the folder of the Markdown file, shown at its end
    :return: the text
    """
    lines = [
        "# Planner and refined policy compared",
        "",
        comparison["verdict"],
        "",
        f"Means over {comparison['n_scenarios']} paired scenarios with 95% bootstrap intervals; IQM: interquartile mean; "
        "difference: RL − SFT. Each verdict stands for itself: of twenty metrics that do not differ, one will seem to.",
        "",
        "| metric | SFT | median | IQM | RL | median | IQM | difference | verdict |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    metrics = comparison["metrics"]
    for name in [*_without_steps(metrics), *displacement_names(metrics)]:
        cells = [", ".join(filter(None, (_label(name), _defined(metrics[name]))))]
        for mean, interval, *others in _metric_texts(metrics[name]):
            cells += [f"{mean} {interval}", *(other.removeprefix(" · ") for other in others)]
        lines.append(f"| {' | '.join([*cells, metrics[name]['verdict']])} |")
    for plot in plots:
        lines += ["", f"![{plot.stem}]({plot.name})"]
    return "\n".join(lines) + "\n"


def write_report(
    comparison: Comparison, folder: str | Path, plan_dt: float | None = None, trajectories: Sequence[TrajectoryPair] = ()
) -> list[Path]:
    """
    Write ``comparison.json``, the plots and ``comparison.md``, each atomically.

    :param comparison: result of :func:`~sb3_delta_waypoint.evaluation.compare.compare`
    :param folder: folder for the files, created if it does not exist
    :param plan_dt: seconds between waypoints, for the axis of the displacement plot; None for an axis in steps
    :param trajectories: scenarios driven by both policies, for the plot of trajectories
    :return: paths of the files
    """
    folder = Path(folder)
    plots = [plot_metrics(comparison, folder / "metrics.png")]
    if displacement_names(comparison["metrics"]):
        plots.append(plot_displacement(comparison, folder / "displacement.png", plan_dt))
    if trajectories:
        plots.append(plot_trajectories(trajectories, folder / "trajectories.png"))
    text = write_atomically(folder / "comparison.md", markdown(comparison, plots))
    return [write_json(folder / "comparison.json", comparison), text, *plots]


def _without_steps(names: Mapping[str, object]) -> list[str]:
    by_step = set(displacement_names(names))
    return [name for name in in_reading_order(names) if name not in by_step]


def _label(name: str) -> str:
    info = metric_info(name)
    return " ".join(part for part in (info.label, f"({info.unit})" if info.unit else "", info.arrow) if part)


def _defined(metric: MetricComparison) -> str:
    """Return how many pairs a difference is of, if it is not all."""
    return f"n = {metric['difference']['n']}" if "n" in metric["difference"] else ""


def _metric_texts(metric: MetricComparison) -> tuple[list[str], list[str], list[str]]:
    """Return mean, interval (and median, IQM) of both sides and of the difference, with the same number of decimals."""
    difference = metric["difference"]
    decimals = _decimals(metric["sft"]["ci95"], metric["rl"]["ci95"], difference["ci95"])

    def side(summary: Summary) -> list[str]:
        others = [f" · {_number(value, decimals)}" for value in (summary["median"], summary["iqm"])]
        return [_number(summary["mean"], decimals), _interval(summary["ci95"], decimals), *others]

    change = [_number(difference["mean"], decimals, signed=True), _interval(difference["ci95"], decimals, signed=True)]
    return side(metric["sft"]), side(metric["rl"]), change


def _decimals(*intervals: Sequence[float]) -> int:
    """Return how many decimals, up to three, show two significant digits of the narrowest interval; more would be noise."""
    widths = [high - low for low, high in intervals if math.isfinite(high - low) and high > low]
    return min(max(1 - math.floor(math.log10(min(widths))), 0), 3) if widths else 3


def _interval(bounds: Sequence[float], decimals: int, signed: bool = False) -> str:
    return f"[{', '.join(_number(bound, decimals, signed) for bound in bounds)}]"


def _number(value: float, decimals: int, signed: bool = False) -> str:
    return f"{value:{'+' if signed else ''}.{decimals}f}" if math.isfinite(value) else "–"
