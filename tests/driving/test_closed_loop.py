"""The closed-loop score: each term just inside, just outside and left out."""

import math

import numpy as np
import pytest

from sb3_delta_waypoint.driving.closed_loop import Terms, closed_loop_score, score_terms
from sb3_delta_waypoint.driving.kernels import kernel
from sb3_delta_waypoint.driving.records import FRESH_TOTALS
from tests.driving.scoring import a_car

PERFECT = Terms(1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)


@kernel
def _terms(cars, totals, reached_goal, reference):
    return score_terms(cars[0], totals[0], reached_goal, reference)


def terms(progress=50.0, reference=100.0, goal=False, **totals):
    episode = FRESH_TOTALS.copy()
    for name, value in {"steps": 100, "steps_directed": 100, "steps_limited": 100, **totals}.items():
        episode[name] = value
    car = a_car()
    car["progress"] = progress
    return _terms(car, episode, goal, reference)


@pytest.mark.parametrize(
    ("totals", "term", "value"),
    [
        ({}, "no_at_fault_collision", 1.0),
        ({"hit_vehicle": 3}, "no_at_fault_collision", 1.0),
        ({"fault_vehicle": 1}, "no_at_fault_collision", 0.0),
        ({"fault_vulnerable": 1}, "no_at_fault_collision", 0.0),
        ({"fault_object": 1}, "no_at_fault_collision", 0.5),
        ({"fault_object": 2}, "no_at_fault_collision", 0.0),
        ({"fault_object": 3}, "no_at_fault_collision", 0.0),
        ({"steps_off_area": 0}, "drivable_area", 1.0),
        ({"steps_off_area": 1}, "drivable_area", 0.0),
        ({"progress": 20.0}, "making_progress", 1.0),
        ({"progress": 19.9}, "making_progress", 0.0),
        ({"against_max": 1.99}, "driving_direction", 1.0),
        ({"against_max": 2.0}, "driving_direction", 0.5),
        ({"against_max": 5.99}, "driving_direction", 0.5),
        ({"against_max": 6.0}, "driving_direction", 0.0),
        ({"steps_directed": 0}, "driving_direction", math.nan),
        ({"stop_lines": 2}, "red_light", 1.0),
        ({"red_lights": 1}, "red_light", 0.0),
        ({"red_lights": 1, "steps_unlit": 1}, "red_light", math.nan),
        ({}, "progress", 0.5),
        ({"progress": 130.0}, "progress", 1.0),
        ({"progress": 60.0, "start_progress": 20.0}, "progress", 0.4),
        ({"progress": -1.9}, "progress", 0.02),
        ({"progress": -2.1}, "progress", 0.0),
        ({"progress": 1.0, "reference": 0.5}, "progress", 1.0),
        ({"progress": 99.0, "start_progress": 1.0, "goal": True}, "progress", 1.0),
        ({"time_to_collision_min": 1.0}, "time_to_collision", 1.0),
        ({"time_to_collision_min": 0.95}, "time_to_collision", 0.0),
        ({}, "time_to_collision", 1.0),
        ({"overspeed_sum": 0.0}, "speed_limit", 1.0),
        ({"overspeed_sum": 2.23 * 25}, "speed_limit", 0.75),
        ({"overspeed_sum": 2.23 * 100}, "speed_limit", 0.0),
        ({"overspeed_sum": 2.23 * 101}, "speed_limit", 0.0),
        ({"steps_limited": 0}, "speed_limit", math.nan),
        ({}, "comfort", 1.0),
        ({"uncomfortable": True}, "comfort", 0.0),
        ({"steps": 5}, "comfort", 1.0),
        ({"steps": 4}, "comfort", math.nan),
    ],
)
def test_terms(totals, term, value):
    assert getattr(terms(**totals), term) == pytest.approx(value, nan_ok=True)


def test_the_score_by_hand():
    assert closed_loop_score(PERFECT) == 100.0
    assert closed_loop_score(PERFECT._replace(progress=0.5, comfort=0.0)) == pytest.approx(100 * (2.5 + 5 + 4) / 16)
    assert closed_loop_score(PERFECT._replace(time_to_collision=0.0, speed_limit=0.25)) == pytest.approx(
        100 * (5 + 1 + 2) / 16
    )
    for factor in Terms._fields[:5]:
        assert closed_loop_score(PERFECT._replace(**{factor: 0.5})) == 50.0


def test_terms_that_are_left_out():
    nan = math.nan
    poor = PERFECT._replace(progress=0.5, comfort=0.0)
    assert closed_loop_score(poor._replace(speed_limit=nan)) == pytest.approx(100 * (2.5 + 5) / 12)
    assert closed_loop_score(poor._replace(comfort=nan)) == pytest.approx(100 * (2.5 + 5 + 4) / 14)
    assert closed_loop_score(PERFECT._replace(driving_direction=nan, red_light=nan)) == 100.0


def test_the_score_without_lights_and_without_comfort():
    terms = PERFECT._replace(red_light=0.0, comfort=0.0, progress=0.5)
    assert closed_loop_score(terms) == 0.0
    assert closed_loop_score(terms, False) == pytest.approx(100 * (2.5 + 5 + 4) / 16)
    assert closed_loop_score(terms._replace(red_light=1.0), True, False) == pytest.approx(100 * (2.5 + 5 + 4) / 14)
    assert np.isnan(closed_loop_score(terms._replace(progress=math.nan), False))
