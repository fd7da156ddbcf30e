"""
The driving score of closed-loop benchmarks: CARLA leaderboard 2.0 and 2.1, Bench2Drive.

Sources: ``leaderboard/utils/statistics_manager.py`` of the branches ``leaderboard-2.0`` and ``leaderboard-2.1`` of
https://github.com/carla-simulator/leaderboard; the same file and ``tools/merge_route_json.py`` of
https://github.com/Thinklab-SJTU/Bench2Drive (Jia et al. 2024, "Bench2Drive: Towards Multi-Ability Benchmarking of Closed-Loop
End-To-End Autonomous Driving").
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

OUTSIDE_LANES = "outside_route_lanes"
MIN_SPEED = "min_speed_infractions"
UNPENALISED = ("route_dev", "vehicle_blocked", "route_timeout")
"""Infractions that end a route early: what they cost is the rest of its completion."""
KINDS = (
    "collisions_pedestrian",
    "collisions_vehicle",
    "collisions_layout",
    "red_light",
    "stop_infraction",
    "scenario_timeouts",
    "yield_emergency_vehicle_infractions",
    OUTSIDE_LANES,
    MIN_SPEED,
    *UNPENALISED,
)
"""Every kind of infraction, by its name in the benchmarks' result files."""
BENCH2DRIVE_ROUTES = 220
"""Bench2Drive has so many routes, and divides by it even where fewer were driven."""


class Infraction(NamedTuple):
    """
    One infraction.

    :param kind: one of :data:`KINDS`
    :param percentage: of ``outside_route_lanes``: share of the driven distance that lay outside, 0 to 100; of
        ``min_speed_infractions``: own speed over that of the traffic around, 100 and more being fast enough
    """

    kind: str
    percentage: float | None = None


@dataclass(frozen=True)
class Rules:
    """
    What a benchmark charges for infractions.

    :param name: of the benchmark
    :param charges: by kind, for one infraction: a factor where penalties are multiplied, a summand where they are added. For
        ``min_speed_infractions`` the charge of standing still, between which and none it is linear in the missing speed
    :param additive: whether the charges add up, ``1 / (1 + sum)``, instead of multiplying
    """

    name: str
    charges: Mapping[str, float]
    additive: bool

    def penalty(self, infractions: Sequence[Infraction]) -> float:
        """
        The factor that infractions leave of the route completion. Distance driven outside the route's lanes is taken off in
        proportion by all rules.

        :param infractions: in any order
        :return: in [0, 1], 1 for none
        :raises ValueError: if a kind is unknown, or a percentage is missing
        """
        factor, total = 1.0, 0.0
        for infraction in infractions:
            extent = _extent(infraction)
            if infraction.kind == OUTSIDE_LANES:
                factor *= 1.0 - extent
            elif infraction.kind not in self.charges:
                continue
            elif self.additive:
                total += self.charges[infraction.kind] * extent
            else:
                factor *= 1.0 - (1.0 - self.charges[infraction.kind]) * extent
        return factor / (1.0 + total)


LEADERBOARD_2_0 = Rules(
    "leaderboard-2.0",
    {
        "collisions_pedestrian": 0.5,
        "collisions_vehicle": 0.6,
        "collisions_layout": 0.65,
        "red_light": 0.7,
        "stop_infraction": 0.8,
        "scenario_timeouts": 0.7,
        "yield_emergency_vehicle_infractions": 0.7,
        MIN_SPEED: 0.7,
    },
    additive=False,
)
LEADERBOARD_2_1 = Rules(
    "leaderboard-2.1",
    {
        "collisions_pedestrian": 1.0,
        "collisions_vehicle": 0.7,
        "collisions_layout": 0.6,
        "red_light": 0.4,
        "stop_infraction": 0.25,
        "scenario_timeouts": 0.4,
        "yield_emergency_vehicle_infractions": 0.4,
        MIN_SPEED: 0.4,
    },
    additive=True,
)
BENCH2DRIVE = Rules(
    "bench2drive",
    {kind: charge for kind, charge in LEADERBOARD_2_0.charges.items() if kind != MIN_SPEED},
    additive=False,
)
RULES = {rules.name: rules for rules in (BENCH2DRIVE, LEADERBOARD_2_0, LEADERBOARD_2_1)}


class Score(NamedTuple):
    """
    The score of one route.

    :param route: route completion, 0 to 100
    :param penalty: the factor of the infractions, 0 to 1
    :param composed: the driving score, ``route * penalty``
    """

    route: float
    penalty: float
    composed: float


def driving_score(route_completion: float, infractions: Sequence[Infraction], rules: Rules = BENCH2DRIVE) -> Score:
    """
    The driving score of one route.

    :param route_completion: 0 to 100
    :param infractions: in any order
    :param rules: one of :data:`RULES`
    :return: the score and what it is made of
    :raises ValueError: if the completion is out of range, or an infraction is malformed
    """
    if not 0.0 <= route_completion <= 100.0:
        raise ValueError(f"route completion is {route_completion}, expected 0 to 100")
    penalty = rules.penalty(infractions)
    return Score(route_completion, penalty, route_completion * penalty)


def is_success(completed: bool, infractions: Sequence[Infraction]) -> bool:
    """
    Bench2Drive's success: the route was completed without any infraction but of the minimum speed.

    :param completed: whether the goal was reached
    :param infractions: in any order
    :return: whether it counts as a success
    """
    return completed and all(infraction.kind == MIN_SPEED for infraction in infractions)


def _extent(infraction: Infraction) -> float:
    """How much of the full charge an infraction costs, 0 to 1."""
    kind, percentage = infraction
    if kind not in KINDS:
        raise ValueError(f"unknown kind of infraction {kind!r}; known: {', '.join(KINDS)}")
    if kind not in (OUTSIDE_LANES, MIN_SPEED):
        return 1.0
    if percentage is None or not math.isfinite(percentage) or percentage < 0.0:
        raise ValueError(f"an infraction of kind {kind!r} has the percentage {percentage}, expected a number from 0")
    share = min(percentage, 100.0) / 100.0
    return share if kind == OUTSIDE_LANES else 1.0 - share
