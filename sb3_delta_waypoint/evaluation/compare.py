"""Paired comparison of a refined policy with its planner, on the same scenarios."""

import math
from collections.abc import Mapping
from typing import Any, Literal, NotRequired, TypedDict

import numpy as np

from sb3_delta_waypoint.driving.metrics import HEADLINE, as_rates, in_reading_order, metric_info
from sb3_delta_waypoint.evaluation.statistics import Summary, bootstrap_ci95, means, summarise

MIN_SCENARIOS = 20
"""Minimum number of pairs for a verdict; with fewer, the bootstrap interval is too short to be trusted."""

Verdict = Literal["better", "worse", "different", "cannot tell"]


class Difference(TypedDict):
    """The paired difference of means, RL - SFT, with its 95% interval."""

    mean: float
    ci95: list[float]
    n: NotRequired[int]
    """Number of pairs in which both sides are defined; absent if they are in all."""


class MetricComparison(TypedDict):
    """The comparison of one metric."""

    sft: Summary
    rl: Summary
    difference: Difference
    verdict: Verdict


class Comparison(TypedDict):
    """The content of ``comparison.json``."""

    n_scenarios: int
    metrics: dict[str, MetricComparison]
    verdict: str
    backend: NotRequired[str]


def compare(sft: Mapping[str, np.ndarray], rl: Mapping[str, np.ndarray]) -> Comparison:
    """
    Compare two policies on the same scenarios. For the interval of the difference, scenarios are resampled for both policies
    together, so that the difficulty of a scenario cancels out.

    :param sft: one value per scenario for each metric, (n_scenarios,) each, from the planner
    :param rl: the same from the refined policy, in the same order of scenarios; metrics that only one side has are omitted.
        Where a metric is not defined (NaN), it is left out; the difference is that of the pairs in which both are
    :return: statistics of each side and of the paired difference (RL - SFT), a verdict for each metric and one in words
    :raises ValueError: if the sides differ in length or have no metric in common
    """
    sft, rl = as_rates(sft), as_rates(rl)
    names = in_reading_order(name for name in sft if name in rl)
    if not names:
        raise ValueError(f"the two sides have no metric in common: {', '.join(sft)} against {', '.join(rl)}")
    lengths = {len(side[name]) for side in (sft, rl) for name in names}
    if len(lengths) != 1:
        raise ValueError(f"both sides must hold one value per scenario in every metric, got lengths {sorted(lengths)}")
    n_scenarios = lengths.pop()
    before = np.column_stack([sft[name] for name in names]).astype(np.float64)
    after = np.column_stack([rl[name] for name in names]).astype(np.float64)
    difference = after - before
    intervals = bootstrap_ci95(np.stack([before, after, difference], axis=1))
    metrics: dict[str, MetricComparison] = {}
    for column, name in enumerate(names):
        low, high = intervals[2, column].tolist()
        n_pairs = int((~np.isnan(difference[:, column])).sum())
        change: Difference = {"mean": means({name: difference[:, column]})[name], "ci95": [low, high]}
        metrics[name] = {
            "sft": summarise(before[:, column], intervals[0, column]),
            "rl": summarise(after[:, column], intervals[1, column]),
            "difference": change if n_pairs == n_scenarios else {**change, "n": n_pairs},
            "verdict": _verdict(name, low, high, n_pairs),
        }
    return {"n_scenarios": n_scenarios, "metrics": metrics, "verdict": verdict_in_words(n_scenarios, metrics)}


INCIDENTS = ("collision_at_fault", "red_light")
"""Headline metrics that say nothing where neither policy has any."""


def headline(metrics: Mapping[str, MetricComparison]) -> list[str]:
    """
    Select the metrics that a comparison shows.

    :param metrics: the comparison of each metric
    :return: names of the headline metrics that are defined, without incidents that never happened; all if there are none
    """

    def told(name: str) -> bool:
        means = [metrics[name][side]["mean"] for side in ("sft", "rl")]
        return not all(map(math.isnan, means)) and (name not in INCIDENTS or any(means))

    return [name for name in HEADLINE if name in metrics and told(name)] or list(metrics)


def verdict_in_words(n_scenarios: int, metrics: Mapping[str, MetricComparison]) -> str:
    """
    Return a summary of the headline metrics in a few sentences.

    :param n_scenarios: number of paired scenarios
    :param metrics: the comparison of each metric
    :return: which metrics are better, which are worse, and for which the data show no difference
    """
    names = headline(metrics)
    found = {verdict: [name for name in names if metrics[name]["verdict"] == verdict] for verdict in _PHRASES}
    undecided = [metric_info(name).label for name in names if metrics[name]["verdict"] == "cannot tell"]
    on = f"On {n_scenarios} paired scenario{'s' if n_scenarios != 1 else ''}"
    if n_scenarios < MIN_SCENARIOS:
        return f"{on} the comparison cannot tell the two apart: verdicts need at least {MIN_SCENARIOS}."
    if not any(found.values()):
        return (
            f"{on} the comparison cannot tell the two apart: the 95% interval of the difference contains zero in "
            f"{_listed(undecided)}."
        )
    clauses = [
        f"{phrase} {_listed([_change(name, metrics[name]) for name in found[verdict]])}"
        for verdict, phrase in _PHRASES.items()
        if found[verdict]
    ]
    sentence = f"{on} the refined policy is {', and '.join(clauses)}."
    return f"{sentence} It cannot be told apart from the planner in {_listed(undecided)}." if undecided else sentence


_PHRASES: dict[Any, str] = {"better": "better in", "worse": "worse in", "different": "different in"}


def most_different(sft: Mapping[str, np.ndarray], rl: Mapping[str, np.ndarray], n: int) -> list[int]:
    """
    Return the scenarios in which two policies differ most in route completion or, if that is equal to a percent, in lateral
    deviation. Half of them are the largest gains of the refined policy, half its largest losses, so that its failures are
    shown, too. If there are no losses (or no gains), the other half are the smallest gains (or losses).

    :param sft: one value per scenario for each metric, (n_scenarios,) each, from the planner
    :param rl: the same from the refined policy
    :param n: maximum number of scenarios
    :return: scenario numbers: gains, the greatest first, then losses, the greatest first
    """
    completion = np.round(rl["route_completion"] - sft["route_completion"], 2)
    deviation = rl["lateral_deviation_mean"] - sft["lateral_deviation_mean"]
    order = np.lexsort((deviation, -completion))
    worse = (completion < 0) | ((completion == 0) & (deviation > 0))
    n = min(n, len(order))
    first, last = order[: n - n // 2], order[::-1][: n // 2]
    if worse.any() and not worse.all():
        first, last = first[~worse[first]], last[worse[last]]
    return [*first.tolist(), *last.tolist()]


def _verdict(name: str, low: float, high: float, n_scenarios: int) -> Verdict:
    """Return the verdict of an interval of the difference; NaN bounds contain everything."""
    if n_scenarios < MIN_SCENARIOS or not (low > 0 or high < 0):
        return "cannot tell"
    higher_is_better = metric_info(name).higher_is_better
    if higher_is_better is None:
        return "different"
    return "better" if (low > 0) == higher_is_better else "worse"


def _change(name: str, metric: MetricComparison) -> str:
    return f"{metric_info(name).label} ({_short(metric['sft']['mean'])} → {_short(metric['rl']['mean'])})"


def _short(value: float) -> str:
    return f"{value:#.3g}".rstrip(".")


def _listed(items: list[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
