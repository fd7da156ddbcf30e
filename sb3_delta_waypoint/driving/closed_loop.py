"""
The closed-loop score of an episode, by nuPlan's definitions, and its terms.

    score = 100 · no_at_fault_collision · drivable_area · making_progress · driving_direction · red_light
            · (5·progress + 5·time_to_collision + 4·speed_limit + 2·comfort) / 16

A term that cannot be computed is NaN and left out: it counts as 1 in the product, and the weights of the others are used.
"""

import math
from typing import NamedTuple

from sb3_delta_waypoint.driving.history import SHORTEST
from sb3_delta_waypoint.driving.kernels import inlined, kernel
from sb3_delta_waypoint.driving.records import Record
from sb3_delta_waypoint.driving.time_to_collision import BOUND

TOLERATED_OBJECTS = 1
"""Number of objects that may be touched before the score is 0; of vehicles and vulnerable road users none may."""
LEAST_PROGRESS, MAKING_PROGRESS = 2.0, 0.2
"""Progress is not compared below this [m]; least share of the reference's progress."""
LITTLE_AGAINST, MUCH_AGAINST = 2.0, 6.0
"""Distances against the lane's direction within a second [m] from which the term is one half, and 0."""
POINTS = 100.0
"""The score of an episode in which all terms are 1."""
OVERSPEED = 2.23
"""Mean speed above the limit at which the score's term is 0 [m/s]."""


class Terms(NamedTuple):
    """Terms of the score, each in [0, 1], NaN where it cannot be computed."""

    no_at_fault_collision: float
    drivable_area: float
    making_progress: float
    driving_direction: float
    red_light: float
    progress: float
    time_to_collision: float
    speed_limit: float
    comfort: float


@inlined
def _spared(contacts: int, tolerated: int) -> float:
    return max(0.0, 1.0 - contacts / (tolerated + 1.0))


@kernel
def score_terms(car: Record, totals: Record, reached_goal: bool, reference: float) -> Terms:
    """
    Compute the terms of an episode's score.

    :param car: record of :data:`~.records.CAR`
    :param totals: record of :data:`~.records.TOTALS`, whose history has been looked at
    :param reached_goal: whether the episode ended at the goal
    :param reference: progress of the reference on the route [m]
    :return: the terms
    """
    driven = car.progress - totals.start_progress
    progress = 1.0 if reached_goal else min(1.0, max(driven, LEAST_PROGRESS) / max(reference, LEAST_PROGRESS))
    if driven < -LEAST_PROGRESS:
        progress = 0.0
    direction = 1.0 if totals.against_max < LITTLE_AGAINST else 0.5 if totals.against_max < MUCH_AGAINST else 0.0
    overspeed = totals.overspeed_sum / (OVERSPEED * totals.steps_limited)
    return Terms(
        no_at_fault_collision=_spared(totals.fault_vehicle, 0)
        * _spared(totals.fault_vulnerable, 0)
        * _spared(totals.fault_object, TOLERATED_OBJECTS),
        drivable_area=0.0 if totals.steps_off_area > 0 else 1.0,
        making_progress=1.0 if progress >= MAKING_PROGRESS else 0.0,
        driving_direction=direction if totals.steps_directed > 0 else math.nan,
        red_light=math.nan if totals.steps_unlit > 0 else 1.0 if totals.red_lights == 0 else 0.0,
        progress=progress,
        time_to_collision=1.0 if totals.time_to_collision_min > BOUND else 0.0,
        speed_limit=max(0.0, 1.0 - overspeed) if totals.steps_limited > 0 else math.nan,
        comfort=math.nan if totals.steps < SHORTEST else 0.0 if totals.uncomfortable else 1.0,
    )


@kernel
def closed_loop_score(terms: Terms, with_lights: bool = True, with_comfort: bool = True) -> float:
    """
    Combine the terms of an episode's score.

    :param terms: the terms
    :param with_lights: whether red lights count
    :param with_comfort: whether comfort counts
    :return: the score in points, 0 to 100
    """
    product = POINTS * terms.no_at_fault_collision * terms.drivable_area * terms.making_progress
    if not math.isnan(terms.driving_direction):
        product *= terms.driving_direction
    if with_lights and not math.isnan(terms.red_light):
        product *= terms.red_light
    total, weights = 5.0 * terms.progress + 5.0 * terms.time_to_collision, 10.0
    if not math.isnan(terms.speed_limit):
        total, weights = total + 4.0 * terms.speed_limit, weights + 4.0
    if with_comfort and not math.isnan(terms.comfort):
        total, weights = total + 2.0 * terms.comfort, weights + 2.0
    return product * total / weights
