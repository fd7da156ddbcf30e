"""
Routes in CARLA's maps: between two places, between spawn points drawn by seed, or through a list of places.

A place is ``(x, y)``, ``(x, y, yaw)`` or ``(x, y, yaw, z)`` in the package's right-handed frame, metres and radians. A yaw
selects lanes of that direction, and None stands for any direction. A height selects lanes of that level, where lanes are above
one another.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sb3_delta_waypoint.driving.network import polyline_length, resample
from sb3_delta_waypoint.maps.lane_graph import SNAP_DISTANCE, LaneGraph, Place

BACKWARDS = 2.0
"""Largest distance behind the previous place at which a place still counts as reached [m], since places are imprecise."""
OFFSET_COST = 20.0
"""Cost of passing a place, per metre of distance from it [m]. To pass it on the lane beside costs more than to change lanes
and back, but less than to drive round a block."""
OFFSET_DISTANCE = 30.0
"""Places closer to one another than this have a lower weight [m], so that many on one lane count no more than a few."""


Location = Sequence[float | None]
"""A place: x, y [m] and optionally yaw [rad] and height [m]."""


class RouteWeather(NamedTuple):
    """
    Weather at one point of a route.

    :param percentage: position of the point, in percent of the route; between two points the weather changes linearly
    :param parameters: parameters of ``carla.WeatherParameters``, by name
    """

    percentage: float
    parameters: Mapping[str, float]


class RouteScenario(NamedTuple):
    """
    A scenario on a leaderboard route.

    :param name: name in the file
    :param type: name of the class in ScenarioRunner
    :param trigger: pose where it starts, ``(x, y, yaw)``, metres and radians, right-handed frame
    :param parameters: the scenario's other elements: name and attributes of each
    """

    name: str
    type: str
    trigger: tuple[float, float, float]
    parameters: tuple[tuple[str, Mapping[str, str]], ...]


class Route(NamedTuple):
    """
    A route: the line to drive along, with its speed limits.

    :param name: name in reports
    :param town: name of the map, None where it does not matter
    :param points: float64 ``(N, 2)`` metres, right-handed frame, equally spaced by at most 1 m along the middle of the lane
    :param speeds: float64 ``(N,)`` speed limit [m/s], ``inf`` where there is none
    :param weather: weather along the route, by increasing percentage; empty for no change
    :param scenarios: scenarios along the route
    :param heights: float64 ``(N,)``, heights of the points [m]; empty if unknown
    """

    name: str
    town: str | None
    points: NDArray[np.float64]
    speeds: NDArray[np.float64]
    weather: tuple[RouteWeather, ...] = ()
    scenarios: tuple[RouteScenario, ...] = ()
    heights: NDArray[np.float64] = np.empty(0)

    def height_at(self, distance: NDArray[np.float64]) -> NDArray[np.float64]:
        """
        Heights along the route.

        :param distance: arc lengths from the start of the route [m]
        :return: heights there [m]
        """
        heights: NDArray[np.float64] = np.interp(distance, np.linspace(0.0, self.length, len(self.heights)), self.heights)
        return heights

    @property
    def length(self) -> float:
        """Length of the route [m]."""
        return polyline_length(self.points)


def plan_route(road_map: LaneGraph, start: Location, goal: Location, name: str = "") -> Route:
    """
    Plan the shortest way between two places, with lane changes where they are needed and the road markings allow them.

    :param road_map: the lanes
    :param start: first place
    :param goal: last place
    :param name: name of the route
    :return: the route
    :raises ValueError: if a place is not on the road, or there is no way
    """
    return route_through(road_map, [start, goal], name)


def random_route(
    road_map: LaneGraph,
    spawn_points: Sequence[Location],
    seed: int,
    min_length: float = 50.0,
    max_length: float = 400.0,
    name: str = "",
) -> Route:
    """
    Plan a route between two spawn points, which are drawn by seed.

    :param road_map: the lanes
    :param spawn_points: places; those that are not on the road are omitted
    :param seed: seed of the draw; equal arguments give equal routes
    :param min_length: shortest route [m]
    :param max_length: longest route [m]
    :param name: name of the route
    :return: the route
    :raises ValueError: if no two spawn points are joined by a way of such a length
    """
    places = [found[0] for point in spawn_points if (found := _locate(road_map, point))]
    rng = np.random.default_rng(seed)
    for start in rng.permutation(len(places)):
        for goal in rng.permutation(len(places)):
            if min_length <= _cost(road_map, places[start], places[goal]) < math.inf:
                stretches = _stretches(road_map, places[start], places[goal])
                if min_length <= _length(road_map, stretches, places[start], places[goal]) <= max_length:
                    return _route(road_map, stretches, places[start], places[goal], name)
    raise ValueError(
        f"map {road_map.town}: none of the {len(spawn_points)} spawn points, {len(places)} of them on the road, is "
        f"{min_length:g} to {max_length:g} m by road from another; there are no routes of this length"
    )


def route_through(road_map: LaneGraph, locations: Sequence[Location], name: str = "") -> Route:
    """
    Plan the shortest way through a list of places, in their order.

    Where lanes overlap, as in junctions, each place is on the lane that makes the whole way shortest. With more than two
    places, all but the first may be passed on a lane beside them if there is no room to change lanes, as is often the case in
    the leaderboards' route files.

    :param road_map: the lanes
    :param locations: at least two places
    :param name: name of the route
    :return: the route
    :raises ValueError: naming the place, if one is not on the road or there is no way to it
    """
    if len(locations) < 2:
        raise ValueError(f"route {name!r} has {len(locations)} places; it needs at least 2")
    beside = len(locations) > 2  # with only two places, both are exact
    choices = [_located(road_map, number, place, name, beside and number > 0) for number, place in enumerate(locations)]
    choices[-1] = tuple(place for place in choices[-1] if place.stretch < road_map.n_lane_stretches)
    gaps = [math.dist(one[:2], other[:2]) for one, other in pairwise(locations)]  # type: ignore[arg-type]
    # cost of the best way so far to each candidate of a place, and the candidate of the previous place on it
    costs = np.array([OFFSET_COST * place.offset for place in choices[0]])
    best_before = []
    for number in range(1, len(choices)):
        legs = np.array([[_cost(road_map, start, goal) for start in choices[number - 1]] for goal in choices[number]])
        is_goal = number == len(choices) - 1
        weight = OFFSET_COST * (1.0 if is_goal else min(gaps[number - 1] / OFFSET_DISTANCE, 1.0))
        totals = legs + costs + weight * np.array([[place.offset] for place in choices[number]])
        if not np.isfinite(totals).any():
            before, here = (_shown(locations[index]) for index in (number - 1, number))
            raise ValueError(
                f"route {name!r}: no way from place {number - 1} at {before} to place {number} at {here} in {road_map.town}; "
                "one-way lanes, or a lane change where the road markings forbid it?"
            )
        best_before.append(totals.argmin(axis=1))
        costs = totals.min(axis=1)
    chosen = [int(costs.argmin())]
    for before in reversed(best_before):
        chosen.append(int(before[chosen[-1]]))
    places = [choice[index] for choice, index in zip(choices, reversed(chosen), strict=True)]

    stretches = [places[0].stretch]
    at = places[0].along
    for start, goal in pairwise(places):
        leg = _stretches(road_map, start._replace(along=at), goal)
        at = max(at, goal.along) if len(leg) == 1 else goal.along
        stretches += leg[1:]
    return _route(road_map, stretches, places[0], places[-1]._replace(along=at), name)


def _locate(road_map: LaneGraph, location: Location, beside: bool = False) -> tuple[Place, ...]:
    """Candidates for a place on the lanes; none if one of its numbers is not finite."""
    x, y, yaw, z = (*(None if value is None else float(value) for value in location), None, None)[:4]
    if not all(math.isfinite(value) for value in (x, y, yaw, z) if value is not None):
        return ()
    found: tuple[Place, ...] = road_map.locate(x, y, yaw, beside, z)
    return found


def _located(road_map: LaneGraph, number: int, location: Location, name: str, beside: bool) -> tuple[Place, ...]:
    found = _locate(road_map, location, beside)
    if not found:
        direction = " in its direction" if len(location) > 2 and location[2] is not None else ""
        raise ValueError(
            f"route {name!r}: place {number} at {_shown(location)} is not on the road: no driving lane{direction} within "
            f"{SNAP_DISTANCE:g} m in {road_map.town}"
        )
    return found


def _cost(road_map: LaneGraph, start: Place, goal: Place) -> float:
    """Cost of the way from one place to another [m], ``inf`` if there is none."""
    if start.stretch == goal.stretch and goal.along >= start.along - BACKWARDS:
        return max(goal.along - start.along, 0.0)
    if start.stretch == goal.stretch:
        return min((cost for cost, _ in _circles(road_map, start.stretch)), default=math.inf) + goal.along - start.along
    return road_map.costs(start.stretch).get(goal.stretch, math.inf) + goal.along - start.along


def _stretches(road_map: LaneGraph, start: Place, goal: Place) -> list[int]:
    """The stretches from one place to another, both included."""
    if start.stretch == goal.stretch and goal.along >= start.along - BACKWARDS:
        return [start.stretch]
    if start.stretch == goal.stretch:
        return min(_circles(road_map, start.stretch))[1]
    return road_map.way(start.stretch, goal.stretch)


def _circles(road_map: LaneGraph, stretch: int) -> list[tuple[float, list[int]]]:
    """Ways from the start of a stretch back to it, with their costs."""
    costs = road_map.costs(stretch)
    return [
        (costs[last] + road_map.cost(last), [*road_map.way(stretch, last), stretch])
        for last in road_map.graph.predecessors(stretch)
        if last in costs
    ]


def _length(road_map: LaneGraph, stretches: list[int], start: Place, goal: Place) -> float:
    """Length of the way along some stretches, from place to place [m]."""
    return sum(map(road_map.length, stretches[:-1])) + goal.along - start.along


def _route(road_map: LaneGraph, stretches: list[int], start: Place, goal: Place, name: str) -> Route:
    """The line along some stretches, from a place on the first to a place on the last."""
    points, speeds = [], []
    for index, stretch in enumerate(stretches):
        first = start.along if index == 0 else 0.0
        last = goal.along if index == len(stretches) - 1 else road_map.length(stretch)
        part, limit = road_map.between(stretch, first, last)
        points.append(part)
        speeds.append(limit)
    line, heights = np.split(np.concatenate(points), [2], axis=1)
    limits = np.concatenate(speeds)
    if polyline_length(line) < 1.0:
        raise ValueError(f"route {name!r} is {polyline_length(line):.2f} m long in {road_map.town}; it needs at least 1 m")
    spaced, limits = resample(line, _held(limits))
    along = np.append(0.0, np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1)))
    spaced_heights = np.interp(np.linspace(0.0, along[-1], len(spaced)), along, heights[:, 0])
    return Route(name, road_map.town, spaced, limits, heights=spaced_heights)


def _held(limits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Speed limits in which gaps, such as junctions, have the limit of the road before them, or else after them."""
    known = np.flatnonzero(np.isfinite(limits))
    if len(known) == 0:
        return limits
    return limits[known[np.maximum(np.searchsorted(known, np.arange(len(limits)), side="right") - 1, 0)]]


def _shown(location: Sequence[Any]) -> str:
    return "(" + ", ".join(f"{float(value):.2f}" for value in location[:2]) + ")"
