"""
Autopilot of bodies: vehicles that follow lanes by pedals and steering wheel.

They accelerate and brake as :mod:`~.vehicles` says, and steer by pure pursuit. Everything else that is solid stands on the
lanes that it touches, and on those that it is about to cross. How a vehicle drives and which way it turns at a fork depends
only on where it started, so that the same scene plays the same way whatever was spawned before.
"""

import math
from typing import NamedTuple

import numpy as np

from sb3_delta_waypoint.driving.agents.behaviour import BEHAVIOURS, PANEL
from sb3_delta_waypoint.driving.agents.board import Board, clear, put
from sb3_delta_waypoint.driving.agents.records import CAR_DRIVER, SITUATION
from sb3_delta_waypoint.driving.agents.vehicles import enter_next, following, look_ahead
from sb3_delta_waypoint.driving.bodies import ROLLING, WALKER, steering_share
from sb3_delta_waypoint.driving.boxes import box_centre
from sb3_delta_waypoint.driving.kernels import kernel, lean
from sb3_delta_waypoint.driving.lanes import Lanes, lanes_at
from sb3_delta_waypoint.driving.records import Record
from sb3_delta_waypoint.driving.scenarios import uniform
from sb3_delta_waypoint.driving.vehicle import clip

LOOKAHEAD_TIME, MIN_LOOKAHEAD = 0.5, 4.0
"""Pure pursuit steers for a point this far ahead: seconds of driving [s], and at least this distance [m]."""
FORESIGHT_VEHICLE, FORESIGHT_WALKER = 1.5, 3.0
"""A vehicle that others drive occupies the junction that it covers in this time, a walker all lanes [s]."""
STRIDE = 0.5
"""Distance between the places that are looked at on its way [m]."""
MAX_HEADING_ERROR = math.radians(60)
"""Largest angle between a vehicle and a lane that it joins [rad]."""
STANDSTILL, HOLDING_BRAKE = 0.1, 0.3
"""Speed [m/s] below which the brake is held when the vehicle is to stop, and the least brake then."""
ENTRIES = 16_384
"""Room for everybody on the lanes of a world."""
SEGMENTS_PASSED = 8
"""Largest number of segments that a vehicle passes in a step."""


_CHARACTER = 200
"""Index of the first random number that a driver's parameters take; its choices at forks take those from 0 on."""


class Street(NamedTuple):
    """
    The lanes of one world, on which autopilots drive.

    :param lanes: the lanes; the states of their lights are set by whoever steps the world
    :param board: an empty board, working memory
    :param situation: records of :data:`~.records.SITUATION` ``(1,)``, of nobody in particular
    """

    lanes: Lanes
    board: Board
    situation: np.ndarray

    @classmethod
    def of(cls, lanes: Lanes) -> "Street":
        """
        Make the street of a world.

        :param lanes: the lanes, which worlds may share
        :return: the street, whose lights are its own
        """
        own = lanes._replace(lights=lanes.lights.copy())
        return cls(own, Board.empty(lanes.network.n_segments, ENTRIES), np.zeros(1, SITUATION))


def join_lane(body: Record, driver: Record, lanes: Lanes, behaviour: str = "mixed") -> None:
    """
    Switch a vehicle to autopilot on the nearest lane that runs in its direction.

    :param body: record of :data:`~sb3_delta_waypoint.driving.bodies.BODY`, written
    :param driver: record of :data:`~.records.DRIVER`, written
    :param lanes: the lanes
    :param behaviour: name of :data:`~.behaviour.BEHAVIOURS` from whose ranges its parameters are drawn
    """
    points = lanes.network.points
    x, y = box_centre(body)
    aligned = lanes.tangents @ (math.cos(body["yaw"]), math.sin(body["yaw"])) > math.cos(MAX_HEADING_ERROR)
    away = np.hypot(points[:, 0] - x, points[:, 1] - y)
    nearest = int(np.argmin(np.where(aligned, away, np.inf)))
    route = (int(np.round(body["x"] * 8)) * 73856093 ^ int(np.round(body["y"] * 8)) * 19349663) % 2**64
    body["autopilot"] = True
    driver["role"] = CAR_DRIVER
    driver["segment"], driver["along"] = lanes.segment_of[nearest], lanes.along[nearest]
    driver["route"], driver["forks"] = route, 0
    driver["claimed"] = driver["halted"] = -1
    ranges = PANEL[list(BEHAVIOURS).index(behaviour)].reshape(-1, 2)
    for k, name in enumerate(("headway", "gap", "max_acceleration", "braking", "pace_share")):
        driver[name] = uniform(np.uint64(route), _CHARACTER + k, *ranges[k])


@kernel
def drive_traffic(bodies: np.ndarray, drivers: np.ndarray, controls: np.ndarray, n: int, street: Street) -> None:
    """
    Set the controls of all vehicles on autopilot.

    :param bodies: array of :data:`~sb3_delta_waypoint.driving.bodies.BODY`, the first ``n`` in use
    :param drivers: array of :data:`~.records.DRIVER`, written
    :param controls: array of :data:`~sb3_delta_waypoint.driving.bodies.CONTROL`, written
    :param n: number of bodies
    :param street: the lanes that they follow
    """
    lanes, board = street.lanes, street.board
    entries = 0
    for i in range(n):
        body, driver = bodies[i], drivers[i]
        if body.autopilot and body.physics:
            _keep_track(body, driver, lanes)
            entries = put(board, entries, driver.segment, driver.along, body.half_length, body.speed * body.direction, i)
        elif body.solid:
            entries = _put_body(board, entries, body, i, lanes)
    for i in range(n):
        body = bodies[i]
        if body.autopilot and body.physics:
            # the seconds matter for lights that are a function of a scenario's seed, of which there are none
            pull = look_ahead(lanes, board, bodies[:n], drivers[:n], street.situation[0], i, body.speed, body.half_length, 0.0)
            _control(body, drivers[i], controls[i], lanes, pull)
    clear(board, entries)


