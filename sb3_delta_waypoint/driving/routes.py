"""Routes: drawing them by seed, from random curvature or from a road network, and projecting cars on them.

A route in memory is an array of :data:`~.records.ROUTE_POINT` records exactly 1 m of arc length apart, so that the whole
part of an arc length is the index of the point behind it.
"""

import math
from typing import NamedTuple

import numpy as np

from sb3_delta_waypoint.driving.expert import ExpertParameters
from sb3_delta_waypoint.driving.kernels import inlined
from sb3_delta_waypoint.driving.network import MapShares, RoadNetwork, reachable_length
from sb3_delta_waypoint.driving.records import Record
from sb3_delta_waypoint.driving.scenarios import hash64, uniform

KNOT_SPACING = 12.5
"""A random route's curvature runs smoothly from one random value to the next over this arc length [m]."""
MAX_CURVATURE = 0.16
"""Largest magnitude of the random curvatures [1/m]."""
MIN_LENGTH, MIN_CURVATURE = 1e-9, 1e-6
"""Smallest divisors, for points that coincide [m] and for straight lines [1/m]."""
MIN_DRIVE = 10.0
"""Shortest recorded drive that is replayed [m]."""
MIN_ROUTE_SPEED = 1.0
"""Lowest speed of a speed profile [m/s]: stops in recordings are not replayed."""


class RouteSource(NamedTuple):
    """
    The source from which routes are drawn.

    :param from_network: whether routes are drawn from the network; else they are of random curvature
    :param whole: whether a route is one whole segment
    :param recorded: whether the speeds of the segments are recorded speeds, which are used as they are
    :param max_points: largest number of points of a route, 1 m apart
    :param network: the road network
    :param starts: int64 ``(K, 2)``, segment and point at which a route may begin
    :param reach: float64 ``(S,)``, longest distance that can be driven from the start of each segment [m]
    :param shares: float64 ``(M,)``, for each map of the network the share of routes in it and the maps before it
    :param first_starts: int64 ``(M + 1,)``; map ``m`` has ``starts[first_starts[m]:first_starts[m + 1]]``
    """

    from_network: bool
    whole: bool
    recorded: bool
    max_points: int
    network: RoadNetwork
    starts: np.ndarray
    reach: np.ndarray
    shares: np.ndarray
    first_starts: np.ndarray


def route_source(
    network: RoadNetwork | None, route_length: float, recorded: bool = False, shares: MapShares | None = None
) -> RouteSource:
    """
    Make the source of routes of a given length.

    :param network: the network; None for routes of random curvature
    :param route_length: length of the routes, in whole metres; recorded drives keep their own length
    :param recorded: whether the network's segments are recorded drives, each driven from its start to its end
    :param shares: the maps of which the network consists and how often each is drawn; None for a single map
    :return: the source
    :raises ValueError: if no recorded drive is long enough, or no route of this length fits into a map
    """
    max_points, undivided = int(route_length) + 1, np.ones(1)
    if network is None:
        empty = np.zeros(0, np.int64)
        nothing, nowhere = RoadNetwork(np.zeros((0, 2)), np.zeros(0), empty, empty, empty), np.zeros((0, 2), np.int64)
        return RouteSource(False, False, False, max_points, nothing, nowhere, np.zeros(0), undivided, np.zeros(2, np.int64))
    steps = np.hypot(*np.diff(network.points, axis=0).T)
    travelled = np.concatenate([[0.0], np.cumsum(steps)])
    if recorded:
        reach = travelled[network.offsets[1:] - 1] - travelled[network.offsets[:-1]]
        starts = np.stack([np.arange(network.n_segments), network.offsets[:-1]], axis=1)[reach >= MIN_DRIVE]
        if len(starts) == 0:
            raise ValueError(f"none of the {network.n_segments} recorded drives is at least {MIN_DRIVE:g} m long")
        starts, longest = np.ascontiguousarray(starts), int(reach.max()) + 1
        return RouteSource(True, True, True, longest, network, starts, reach, undivided, np.array([0, len(starts)]))
    segment_of = np.repeat(np.arange(network.n_segments), np.diff(network.offsets))
    wanted = route_length + 2.0
    longest_segment = float((travelled[network.offsets[1:] - 1] - travelled[network.offsets[:-1]]).max())
    reach = reachable_length(network, wanted + longest_segment)
    available = reach[segment_of] - (travelled - travelled[network.offsets[:-1]][segment_of])
    points = np.flatnonzero(available >= wanted)
    # the last point of a segment is the first of the next
    points = points[~np.isin(points, network.offsets[1:] - 1)]
    shares = shares or MapShares(("this road network",), (1.0,), (0, network.n_segments))
    first_starts = np.searchsorted(segment_of[points], shares.segments)
    for name, weight, first, end, n_starts in zip(
        shares.names, shares.weights, shares.segments[:-1], shares.segments[1:], np.diff(first_starts), strict=True
    ):
        if n_starts == 0 and weight > 0.0:
            raise ValueError(f"route_length={route_length} m: the longest drive in {name} is {reach[first:end].max():.0f} m")
    starts = np.ascontiguousarray(np.stack([segment_of[points], points], axis=1))
    sums = np.cumsum(shares.weights)
    return RouteSource(True, False, False, max_points, network, starts, reach, sums / sums[-1], first_starts)


