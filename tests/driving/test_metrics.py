"""Displacement errors by hand, and what the metrics' names say."""

import numpy as np
import pytest

from sb3_delta_waypoint.driving.metrics import (
    METRICS,
    ade,
    as_rates,
    displacement,
    displacement_names,
    fde,
    in_reading_order,
    metric_info,
)


def test_displacement_ade_and_fde_by_hand():
    expert = np.array([[1.0, 0.0], [2.0, 0.0], [3.0, 0.0]])
    predicted = np.array([[1.0, 0.0], [2.0, 1.0], [6.0, 4.0]])
    np.testing.assert_allclose(displacement(predicted, expert), [0.0, 1.0, 5.0])
    assert ade(predicted, expert) == pytest.approx(2.0)
    assert fde(predicted, expert) == pytest.approx(5.0)


def test_leading_axes_are_kept():
    rng = np.random.default_rng(0)
    predicted, expert = rng.normal(size=(2, 5, 3, 20, 2))
    assert displacement(predicted, expert).shape == (5, 3, 20)
    assert ade(predicted, expert).shape == fde(predicted, expert).shape == (5, 3)
    np.testing.assert_allclose(ade(predicted, expert)[4, 1], ade(predicted[4, 1], expert[4, 1]))


@pytest.mark.parametrize(
    ("predicted", "expert"),
    [((20, 2), (10, 2)), ((20, 3), (20, 3)), ((2,), (2,)), ((4, 0, 2), (4, 0, 2)), ((5, 4, 2), (4, 2))],
)
def test_shapes_that_do_not_fit_are_named(predicted, expert):
    with pytest.raises(ValueError, match=r"\(\.\.\., H, 2\)"):
        displacement(np.zeros(predicted), np.zeros(expert))


@pytest.mark.parametrize(
    ("name", "higher_is_better"),
    [
        ("success_rate", True),
        ("ade", False),
        ("open_loop_fde", False),
        ("displacement_7", False),
        ("open_loop_displacement_20", False),
        ("reward_progress", True),
        ("speed_mean", None),
        ("something_new", None),
    ],
)
def test_direction_of_each_family(name, higher_is_better):
    assert metric_info(name).name == name
    assert metric_info(name).higher_is_better is higher_is_better


def test_reading_order_puts_headlines_first_and_displacements_by_step():
    names = ["displacement_10", "zeta", "reward_goal", "displacement_2", "ade", "success_rate"]
    assert in_reading_order(names) == ["success_rate", "ade", "zeta", "reward_goal", "displacement_2", "displacement_10"]
    assert displacement_names(names) == ["displacement_2", "displacement_10"]
    assert next(iter(METRICS)) == "success_rate"


def test_success_becomes_a_rate():
    metrics = as_rates({"success": np.array([1.0, 0.0]), "ade": np.array([0.5, 0.7])})
    assert list(metrics) == ["success_rate", "ade"]