@lean
def _keep_track(body: Record, driver: Record, lanes: Lanes) -> None:
    """Find the middle of a vehicle's box on its lanes."""
    x, y = box_centre(body)
    points, tangents = lanes.network.points, lanes.tangents
    for _ in range(SEGMENTS_PASSED):
        segment = driver.segment
        first, last = lanes.network.offsets[segment], lanes.network.offsets[segment + 1] - 1
        here = min(first + int(driver.along / lanes.spacing[segment] + 0.5), last)
        ahead = 0.0
        for _ in range(3):
            ahead = (x - points[here, 0]) * tangents[here, 0] + (y - points[here, 1]) * tangents[here, 1]
            here = min(max(int(math.floor(here + ahead / lanes.spacing[segment] + 0.5)), first), last)
        ahead = (x - points[here, 0]) * tangents[here, 0] + (y - points[here, 1]) * tangents[here, 1]
        driver.along = max(lanes.along[here] + ahead, 0.0)
        if driver.along < lanes.length[segment]:
            break
        if not enter_next(driver, lanes):
            driver.along = lanes.length[segment] - 1e-6
            break


@lean
def _put_body(board: Board, n: int, body: Record, owner: int, lanes: Lanes) -> int:
    """Put a body that follows no lanes on all that it touches or is about to cross; return the number of entries."""
    first = n
    x, y = box_centre(body)
    cos, sin = math.cos(body.yaw), math.sin(body.yaw)
    for corner in range(6):
        ahead, aside = body.half_length * (corner // 2 - 1), body.half_width * (2 * (corner % 2) - 1)
        at_x, at_y = x + ahead * cos - aside * sin, y + ahead * sin + aside * cos
        n = _put_at(board, first, n, body, owner, lanes, at_x, at_y, x, y, False)
    seconds = FORESIGHT_WALKER if body.kind == WALKER else FORESIGHT_VEHICLE
    way = body.half_length
    end = way + body.speed * seconds
    while way < end:
        way += STRIDE
        at_x, at_y = x + body.direction * way * cos, y + body.direction * way * sin
        n = _put_at(board, first, n, body, owner, lanes, at_x, at_y, at_x, at_y, body.kind != WALKER)
    return n


@lean
def _put_at(
    board: Board,
    first: int,
    n: int,
    body: Record,
    owner: int,
    lanes: Lanes,
    x: float,
    y: float,
    middle_x: float,
    middle_y: float,
    in_junctions: bool,
) -> int:
    """Put a body on the lanes at a place, each of them once."""
    for k in range(lanes_at(lanes, x, y, 0.0, board.found)):
        point = board.found[k]
        segment, known = lanes.segment_of[point], in_junctions and not lanes.in_junction[point]
        for entry in range(first, n):
            known = known or board.entries[entry].segment == segment
        if known:
            continue
        tangent_x, tangent_y = lanes.tangents[point, 0], lanes.tangents[point, 1]
        dx, dy = middle_x - lanes.network.points[point, 0], middle_y - lanes.network.points[point, 1]
        aligned = math.cos(body.yaw) * tangent_x + math.sin(body.yaw) * tangent_y
        across = math.sqrt(max(1.0 - aligned * aligned, 0.0))
        half = abs(aligned) * body.half_length + across * body.half_width
        along = lanes.along[point] + dx * tangent_x + dy * tangent_y
        n = put(board, n, segment, along, half, max(body.speed * body.direction * aligned, 0.0), owner)
    return n


@lean
def _control(body: Record, driver: Record, control: Record, lanes: Lanes, pull: float) -> None:
    """Set pedals and wheel for an acceleration [m/s²] along the lanes."""
    lookahead = max(MIN_LOOKAHEAD, LOOKAHEAD_TIME * body.speed)
    points, offsets = lanes.network.points, lanes.network.offsets
    segment, forks = driver.segment, driver.forks
    point = offsets[segment] + int(driver.along / lanes.spacing[segment])
    target_x, target_y = points[point, 0], points[point, 1]
    for _ in range(4 * int(lookahead) + 40):
        dx, dy = points[point, 0] - body.x, points[point, 1] - body.y
        target_x, target_y = points[point, 0], points[point, 1]
        # the axle is behind the middle, from where the search starts
        if dx * dx + dy * dy >= lookahead * lookahead:
            break
        point += 1
        if point == offsets[segment + 1]:
            after = following(lanes, segment, driver.route, forks)
            if after < 0:
                break
            forks += lanes.network.successor_offsets[segment + 1] - lanes.network.successor_offsets[segment] > 1
            segment = after
            # its first point is where this segment ends
            point = offsets[segment] + 1
    bearing = math.atan2(target_y - body.y, target_x - body.x) - body.yaw
    distance = max(math.hypot(target_x - body.x, target_y - body.y), MIN_LOOKAHEAD)
    steer = math.atan(2.0 * body.wheelbase * math.sin(bearing) / distance)
    control.steer = clip(steer / (body.max_steer * steering_share(body.speed)), -1.0, 1.0)
    resistance = ROLLING + body.drag * body.speed * body.speed
    control.throttle = clip((pull + resistance) / body.max_acceleration, 0.0, 1.0) if pull > 0.0 else 0.0
    control.brake = clip(-pull / body.max_braking, 0.0, 1.0)
    if body.speed < STANDSTILL and pull <= 0.0:
        control.brake = max(control.brake, HOLDING_BRAKE)