@inlined
def _knot(seed: np.uint64, knot: int) -> float:
    """Random curvature at a knot [1/m], mostly gentle and seldom sharp."""
    u = uniform(seed, 16 + knot, -1.0, 1.0)
    return MAX_CURVATURE * u * abs(u)


@inlined
def draw_random_route(seed: np.uint64, route: np.ndarray, n_points: int) -> None:
    """
    Draw a route of smooth random curvature that starts at the origin along x.

    The curvature is random at knots and blended between them by smoothstep.

    :param seed: the scenario's seed
    :param route: records of :data:`~.records.ROUTE_POINT`; positions and speeds (no limit) are written
    :param n_points: number of points to write
    """
    x, y, heading = 0.0, 0.0, 0.0
    knot = -1
    before, after = 0.0, 0.0
    for j in range(n_points):
        route[j].x, route[j].y, route[j].speed = x, y, np.inf
        part = (j + 0.5) / KNOT_SPACING
        if int(part) != knot:
            knot = int(part)
            before, after = _knot(seed, knot), _knot(seed, knot + 1)
        u = part - knot
        curvature = before + (after - before) * u * u * (3.0 - 2.0 * u)
        x += math.cos(heading + 0.5 * curvature)
        y += math.sin(heading + 0.5 * curvature)
        heading += curvature


@inlined
def draw_network_route(seed: np.uint64, source: RouteSource, route: np.ndarray, places: np.ndarray, n_points: int) -> int:
    """
    Draw a route through a road network, with random turns where lanes fork, but never into a dead end.

    Of several maps, one is drawn by its share first.

    :param seed: the scenario's seed
    :param source: the network, and the points in it where a route may begin
    :param route: records of :data:`~.records.ROUTE_POINT`; positions and speed limits are written
    :param places: records of :data:`~.records.PLACE`, the place of each route point, written; without any, nothing is
    :param n_points: largest number of points to write
    :return: number of points written
    """
    network, reach = source.network, source.reach
    chosen = 0
    if source.shares.shape[0] > 1:
        drawn = uniform(seed, 9, 0.0, 1.0)
        while drawn >= source.shares[chosen]:
            chosen += 1
    first_start, end_start = source.first_starts[chosen], source.first_starts[chosen + 1]
    pick = first_start + int(hash64(seed, np.uint64(8)) % np.uint64(end_start - first_start))
    segment, point = source.starts[pick, 0], source.starts[pick, 1]
    x, y = network.points[point, 0], network.points[point, 1]
    route[0].x, route[0].y, route[0].speed = x, y, network.speeds[point]
    # arc length of x, y from the start of the segment
    along = 0.0
    if places.shape[0] > 0:
        for before in range(network.offsets[segment], point):
            step_x = network.points[before + 1, 0] - network.points[before, 0]
            step_y = network.points[before + 1, 1] - network.points[before, 1]
            along += math.hypot(step_x, step_y)
        places[0].segment, places[0].along = segment, along
    written, remaining, fork = 1, 1.0, 0
    while written < n_points:
        point += 1
        if point == network.offsets[segment + 1]:
            if source.whole:
                break
            wanted = n_points - written + 1.0
            first, beyond = network.successor_offsets[segment], network.successor_offsets[segment + 1]
            choices = 0
            for edge in range(first, beyond):
                choices += reach[network.successors[edge]] >= wanted
            if choices == 0:  # rounding at the very end of the longest route: end it here
                break
            choice = int(hash64(seed, np.uint64(1024 + fork)) % np.uint64(choices))
            fork += 1
            for edge in range(first, beyond):
                if reach[network.successors[edge]] >= wanted:
                    if choice == 0:
                        segment = network.successors[edge]
                        break
                    choice -= 1
            point = network.offsets[segment]
        step_x, step_y = network.points[point, 0] - x, network.points[point, 1] - y
        length = math.hypot(step_x, step_y)
        if point == network.offsets[segment]:
            along = -length
        gone = 0.0
        while length - gone >= remaining and written < n_points:
            gone += remaining
            route[written].x = x + step_x * gone / length
            route[written].y = y + step_y * gone / length
            route[written].speed = network.speeds[point]
            if places.shape[0] > 0:
                places[written].segment, places[written].along = segment, max(along + gone, 0.0)
            written += 1
            remaining = 1.0
        remaining -= length - gone
        along += length
        x, y = network.points[point, 0], network.points[point, 1]
    return written


