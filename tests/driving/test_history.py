"""Comfort and driving direction over an episode, against SciPy and by hand."""

import math

import numpy as np
import pytest

from sb3_delta_waypoint.driving.history import MOMENTS, look_back, remember
from sb3_delta_waypoint.driving.kernels import kernel
from sb3_delta_waypoint.driving.records import FRESH_TOTALS, MOMENT
from tests.driving.scoring import IN_LANE, a_car
from tests.driving.scoring import comfortable as scipys_verdict

DT = 0.1


@kernel
def _drive(history, totals, cars, signals, standing):
    for t in range(signals.shape[0]):
        car = cars[0]
        car.acceleration, car.speed, car.yaw_rate, car.yaw = signals[t, 0], 1.0, signals[t, 1], signals[t, 2]
        totals[0].steps += 1
        remember(history, car, totals[0], standing, DT)
    look_back(history, totals[0], DT, True)


def driven(signals, against=0.0):
    """The totals after an episode of these accelerations, lateral accelerations and yaws ``(T, 3)``."""
    totals = FRESH_TOTALS.copy()
    _drive(np.zeros(MOMENTS, MOMENT), totals, a_car(), np.asarray(signals, float), IN_LANE._replace(against=against))
    return totals[0]


def comfortable(acceleration=0.0, lateral=0.0, yaw=0.0, n=60):
    columns = [np.broadcast_to(np.asarray(values, float), n) for values in (acceleration, lateral, yaw)]
    return not driven(np.transpose(columns))["uncomfortable"]


TIME = np.arange(60) * DT


@pytest.mark.parametrize(
    ("inside", "outside"),
    [
        ({"acceleration": 2.39}, {"acceleration": 2.41}),
        ({"acceleration": -4.04}, {"acceleration": -4.06}),
        ({"lateral": 4.88}, {"lateral": 4.90}),
        ({"lateral": -4.88}, {"lateral": -4.90}),
        # an odd window follows a ramp exactly
        ({"acceleration": 4.12 * (TIME - 0.3), "n": 7}, {"acceleration": 4.14 * (TIME - 0.3), "n": 7}),
        ({"lateral": 8.36 * TIME, "n": 5}, {"lateral": 8.38 * TIME, "n": 5}),
        ({"yaw": 0.94 * TIME}, {"yaw": 0.96 * TIME}),
        ({"yaw": -0.94 * TIME}, {"yaw": -0.96 * TIME}),
        ({"yaw": 0.5 * 1.92 * (TIME - 0.4) ** 2, "n": 9}, {"yaw": 0.5 * 1.94 * (TIME - 0.4) ** 2, "n": 9}),
    ],
)
def test_just_comfortable_and_just_not(inside, outside):
    for signals, verdict in ((inside, True), (outside, False)):
        n = signals.get("n", 60)
        values = {name: value[:n] if isinstance(value, np.ndarray) else value for name, value in signals.items()}
        assert comfortable(**values) is verdict, values


def test_a_yaw_that_wraps_is_no_jump():
    assert comfortable(yaw=np.arctan2(np.sin(3.0 + 0.5 * TIME), np.cos(3.0 + 0.5 * TIME)))


def test_episodes_of_any_length_are_judged_as_a_whole():
    """A bump somewhere, also where one part of the history ends and the next begins."""
    rng, verdicts = np.random.default_rng(0), []
    for n in (5, 6, 7, 8, 9, 14, 15, 40, MOMENTS - 1, MOMENTS, MOMENTS + 1, MOMENTS + 8, 2 * MOMENTS, 250, 400):
        for _ in range(40):
            at, width, which = rng.uniform(0, n), rng.uniform(0.5, 12.0), rng.integers(3)
            bump = np.exp(-(((np.arange(n) - at) / width) ** 2))
            signals = np.zeros((3, n), np.float32)
            signals[which] = bump * rng.uniform(-1, 1) * (6.0, 10.0, 1.5)[which]
            expected = scipys_verdict(*signals.astype(float))
            assert (not driven(signals.T)["uncomfortable"]) == expected, (n, at, width, which)
            verdicts.append(expected)
    assert 0.2 < np.mean(verdicts) < 0.8


def test_shorter_episodes_are_not_judged():
    assert not driven(np.full((4, 3), 100.0))["uncomfortable"]


@pytest.mark.parametrize("n", [3, 10, 11, MOMENTS + 5, 300])
def test_the_distance_against_the_lane_within_a_second(n):
    assert driven(np.zeros((n, 3)), against=0.3)["against_max"] == pytest.approx(0.3 * min(n, 10), abs=1e-4)
    assert math.isclose(driven(np.zeros((n, 3)))["against_max"], 0.0)
