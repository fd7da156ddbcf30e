"""The table of a closed-loop evaluation."""

import math
from collections.abc import Mapping
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from sb3_delta_waypoint.evaluation.report import COLOURS

COLUMNS = {
    "success_rate": ("success ↑", 2),
    "route_completion": ("completion ↑", 2),
    "driving_score_2_1": ("driv. score ↑", 1),
    "lateral_deviation_mean": ("deviation ↓\n[dim]m[/]", 2),
    "ade": ("ADE ↓\n[dim]m[/]", 2),
}
"""Heading and number of decimals of each metric in the table."""
BACKENDS = {"loopback": "loopback server (a kinematic stand-in, not CARLA)", "carla": "CARLA"}


def closed_loop_table(content: Mapping[str, Any]) -> Table:
    """
    Return a table of success, completion, driving score, deviation, ADE and infractions by scenario, with 95% intervals.

    :param content: content of ``metrics.json``
    :return: a rich table, 100 columns wide
    """
    towns = ", ".join(sorted({scenario["town"] for scenario in content["scenarios"].values()}))
    title = f"{BACKENDS[content['backend']]}: {towns}"
    # beside the title it would not fit into the width of the columns
    table = Table(title=title, caption="second lines: 95% interval", box=box.SIMPLE_HEAD, padding=0, pad_edge=False)
    table.add_column("")
    for heading, _ in COLUMNS.values():
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("infr.\n[dim]/km[/]", justify="right", no_wrap=True)
    blocks = dict(content["scenarios"])
    if len(blocks) > 1:
        blocks["all scenarios"] = content["overall"]
    for name, block in blocks.items():
        _add_block(table, name, block)
    return table


def _add_block(table: Table, name: str, block: Mapping[str, Any]) -> None:
    """Add the rows of one scenario."""
    table.add_row(Text(name, style="bold"))
    per_km = block.get("infractions_per_km", {})
    comparison = block.get("comparison")
    sides = {"sft": "planner (SFT)", "rl": "refined (RL)"}
    if comparison is None:
        summaries = {"sft": block["metrics"]} if "metrics" in block else {}
    else:
        summaries = {side: {key: metric[side] for key, metric in comparison["metrics"].items()} for side in sides}
    for side, summary in summaries.items():
        cells = [_cell(summary[key], decimals) for key, (_, decimals) in COLUMNS.items()]
        table.add_row(f"  {sides[side]}", *cells, _number(per_km[side]["total"], 1))
    if comparison is not None:
        cells = []
        for key, (_, decimals) in COLUMNS.items():
            metric = comparison["metrics"][key]
            cells.append(_cell(metric["difference"], decimals, COLOURS[metric["verdict"]], "+"))
        table.add_row("  RL − SFT", *cells)
    if not summaries:
        table.add_row(Text("  nothing driven", style="dim"))
    table.add_section()


def _cell(summary: Mapping[str, Any], decimals: int, style: str = "bold", sign: str = "") -> Text:
    low, high = (_number(bound, decimals) for bound in summary["ci95"])
    return Text.assemble((_number(summary["mean"], decimals, sign), style), "\n", (f"[{low}, {high}]", "dim"))


def _number(value: float, decimals: int, sign: str = "") -> str:
    return f"{value:{sign}.{decimals}f}" if math.isfinite(value) else "–"
