"""
Autopilot of the other vehicles: they follow lanes, keep to the speed limit and stop behind whatever is in their way.

They are controlled by pedals and steering wheel. Where lanes cross or merge they go one at a time, and only if there is room
beyond. They do not model right of way. Which way a vehicle turns at a fork depends only on where it started, so that the same
scene plays the same way whatever was spawned before.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sb3_delta_waypoint.driving.bodies import steering_share
from sb3_delta_waypoint.driving.kernels import kernel
from sb3_delta_waypoint.driving.network import RoadNetwork
from sb3_delta_waypoint.driving.records import Record
from sb3_delta_waypoint.driving.signals import GREEN
from sb3_delta_waypoint.driving.vehicle import clip

LATERAL_ACCELERATION = 2.0
"""Largest comfortable lateral acceleration in bends [m/s²]."""
BRAKING = 2.5
"""Planned deceleration [m/s²]."""
DEFAULT_LIMIT = 30.0 / 3.6
"""Speed limit where the map has none [m/s]."""
LOOKAHEAD_TIME, MIN_LOOKAHEAD = 0.5, 4.0
"""Pure pursuit steers for a point this far ahead: seconds of driving [s], and at least this distance [m]."""
LINE_GAP = 1.0
"""Distance kept to a stop line [m]."""
STANDSTILL_GAP = 3.0
"""Distance kept to a standing vehicle ahead [m]."""
SIDE_GAP = 0.4
"""Lateral clearance at which a vehicle passes an obstacle [m]."""
PREDICTION = 1.5
"""A road user that does not follow lanes, such as a walker, occupies all the ground that it covers in this time [s]."""
CONFLICT_DISTANCE = 2.5
"""Lanes that come closer to each other than this conflict: two vehicles cannot pass there [m]."""
MAX_HEADING_ERROR = math.radians(60)
"""Largest angle between a vehicle and a lane that it joins [rad]."""
SAME_PLACE = 0.5
"""Largest distance between ends of lanes that meet [m]."""
FORESIGHT = 5.0
"""Distance that a vehicle looks ahead beyond its stopping distance [m]."""
SPEED_RESPONSE = 0.4
"""Time in which a vehicle accelerates to its target speed [s]."""
STANDSTILL, HOLDING_BRAKE = 0.1, 0.3
"""Target speed [m/s] below which the brake is held, and the least brake then."""
RANGE = 40.0
"""Bodies farther away than this along x or y are ignored [m]."""


class Lanes(NamedTuple):
    """
    The lanes that vehicles on autopilot follow.

    :param network: the lanes
    :param conflicts: bool ``(S, S)``, from :func:`lane_conflicts`
    :param governed: int64 ``(P,)``, for each point of the lanes the number of the light that stops cars there, or -1
    """

    network: RoadNetwork
    conflicts: NDArray[np.bool_]
    governed: NDArray[np.int64]


class Way(NamedTuple):
    """Position of a vehicle, or of its lookahead, on the lanes: segment, point, and number of forks passed."""

    segment: int
    point: int
    forks: int


def join_lane(body: Record, network: RoadNetwork) -> None:
    """
    Switch a vehicle to autopilot on the nearest lane that runs in its direction.

    :param body: record of :data:`~sb3_delta_waypoint.driving.bodies.BODY`, written
    :param network: the lanes
    """
    starts = np.repeat(np.arange(network.n_segments), np.diff(network.offsets))
    index = np.arange(len(network.points))
    last = index == network.offsets[starts + 1] - 1
    ahead = network.points[np.where(last, index, index + 1)] - network.points[np.where(last, index - 1, index)]
    turned = np.arctan2(ahead[:, 1], ahead[:, 0]) - body["yaw"]
    away = np.hypot(network.points[:, 0] - body["x"], network.points[:, 1] - body["y"])
    nearest = int(np.argmin(np.where(np.cos(turned) > math.cos(MAX_HEADING_ERROR), away, np.inf)))
    body["autopilot"] = True
    body["segment"], body["point"] = starts[nearest], nearest
    route = int(np.round(body["x"] * 8)) * 73856093 ^ int(np.round(body["y"] * 8)) * 19349663
    # wrapped to 64 bits, however far out the vehicle is
    body["route"] = (route + 2**63) % 2**64 - 2**63
    body["forks"] = 0
    body["claimed"] = -1


def lane_conflicts(network: RoadNetwork) -> NDArray[np.bool_]:
    """
    Find the pairs of segments that cross or merge; segments that start at the same place or follow each other do not count.

    :param network: the lanes
    :return: bool ``(S, S)``, symmetric
    """
    low = np.minimum.reduceat(network.points, network.offsets[:-1]) - CONFLICT_DISTANCE
    high = np.maximum.reduceat(network.points, network.offsets[:-1])
    conflicts = np.zeros((network.n_segments, network.n_segments), np.bool_)
    _find_conflicts(network.points, network.offsets, low, high, conflicts)
    return conflicts


@kernel
def _find_conflicts(points: np.ndarray, offsets: np.ndarray, low: np.ndarray, high: np.ndarray, conflicts: np.ndarray) -> None:
    for a in range(len(low)):
        for b in range(a):
            if (
                (low[a] > high[b]).any()
                or (low[b] > high[a]).any()
                or _near(points[offsets[a]], points[offsets[b]])
                or _near(points[offsets[a + 1] - 1], points[offsets[b]])
                or _near(points[offsets[a]], points[offsets[b + 1] - 1])
            ):
                continue
            for p in range(offsets[a], offsets[a + 1]):
                for q in range(offsets[b], offsets[b + 1]):
                    if math.hypot(points[p, 0] - points[q, 0], points[p, 1] - points[q, 1]) < CONFLICT_DISTANCE:
                        conflicts[a, b] = conflicts[b, a] = True


@kernel
def _near(one: np.ndarray, other: np.ndarray) -> bool:
    return math.hypot(one[0] - other[0], one[1] - other[1]) < SAME_PLACE


@kernel
def drive_traffic(bodies: np.ndarray, controls: np.ndarray, n: int, lanes: Lanes, lights: np.ndarray) -> None:
    """
    Set the controls of all vehicles on autopilot.

    :param bodies: array of :data:`~sb3_delta_waypoint.driving.bodies.BODY`, the first ``n`` in use
    :param controls: array of :data:`~sb3_delta_waypoint.driving.bodies.CONTROL`, written
    :param n: number of bodies
    :param lanes: the lanes that they follow
    :param lights: int64, state of each light, as in :mod:`~.signals`
    """
    for i in range(n):
        if bodies[i].autopilot and bodies[i].physics:
            _drive_one(bodies[:n], i, controls[i], lanes, lights)


@kernel
def _next_point(body: Record, way: Way, network: RoadNetwork) -> Way:
    """The next point on a vehicle's way; its ``point`` is -1 at a dead end."""
    if way.point + 1 < network.offsets[way.segment + 1]:
        return Way(way.segment, way.point + 1, way.forks)
    first, last = network.successor_offsets[way.segment], network.successor_offsets[way.segment + 1]
    if first == last:
        return Way(way.segment, -1, way.forks)
    drawn = np.uint64(body.route) + np.uint64(way.forks + 1) * np.uint64(0x9E3779B97F4A7C15)
    drawn = (drawn ^ (drawn >> np.uint64(31))) * np.uint64(0xBF58476D1CE4E5B9)
    following = network.successors[first + np.int64((drawn >> np.uint64(33)) % np.uint64(last - first))]
    # its first point is where this segment ends
    return Way(following, network.offsets[following] + 1, way.forks + 1)


