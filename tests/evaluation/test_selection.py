"""Constraints as people type them, and the best under them."""

import math

import pytest

from sb3_delta_waypoint.evaluation.selection import check_criterion, describe_where, is_better, parse_where, satisfies, select


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


def test_direction_of_better():
    assert is_better("ade", 0.4, 0.5) and not is_better("ade", 0.6, 0.5)
    assert is_better("success_rate", 0.6, 0.5) and not is_better("success_rate", 0.4, 0.5)
    assert is_better("ade", 0.5, None)
    assert not is_better("ade", 0.5, 0.5)
    assert not is_better("ade", math.nan, None) and not is_better("ade", math.nan, 0.5)


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
    with pytest.raises(ValueError, match="cannot rank by 'speed_mean'.*success_rate, ade"):
        check_criterion("speed_mean", {})
    with pytest.raises(ValueError, match="constraint on ade is"):
        check_criterion("ade", {"ade": ("==", 1.0)})
    with pytest.raises(ValueError, match="constraint on ade is"):
        check_criterion("ade", {"ade": 1.0})  # type: ignore[dict-item]