@inlined
def finish_route(route: np.ndarray, n_points: int, recorded: bool, expert: ExpertParameters) -> float:
    """
    Compute the tangents of a route and the expert's speed profile, from positions and speed limits.

    The profile is the lowest of cruise speed, speed limit and ``sqrt(a_lat / |curvature|)``. A backward pass then lowers it
    so that the braking limit holds everywhere. Recorded speeds are used as they are.

    :param route: records of :data:`~.records.ROUTE_POINT`, completed in place
    :param n_points: points in use
    :param recorded: whether the speeds are recorded speeds
    :param expert: parameters of the expert
    :return: time that the expert needs for the route at its speed profile [s]
    """
    for j in range(n_points):
        before, after = route[max(j - 1, 0)], route[min(j + 1, n_points - 1)]
        step_x, step_y = after.x - before.x, after.y - before.y
        length = max(math.hypot(step_x, step_y), MIN_LENGTH)
        route[j].cos, route[j].sin = step_x / length, step_y / length
    for j in range(n_points):
        low, high = max(j - 2, 0), min(j + 2, n_points - 1)
        before, after = route[low], route[high]
        turn = math.atan2(before.cos * after.sin - before.sin * after.cos, before.cos * after.cos + before.sin * after.sin)
        curvature = abs(turn) / (high - low)
        limit = route[j].speed
        if not recorded:
            limit = min(limit, expert.cruise_speed, math.sqrt(expert.lateral_acceleration / max(curvature, MIN_CURVATURE)))
        route[j].speed = max(limit, MIN_ROUTE_SPEED)
    seconds = 0.0
    for j in range(n_points - 2, -1, -1):
        next_speed = route[j + 1].speed
        if not recorded:
            route[j].speed = min(route[j].speed, math.sqrt(next_speed * next_speed + 2.0 * expert.braking))
        seconds += 2.0 / (route[j].speed + next_speed)
    return seconds


@inlined
def project(car: Record, route: np.ndarray) -> None:
    """
    Project a car on its route, searching from its previous position.

    :param car: record of :data:`~.records.CAR`; ``index``, ``progress`` and ``lateral`` are written
    :param route: records of :data:`~.records.ROUTE_POINT`
    """
    j = car.index
    while j < car.n_points - 1:
        after = route[j + 1]
        if (car.x - after.x) * after.cos + (car.y - after.y) * after.sin < 0.0:
            break
        j += 1
    while j > 0:
        here = route[j]
        if (car.x - here.x) * here.cos + (car.y - here.y) * here.sin >= 0.0:
            break
        j -= 1
    # between two points, along the chord: continuous from one chord to the next up to the sagitta of 1 m
    j = min(j, car.n_points - 2)
    here, after = route[j], route[j + 1]
    step_x, step_y = after.x - here.x, after.y - here.y
    along = (car.x - here.x) * step_x + (car.y - here.y) * step_y
    length_squared = max(step_x * step_x + step_y * step_y, MIN_LENGTH)
    car.index = j
    car.progress = j + along / length_squared
    car.lateral = (step_x * (car.y - here.y) - step_y * (car.x - here.x)) / math.sqrt(length_squared)
