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
"""Infractions that end a route early, whose cost is the missing part of the route completion."""
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
"""Number of routes of Bench2Drive, the divisor of its averages even if fewer were driven."""


class Infraction(NamedTuple):
    """
    One infraction.

    :param kind: one of :data:`KINDS`
    :param percentage: for ``outside_route_lanes``, the share of the driven distance outside the lanes, 0 to 100; for
        ``min_speed_infractions``, own speed relative to that of the surrounding traffic, where 100 and more is fast enough
    """

    kind: str
    percentage: float | None = None


@dataclass(frozen=True)
class Rules:
    """
    The penalties of a benchmark for infractions.

    :param name: name of the benchmark
    :param charges: charge of one infraction by kind: a factor if charges are multiplied, a summand if they are added. For
        ``min_speed_infractions`` it is the charge at standstill; the actual charge is linear in the missing speed
    :param additive: whether the charges are added, ``1 / (1 + sum)``, instead of multiplied
    """

    name: str
    charges: Mapping[str, float]
    additive: bool

    def penalty(self, infractions: Sequence[Infraction]) -> float:
        """
        Return the factor by which infractions reduce the route completion. By all rules, distance driven outside the route's
        lanes reduces it in proportion.

        :param infractions: infractions of one route, in any order
        :return: the factor, from 0 to 1; 1 without infractions
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
    :param composed: the driving score, ``route * penalty``, 0 to 100
    """

    route: float
    penalty: float
    composed: float


def driving_score(route_completion: float, infractions: Sequence[Infraction], rules: Rules = BENCH2DRIVE) -> Score:
    """
    Return the driving score of one route.

    :param route_completion: route completion, 0 to 100
    :param infractions: infractions of the route, in any order
    :param rules: rules of the benchmark, one of :data:`RULES`
    :return: the score and its factors
    :raises ValueError: if the completion is out of range, or an infraction is malformed
    """
    if not 0.0 <= route_completion <= 100.0:
        raise ValueError(f"route completion is {route_completion}, expected 0 to 100")
    penalty = rules.penalty(infractions)
    return Score(route_completion, penalty, route_completion * penalty)


def is_success(completed: bool, infractions: Sequence[Infraction]) -> bool:
    """
    Return whether a route is a success by Bench2Drive's definition: it was completed without any infraction except those of
    the minimum speed.

    :param completed: whether the goal was reached
    :param infractions: infractions of the route, in any order
    :return: whether it counts as a success
    """
    return completed and all(infraction.kind == MIN_SPEED for infraction in infractions)


def _extent(infraction: Infraction) -> float:
    """Return the share of the full charge that an infraction costs, 0 to 1."""
    kind, percentage = infraction
    if kind not in KINDS:
        raise ValueError(f"unknown kind of infraction {kind!r}; known: {', '.join(KINDS)}")
    if kind not in (OUTSIDE_LANES, MIN_SPEED):
        return 1.0
    if percentage is None or not math.isfinite(percentage) or percentage < 0.0:
        raise ValueError(f"an infraction of kind {kind!r} has the percentage {percentage}, expected a number from 0")
    share = min(percentage, 100.0) / 100.0
    return share if kind == OUTSIDE_LANES else 1.0 - share
