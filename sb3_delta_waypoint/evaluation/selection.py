"""Selection among evaluations: the best by one metric, under constraints on others."""

import math
import operator
import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from sb3_delta_waypoint.driving.metrics import METRICS, metric_info

DEFAULT_METRIC = "success_rate"
"""Default metric by which the callback, ``train``, ``demo`` and ``select`` choose the best model of a car that is alone."""
DEFAULT_AMONG_OTHERS = "closed_loop_score"
"""The same in envs with a panel of behaviours, where reaching the goal is not all."""

TIE_BREAKERS = ("route_completion", "lateral_deviation_mean")
"""Metrics that break ties between evaluations, in this order."""

Where = Mapping[str, tuple[str, float]]
"""Constraints on means, such as ``{"success_rate": (">=", 0.9)}``."""

_OPERATORS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
_CONSTRAINT = re.compile(r"\s*(\w+)\s*(>=|<=|>|<)\s*(\S+)\s*")


def default_metric(has_behaviours: bool) -> str:
    """
    Return the default metric by which the best model is chosen.

    :param has_behaviours: whether the env has the attribute ``behaviours``, the panel of behaviours of other road users
    :return: the metric's name
    """
    return DEFAULT_AMONG_OTHERS if has_behaviours else DEFAULT_METRIC


def parse_where(constraints: Iterable[str]) -> dict[str, tuple[str, float]]:
    """
    Parse constraints from the command line.

    :param constraints: texts such as ``"success_rate>=0.9"``
    :return: constraints such as ``{"success_rate": (">=", 0.9)}``
    :raises ValueError: if a constraint is malformed or a metric has two
    """
    where: dict[str, tuple[str, float]] = {}
    for text in constraints:
        match = _CONSTRAINT.fullmatch(text)
        try:
            name, comparison, bound = match.groups()  # type: ignore[union-attr]
            value = float(bound)
        except (AttributeError, ValueError):
            raise ValueError(f"cannot read the constraint {text!r}: write it like 'success_rate>=0.9'") from None
        if name in where:
            raise ValueError(f"two constraints on {name}: give one")
        where[name] = (comparison, value)
    return where


def check_criterion(metric: str, where: Where, available: Collection[str] | None = None) -> None:
    """
    Check that checkpoints can be ranked by a metric and filtered by constraints.

    :param metric: the metric to rank by
    :param where: the constraints
    :param available: names of the metrics that were measured; None if they are not known yet
    :raises ValueError: if a metric was not measured, has no better direction, or a constraint is malformed
    """
    for name in (metric, *where):
        if available is not None and name not in available:
            raise ValueError(f"unknown metric {name!r}: this evaluation reports {', '.join(available)}")
    if metric_info(metric).higher_is_better is None:
        ranked = ", ".join(info.name for info in METRICS.values() if info.higher_is_better is not None)
        raise ValueError(f"cannot rank by {metric!r}: it is not known whether more or less is better; choose among {ranked}")
    for name, constraint in where.items():
        try:
            comparison, bound = constraint
            valid = comparison in _OPERATORS and math.isfinite(bound)
        except (TypeError, ValueError):
            valid = False
        if not valid:
            raise ValueError(
                f"the constraint on {name} is {constraint!r}, expected a comparison ({', '.join(_OPERATORS)}) and a number, "
                "such as ('>=', 0.9)"
            )


def satisfies(means: Mapping[str, float], where: Where) -> bool:
    """
    Return whether an evaluation meets all constraints.

    :param means: mean of each metric
    :param where: the constraints
    :return: whether it does; a constraint on an undefined mean (NaN) is not met
    """
    return all(_OPERATORS[comparison](means[name], bound) for name, (comparison, bound) in where.items())


def is_better(means: Mapping[str, float], best: Mapping[str, float] | None, metric: str) -> bool:
    """
    Return whether an evaluation is better than the best of the earlier ones: by the metric, and in a tie by
    :data:`TIE_BREAKERS`, each in its direction. If all are equal it is not, so the earliest of equal evaluations stays the
    best. Tie-breakers that are undefined or that the env does not report are skipped.

    :param means: mean of each metric
    :param best: means of the best evaluation before, None for the first
    :param metric: the metric to rank by; an evaluation where it is undefined (NaN) is never better
    :return: whether the evaluation is better
    """
    if math.isnan(means[metric]) or best is None:
        return not math.isnan(means[metric])
    for name in (metric, *TIE_BREAKERS):
        difference = means.get(name, math.nan) - best.get(name, math.nan)
        if abs(difference) > 0.0:  # False for NaN, too
            return (difference > 0.0) == metric_info(name).higher_is_better
    return False


def select(evaluations: Sequence[Mapping[str, float]], metric: str, where: Where) -> int | None:
    """
    Return the best of several evaluations, see :func:`is_better`.

    :param evaluations: mean of each metric, one mapping per checkpoint
    :param metric: the metric to rank by
    :param where: constraints that the best must meet
    :return: index of the best evaluation; None if no evaluation meets the constraints
    """
    best: int | None = None
    for index, means in enumerate(evaluations):
        if satisfies(means, where) and is_better(means, None if best is None else evaluations[best], metric):
            best = index
    return best


def describe_criterion(metric: str, where: Where) -> str:
    """
    Return the criterion of a selection in words.

    :param metric: the metric to rank by
    :param where: the constraints
    :return: a text such as ``"success_rate, in a tie route_completion, lateral_deviation_mean, among those with ade < 0.5"``
    """
    ties = ", ".join(name for name in TIE_BREAKERS if name != metric)
    return f"{metric}, in a tie {ties}" + (f", among those with {describe_where(where)}" if where else "")


def describe_where(where: Where) -> str:
    """
    Return constraints in words.

    :param where: the constraints
    :return: a text such as ``"success_rate >= 0.9"``
    """
    return " and ".join(f"{name} {comparison} {bound:g}" for name, (comparison, bound) in where.items())
