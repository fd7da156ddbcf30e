"""Choosing among evaluations: the best of one metric, under constraints on others."""

import math
import operator
import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from sb3_delta_waypoint.driving.metrics import METRICS, metric_info

Where = Mapping[str, tuple[str, float]]
"""Constraints on means, such as ``{"success_rate": (">=", 0.9)}``."""

_OPERATORS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
_CONSTRAINT = re.compile(r"\s*(\w+)\s*(>=|<=|>|<)\s*(\S+)\s*")


def parse_where(constraints: Iterable[str]) -> dict[str, tuple[str, float]]:
    """
    Read constraints as people type them.

    :param constraints: such as ``"success_rate>=0.9"``
    :return: such as ``{"success_rate": (">=", 0.9)}``
    :raises ValueError: if one cannot be read or a metric has two
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
    Check that checkpoints can be ranked by a metric and held to constraints.

    :param metric: the metric to rank by
    :param where: the constraints
    :param available: names of the metrics that were measured; None where that is not known yet
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
    Whether an evaluation meets all constraints.

    :param means: mean of each metric
    :param where: the constraints
    :return: False also where a mean is undefined (NaN)
    """
    return all(_OPERATORS[comparison](means[name], bound) for name, (comparison, bound) in where.items())


def is_better(metric: str, value: float, best: float | None) -> bool:
    """
    Whether a value beats the best so far; a tie does not, so the earlier of two equals stays the best.

    :param metric: the metric, whose direction decides
    :param value: the new value; NaN beats nothing
    :param best: the best so far, None at first
    :return: whether the new value is the best
    """
    if math.isnan(value) or best is None:
        return not math.isnan(value)
    return value > best if metric_info(metric).higher_is_better else value < best


def select(evaluations: Sequence[Mapping[str, float]], metric: str, where: Where) -> int | None:
    """
    The best of several evaluations.

    :param evaluations: means of each metric, one mapping per checkpoint
    :param metric: the metric to rank by
    :param where: constraints that the best must meet
    :return: its index; None if none meets the constraints
    """
    best: int | None = None
    for index, means in enumerate(evaluations):
        if satisfies(means, where) and is_better(metric, means[metric], None if best is None else evaluations[best][metric]):
            best = index
    return best


def describe_where(where: Where) -> str:
    """
    Constraints in words.

    :param where: the constraints
    :return: such as ``"success_rate >= 0.9"``
    """
    return " and ".join(f"{name} {comparison} {bound:g}" for name, (comparison, bound) in where.items())
