"""Where the car stands on the lanes: whether in one lane, on the drivable area, in an intersection, or against the traffic."""

import math
from typing import NamedTuple

import numpy as np

from sb3_delta_waypoint.driving.footprint import Box, car_box
from sb3_delta_waypoint.driving.kernels import inlined, kernel, lean
from sb3_delta_waypoint.driving.lanes import AREA_MARGIN, Lanes, lanes_at
from sb3_delta_waypoint.driving.records import Record
from sb3_delta_waypoint.driving.vehicle import VehicleParameters

MOST_LANES = 24
"""Largest number of lanes on top of each other that are looked at."""
CLEARANCE = 0.05
"""A car this far from the edges of its lane is in it without looking at other lanes [m]."""


class Standing(NamedTuple):
    """Where the car stands."""

    in_lane: bool
    """Whether all corners of its box lie in one lane or in lanes that lead into each other."""
    on_area: bool
    """Whether every corner lies on the drivable area, or less than the tolerance beside it."""
    in_junction: bool
    """Whether its own lane crosses an intersection here."""
    against: float
    """Distance driven against the direction of the lane in this step [m]."""
    directed: bool
    """Whether there are lanes at all, which have a direction."""
    segment: int
    """The segment of its own lane, -1 where its middle is on none."""
    along: float
    """Arc length of the middle of its box on this segment [m]."""


@inlined
def stand(lanes: Lanes, car: Record, vehicle: VehicleParameters, segment: int, along: float, dt: float) -> Standing:
    """
    Where the car stands on the lanes.

    :param lanes: the lanes
    :param car: record of :data:`~.records.CAR`
    :param vehicle: parameters of the car
    :param segment: segment on which the car probably is, such as that of its last standing; -1 if nothing is known
    :param along: arc length on it [m], good to a few metres
    :param dt: length of the step [s]
    :return: where it stands
    """
    box = car_box(car, vehicle)
    here = _within(lanes, box, segment, along)
    if here >= 0:
        dx, dy = box.x - lanes.network.points[here, 0], box.y - lanes.network.points[here, 1]
        place = lanes.along[here] + dx * lanes.tangents[here, 0] + dy * lanes.tangents[here, 1]
        return Standing(True, True, lanes.in_junction[here], 0.0, True, segment, place)
    return _stand_anywhere(lanes, box, car.speed * dt, segment)


@inlined
def _within(lanes: Lanes, box: Box, segment: int, along: float) -> int:
    """The point of a segment nearest to the middle of the box if the whole box lies well inside its lane, else -1."""
    if segment < 0:
        return -1
    points, tangents, width = lanes.network.points, lanes.tangents, lanes.width
    first, last = lanes.network.offsets[segment], lanes.network.offsets[segment + 1] - 1
    per_metre = 1.0 / lanes.spacing[segment]
    here = min(max(first + int(along * per_metre + 0.5), first), last)
    for _ in range(2):
        ahead = (box.x - points[here, 0]) * tangents[here, 0] + (box.y - points[here, 1]) * tangents[here, 1]
        here = min(max(int(math.floor(here + ahead * per_metre + 0.5)), first), last)
    aligned = box.cos * tangents[here, 0] + box.sin * tangents[here, 1]
    if aligned <= 0.0:
        return -1
    reach = int(box.half_length * aligned * per_metre + 0.5)
    # half a step before the first and behind the last point there is still lane only on one side
    if here - reach <= first or here + reach >= last:
        return -1
    for end in range(2):
        sign = 1.0 - 2.0 * end
        p = here + (reach if end == 0 else -reach)
        dx = box.x + sign * box.half_length * box.cos - points[p, 0]
        dy = box.y + sign * box.half_length * box.sin - points[p, 1]
        across = abs(dy * tangents[p, 0] - dx * tangents[p, 1])
        side = box.half_width * abs(box.cos * tangents[p, 0] + box.sin * tangents[p, 1])
        if across + side > 0.5 * width[p] - CLEARANCE:
            return -1
    return here


