"""Constraints as people type them, and the best under them."""

import math

import pytest

from sb3_delta_waypoint.evaluation.selection import (
    check_criterion,
    describe_criterion,
    describe_where,
    is_better,
    parse_where,
    satisfies,
    select,
)


def test_constraints_are_read():
    where = parse_where(["success_rate>=0.9", " fde < 1.5 "])
    assert where == {"success_rate": (">=", 0.9), "fde": ("<", 1.5)}
    assert describe_where(where) == "success_rate >= 0.9 and fde < 1.5"


@pytest.mark.parametrize("text", ["success_rate", "success_rate=0.9", "success_rate>=high", ">=0.9", ""])
def test_constraints_that_cannot_be_read_are_named(text):
    with pytest.raises(ValueError, match="success_rate>=0.9"):
        parse_where([text])


def test_two_constraints_on_one_metric():
    with pytest.raises(ValueError, match="two constraints on fde"):
        parse_where(["fde<2", "fde>1"])


@pytest.mark.parametrize(
    ("comparison", "value", "met"),
    [(">=", 0.9, True), (">", 0.9, False), ("<=", 0.9, True), ("<", 0.9, False), (">", math.nan, False)],
)
def test_each_comparison_at_its_boundary(comparison, value, met):
    assert satisfies({"success_rate": value}, {"success_rate": (comparison, 0.9)}) is met


@pytest.mark.parametrize(
    ("metric", "value", "best", "better"),
    [
        ("ade", 0.4, 0.5, True),
        ("ade", 0.6, 0.5, False),
        ("success_rate", 0.6, 0.5, True),
        ("success_rate", 0.4, 0.5, False),
        ("ade", 0.5, 0.5, False),
        ("ade", math.nan, 0.5, False),
    ],
)
def test_direction_of_better(metric, value, best, better):
    assert is_better({metric: value}, {metric: best}, metric) is better
    assert is_better({metric: value}, None, metric) is not math.isnan(value)


@pytest.mark.parametrize("metric", ["success_rate", "ade", "collision"])
def test_ties_are_broken_by_completion_then_by_deviation_and_then_by_age(metric):
    def means(completion, deviation):
        return {metric: 1.0, "route_completion": completion, "lateral_deviation_mean": deviation}

    assert select([means(0.8, 0.1), means(0.9, 0.5), means(0.9, 0.3), means(0.9, 0.3)], metric, {}) == 2
    # the metric comes first
    assert not is_better({**means(1.0, 0.0), metric: 0.9 if metric == "success_rate" else 1.1}, means(0.5, 1.0), metric)


def test_tie_breakers_that_are_not_reported_are_passed_over():
    tied = [{"success_rate": 1.0, "lateral_deviation_mean": deviation} for deviation in (0.3, 0.2, 0.4)]
    assert select(tied, "success_rate", {}) == 1
    assert select([{"success_rate": 1.0}, {"success_rate": 1.0}], "success_rate", {}) == 0
    undefined = {"success_rate": 1.0, "route_completion": math.nan, "lateral_deviation_mean": 0.1}
    assert is_better(undefined, {"success_rate": 1.0, "route_completion": 0.9, "lateral_deviation_mean": 0.2}, "success_rate")


def test_criterion_in_words():
    assert describe_criterion("ade", {}) == "ade, in a tie route_completion, lateral_deviation_mean"
    words = describe_criterion("route_completion", {"ade": ("<", 0.5)})
    assert words == "route_completion, in a tie lateral_deviation_mean, among those with ade < 0.5"


def test_select_lowest_under_a_constraint():
    evaluations = [
        {"ade": 0.3, "success_rate": 0.5},
        {"ade": 0.6, "success_rate": 0.95},
        {"ade": 0.5, "success_rate": 0.92},
        {"ade": 0.5, "success_rate": 0.99},
    ]
    assert select(evaluations, "ade", {}) == 0
    assert select(evaluations, "ade", {"success_rate": (">=", 0.9)}) == 2  # the earlier of two equals
    assert select(evaluations, "success_rate", {}) == 3
    assert select(evaluations, "ade", {"success_rate": (">", 0.99)}) is None


def test_criterion_that_cannot_be_used():
    check_criterion("ade", {"success_rate": (">=", 0.9)}, ["ade", "success_rate"])
    with pytest.raises(ValueError, match="unknown metric 'adee': .* ade, fde"):
        check_criterion("adee", {}, ["ade", "fde"])
    with pytest.raises(ValueError, match="unknown metric 'succes'"):
        check_criterion("ade", {"succes": (">=", 0.9)}, ["ade", "fde"])
    with pytest.raises(ValueError, match="cannot rank by 'speed_mean'.*success_rate, .*ade, fde"):
        check_criterion("speed_mean", {})
    with pytest.raises(ValueError, match="constraint on ade is"):
        check_criterion("ade", {"ade": ("==", 1.0)})
    with pytest.raises(ValueError, match="constraint on ade is"):
        check_criterion("ade", {"ade": 1.0})  # type: ignore[dict-item]