@kernel
def _drive_one(bodies: np.ndarray, i: int, control: Record, lanes: Lanes, lights: np.ndarray) -> None:
    body = bodies[i]
    network, conflicts, governed = lanes.network, lanes.conflicts, lanes.governed
    points = network.points
    while True:
        way = _next_point(body, Way(body.segment, body.point, body.forks), network)
        if way.point < 0:
            break
        here = math.hypot(points[body.point, 0] - body.x, points[body.point, 1] - body.y)
        if math.hypot(points[way.point, 0] - body.x, points[way.point, 1] - body.y) > here:
            break
        if way.segment != body.segment and body.claimed == body.segment:
            body.claimed = -1
        body.segment, body.point, body.forks = way.segment, way.point, way.forks

    lookahead = max(MIN_LOOKAHEAD, LOOKAHEAD_TIME * body.speed)
    reach = lookahead + body.wheelbase + STANDSTILL_GAP + body.speed * body.speed / (2.0 * BRAKING) + FORESIGHT
    front = body.axle + body.box_x + body.half_length
    target_x, target_y, aimed = 0.0, 0.0, False
    way = Way(body.segment, body.point, body.forks)
    x, y, heading, along = points[body.point, 0], points[body.point, 1], body.yaw, 0.0
    limit = network.speeds[body.point]
    speed = limit if limit < np.inf else DEFAULT_LIMIT
    while along < reach:
        came_from = way.segment
        way = _next_point(body, way, network)
        segment, point = way.segment, way.point
        # a vehicle already over the line goes on
        if point >= 0 and governed[point] >= 0 and lights[governed[point]] < GREEN and along > front - LINE_GAP:
            speed = min(speed, math.sqrt(2.0 * BRAKING * max(0.0, along - front - LINE_GAP)))
            break
        if point >= 0 and segment != came_from and body.claimed != segment and conflicts[segment].any():
            if not _may_enter(bodies, i, way, lanes):
                point = -1
            else:
                body.claimed = segment
        if point < 0:
            speed = min(speed, math.sqrt(2.0 * BRAKING * max(0.0, along - front)))
            break
        step = math.hypot(points[point, 0] - x, points[point, 1] - y)
        if step > 0.0:
            new_heading = math.atan2(points[point, 1] - y, points[point, 0] - x)
            turn = math.fabs(math.atan2(math.sin(new_heading - heading), math.cos(new_heading - heading)))
            # the way starts beside the vehicle, so its first step says nothing about the bend
            bend = turn / step if along > 0.0 else 0.0
            heading = new_heading
            allowed = min(network.speeds[point], math.sqrt(LATERAL_ACCELERATION / max(bend, 1e-6)))
            speed = min(speed, math.sqrt(allowed * allowed + 2.0 * BRAKING * along))
        x, y = points[point, 0], points[point, 1]
        along += step
        if not aimed and math.hypot(x - body.x, y - body.y) >= lookahead:
            target_x, target_y, aimed = x, y, True
        if along > body.axle and _occupied(bodies, i, x, y):
            speed = min(speed, math.sqrt(2.0 * BRAKING * max(0.0, along - front - STANDSTILL_GAP)))
            break
    if not aimed:
        target_x, target_y = x, y
    bearing = math.atan2(target_y - body.y, target_x - body.x) - body.yaw
    distance = max(math.hypot(target_x - body.x, target_y - body.y), MIN_LOOKAHEAD)
    steer = math.atan(2.0 * body.wheelbase * math.sin(bearing) / distance)
    acceleration = (speed - body.speed) / SPEED_RESPONSE
    control.steer = clip(steer / (body.max_steer * steering_share(body.speed)), -1.0, 1.0)
    control.throttle = clip(acceleration / body.max_acceleration, 0.0, 1.0)
    control.brake = clip(-acceleration / body.max_braking, 0.0, 1.0)
    if speed < STANDSTILL:
        control.brake = max(control.brake, HOLDING_BRAKE)