@kernel
def _stand_anywhere(lanes: Lanes, box: Box, driven: float, segment: int) -> Standing:
    found, counts = np.empty((4, MOST_LANES), np.int64), np.zeros(4, np.int64)
    on_area, in_lanes = True, True
    for corner in range(4):
        ahead = box.half_length if corner < 2 else -box.half_length
        left = box.half_width if corner % 2 == 0 else -box.half_width
        x, y = box.x + ahead * box.cos - left * box.sin, box.y + ahead * box.sin + left * box.cos
        n = lanes_at(lanes, x, y, AREA_MARGIN, found[corner])
        on_area = on_area and n > 0
        kept = 0
        for k in range(n):
            p = found[corner, k]
            dx, dy = x - lanes.network.points[p, 0], y - lanes.network.points[p, 1]
            if abs(dy * lanes.tangents[p, 0] - dx * lanes.tangents[p, 1]) <= 0.5 * lanes.width[p]:
                found[corner, kept] = p
                kept += 1
        counts[corner] = kept
        in_lanes = in_lanes and kept > 0
    in_lane = in_lanes and _in_connected_lanes(lanes, found, counts)

    under = np.empty(MOST_LANES, np.int64)
    own, best, alignment = -1, -np.inf, -np.inf
    for k in range(lanes_at(lanes, box.x, box.y, 0.0, under)):
        p = under[k]
        aligned = box.cos * lanes.tangents[p, 0] + box.sin * lanes.tangents[p, 1]
        alignment = max(alignment, aligned)
        # the lane that the car was in stays its own as long as it drives along it
        rank = aligned + 2.0 if lanes.segment_of[p] == segment and aligned > 0.0 else aligned
        if rank > best:
            own, best = p, rank
    if own < 0:
        return Standing(in_lane, on_area, False, 0.0, True, -1, 0.0)
    dx, dy = box.x - lanes.network.points[own, 0], box.y - lanes.network.points[own, 1]
    place = lanes.along[own] + dx * lanes.tangents[own, 0] + dy * lanes.tangents[own, 1]
    against = driven * max(-alignment, 0.0)
    return Standing(in_lane, on_area, lanes.in_junction[own], against, True, lanes.segment_of[own], place)


@lean
def _in_connected_lanes(lanes: Lanes, found: np.ndarray, counts: np.ndarray) -> bool:
    """Whether one lane can be chosen for each corner so that all of them are one, or lead into each other."""
    for i in range(counts[0]):
        a = found[0, i]
        for j in range(counts[1]):
            b = found[1, j]
            if not _linked(lanes, a, b):
                continue
            for k in range(counts[2]):
                c = found[2, k]
                if not (_linked(lanes, a, c) and _linked(lanes, b, c)):
                    continue
                for m in range(counts[3]):
                    d = found[3, m]
                    if _linked(lanes, a, d) and _linked(lanes, b, d) and _linked(lanes, c, d):
                        return True
    return False


@lean
def _linked(lanes: Lanes, p: int, q: int) -> bool:
    """Whether the lanes of two points are one, or one leads into the other, perhaps through a short one."""
    a, b = lanes.segment_of[p], lanes.segment_of[q]
    if a == b:
        return True
    # a turn back also leads into the lane beside this one
    if lanes.tangents[p, 0] * lanes.tangents[q, 0] + lanes.tangents[p, 1] * lanes.tangents[q, 1] <= 0.0:
        return False
    return _leads_to(lanes, a, b) or _leads_to(lanes, b, a)


@inlined
def _leads_to(lanes: Lanes, a: int, b: int) -> bool:
    offsets, successors = lanes.network.successor_offsets, lanes.network.successors
    for i in range(offsets[a], offsets[a + 1]):
        after = successors[i]
        if after == b:
            return True
        for j in range(offsets[after], offsets[after + 1]):
            if successors[j] == b:
                return True
    return False


@inlined
def stand_on_route(car: Record, route: np.ndarray, vehicle: VehicleParameters, half_width: float) -> Standing:
    """
    Where the car stands if there are no lanes: the drivable area is a strip about its route.

    :param car: record of :data:`~.records.CAR`, projected on its route
    :param route: records of :data:`~.records.ROUTE_POINT`
    :param vehicle: parameters of the car
    :param half_width: half the width of the strip [m]
    :return: where it stands
    """
    cos, sin = math.cos(car.yaw), math.sin(car.yaw)
    outermost = 0.0
    for end in range(2):
        forward = vehicle.length - vehicle.rear_overhang if end == 0 else -vehicle.rear_overhang
        point = route[min(max(int(car.progress + forward), 0), car.n_points - 1)]
        dx, dy = car.x + forward * cos - point.x, car.y + forward * sin - point.y
        side = 0.5 * vehicle.width * abs(cos * point.cos + sin * point.sin)
        outermost = max(outermost, abs(dy * point.cos - dx * point.sin) + side)
    return Standing(outermost <= half_width, outermost < half_width + AREA_MARGIN, False, 0.0, False, -1, 0.0)