@kernel
def _may_enter(bodies: np.ndarray, i: int, way: Way, lanes: Lanes) -> bool:
    """Whether no vehicle is on, or has claimed, a lane that conflicts with this one, and there is room beyond it."""
    body, points, conflicts, entered = bodies[i], lanes.network.points, lanes.conflicts, way.segment
    for j in range(bodies.shape[0]):
        other = bodies[j]
        if j != i and other.autopilot:
            claims = other.claimed >= 0 and (conflicts[entered, other.claimed] or other.claimed == entered)
            if claims or conflicts[entered, other.segment]:
                return False
    room = 2.0 * body.half_length + STANDSTILL_GAP
    while room > 0.0:
        x, y = points[way.point, 0], points[way.point, 1]
        if _occupied(bodies, i, x, y):
            return False
        way = _next_point(body, way, lanes.network)
        if way.point < 0:
            break
        if way.segment != entered:
            room -= math.hypot(points[way.point, 0] - x, points[way.point, 1] - y)
    return True


@kernel
def _occupied(bodies: np.ndarray, i: int, x: float, y: float) -> bool:
    """Whether a solid body is, or will soon be, too close to the point ``(x, y)`` of a vehicle's way."""
    margin = bodies[i].half_width + SIDE_GAP
    for j in range(bodies.shape[0]):
        other = bodies[j]
        if j == i or not other.solid:
            continue
        dx, dy = x - other.x, y - other.y
        if math.fabs(dx) > RANGE or math.fabs(dy) > RANGE:
            continue
        cos, sin = math.cos(other.yaw), math.sin(other.yaw)
        ahead = dx * cos + dy * sin - other.axle - other.box_x
        aside = math.fabs(dy * cos - dx * sin - other.box_y)
        way = 0.0 if other.autopilot else PREDICTION * other.speed * other.direction
        if (
            aside < other.half_width + margin
            and ahead < other.half_length + margin + max(way, 0.0)
            and ahead > -other.half_length - margin + min(way, 0.0)
        ):
            return True
    return False
