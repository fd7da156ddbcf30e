"""
What the server computes with: one record per actor, and the kernel that moves them all by one step.

Inside, the package's own frame (metres, radians, counter-clockwise): the vehicles are the bicycle of ``driving.vehicle`` with
a gearbox, pedals that lag, and a steering range that shrinks with speed. The rows of the world snapshot are in CARLA's frame;
they are written here and nowhere else.
"""

import math
from pathlib import Path

import numpy as np

from sb3_delta_waypoint.carla_bridge.loopback.boxes import boxes_overlap
from sb3_delta_waypoint.driving.kernels import forget_stale_kernels, kernel
from sb3_delta_waypoint.driving.records import Record
from sb3_delta_waypoint.driving.vehicle import advance, clip

FIXED, VEHICLE, WALKER = 0, 1, 2
"""What moves a body."""

BODY = np.dtype(
    [
        ("kind", "i8"),
        # pose of the reference point: for a vehicle the middle of the rear axle, else the actor's own origin
        ("x", "f8"),
        ("y", "f8"),
        ("yaw", "f8"),
        ("z", "f8"),
        # CARLA's degrees, just handed through
        ("pitch", "f8"),
        ("roll", "f8"),
        # the car of `advance`; in reverse gear it drives the mirrored car, so speed is never negative
        ("speed", "f8"),
        ("steer", "f8"),
        ("yaw_rate", "f8"),
        ("acceleration", "f8"),
        ("direction", "f8"),
        ("throttle", "f8"),
        ("brake", "f8"),
        # the vehicle of `advance`, then what the loopback adds
        ("wheelbase", "f8"),
        ("max_steer", "f8"),
        ("max_steer_rate", "f8"),
        ("characteristic_speed", "f8"),
        ("max_lateral_acceleration", "f8"),
        ("max_acceleration", "f8"),
        ("max_braking", "f8"),
        ("max_speed", "f8"),
        ("throttle_lag", "f8"),
        ("brake_lag", "f8"),
        ("drag", "f8"),
        ("mass", "f8"),
        # from the rear axle forward to the actor's origin, and from there to the middle of the box
        ("axle", "f8"),
        ("box_x", "f8"),
        ("box_y", "f8"),
        ("box_z", "f8"),
        ("half_length", "f8"),
        ("half_width", "f8"),
        ("half_height", "f8"),
        ("solid", "?"),
        # red, green, blue: a byte each
        ("colour", "i8"),
        ("physics", "?"),
        # speed forward that is held whatever the pedals say; NaN: none
        ("held_speed", "f8"),
        # rides on the body in this row (-1: on none), at this pose: metres and degrees, CARLA's frame
        ("parent", "i8"),
        ("offset", "f8", (6,)),
        # a vehicle that follows lanes by itself: where it is on them, the crossing lane that it has claimed (-1: none), what
        # it chooses at forks, and how many it has passed
        ("autopilot", "?"),
        ("segment", "i8"),
        ("point", "i8"),
        ("claimed", "i8"),
        ("route", "i8"),
        ("forks", "i8"),
        # last velocity of the actor's origin, for its acceleration
        ("velocity_x", "f8"),
        ("velocity_y", "f8"),
    ],
    align=True,
)
"""State and properties of one actor: SI units, radians, counter-clockwise."""

CONTROL = np.dtype(
    [
        ("throttle", "f8"),
        # right positive, as CARLA has it
        ("steer", "f8"),
        ("brake", "f8"),
        ("hand_brake", "?"),
        ("reverse", "?"),
        ("manual_gear_shift", "?"),
        ("gear", "i8"),
    ],
    align=True,
)
"""The last control. Of a walker: direction x, y (CARLA's frame) in ``throttle`` and ``steer``, speed in ``brake``."""

HIT = np.dtype([("body", "i8"), ("other", "i8"), ("x", "f8"), ("y", "f8")], align=True)
"""A collision of one step: the rows, and the impulse on the first [N s] in CARLA's frame."""

MAX_HITS = 256
"""More collisions than this in one step are not reported."""
SUBSTEP = 0.025
"""Longest integration step [s]: the trace hardly depends on the frame rate."""
STEERING_SPEEDS = np.array([0.0, 20.0, 60.0, 120.0]) / 3.6
STEERING_SHARE = np.array([1.0, 0.9, 0.8, 0.7])
"""The steering curve: share of the steering range that is used at a speed [m/s]."""
ROLLING = 0.1
"""Rolling resistance [m/s²]."""
SHIFT_SPEED = 0.1
"""The gear changes between forward and reverse below this speed [m/s]."""

forget_stale_kernels(Path(__file__).parent)


@kernel
def step_bodies(bodies: np.ndarray, controls: np.ndarray, rows: np.ndarray, n: int, dt: float, hits: np.ndarray) -> int:
    """
    Move every body by one step and write the snapshot.

    A vehicle or walker that would drive into something solid stays where it is and stands; one that was inside already, put
    there by the client, can drive out.

    :param bodies: array of :data:`BODY`, the first ``n`` in use
    :param controls: array of :data:`CONTROL`
    :param rows: array of :data:`~.wire.ACTOR_ROW`; ids, states and what never changes are filled in already
    :param n: number of actors
    :param dt: length of the step [s]; 0 writes the snapshot only
    :param hits: array of :data:`HIT`, written
    :return: number of hits
    """
    n_hits = 0
    for i in range(n if dt > 0.0 else 0):
        body = bodies[i]
        if body.kind == FIXED or not body.physics:
            continue
        x, y, yaw, speed = body.x, body.y, body.yaw, body.speed
        if body.kind == VEHICLE:
            _drive(body, controls[i], dt)
        else:
            _walk(body, controls[i], dt)
        if not body.solid or (x == body.x and y == body.y and yaw == body.yaw):
            continue
        blocked = False
        for j in range(n):
            if j == i or not bodies[j].solid or not boxes_overlap(body, bodies[j]):
                continue
            moved_x, moved_y, moved_yaw = body.x, body.y, body.yaw
            body.x, body.y, body.yaw = x, y, yaw
            inside_already = boxes_overlap(body, bodies[j])
            body.x, body.y, body.yaw = moved_x, moved_y, moved_yaw
            blocked = blocked or not inside_already
            if n_hits < len(hits):
                hit = hits[n_hits]
                push = body.mass * max(speed, body.speed) * body.direction
                hit.body, hit.other = i, j
                hit.x, hit.y = -push * math.cos(yaw), push * math.sin(yaw)
                n_hits += 1
        if blocked:
            body.x, body.y, body.yaw = x, y, yaw
            body.speed, body.yaw_rate = 0.0, 0.0
            body.acceleration = -speed / dt
    for i in range(n):
        _write_row(bodies, i, controls[i], rows[i], dt)
    return n_hits


@kernel
def _drive(body: Record, control: Record, dt: float) -> None:
    substeps = max(1, math.ceil(dt / SUBSTEP - 1e-6))
    part = dt / substeps
    throttle = clip(_number(control.throttle), 0.0, 1.0)
    wheel = clip(_number(control.steer), -1.0, 1.0)
    brake = 1.0 if control.hand_brake else clip(_number(control.brake), 0.0, 1.0)
    gear = -1.0 if control.reverse else 1.0
    throttle_reach = 1.0 - math.exp(-part / body.throttle_lag)
    brake_reach = 1.0 - math.exp(-part / body.brake_lag)
    for _ in range(substeps):
        body.throttle += (throttle - body.throttle) * throttle_reach
        body.brake += (brake - body.brake) * brake_reach
        if gear != body.direction and body.speed < SHIFT_SPEED:
            body.direction = gear
            body.speed = 0.0
        # in the wrong gear the engine brakes
        drive = body.throttle * body.max_acceleration * (1.0 if gear == body.direction else -1.0)
        resistance = ROLLING + body.drag * body.speed * body.speed if body.speed > 0.0 else 0.0
        pull = drive - body.brake * body.max_braking - resistance
        if not math.isnan(body.held_speed):
            body.direction = -1.0 if body.held_speed < 0.0 else 1.0
            body.speed = abs(body.held_speed)
            pull = 0.0
        steer = -wheel * body.max_steer * steering_share(body.speed)
        if body.direction < 0.0:
            body.yaw += math.pi
            body.steer = -body.steer
            advance(body, body, -steer, pull, part)
            body.yaw -= math.pi
            body.steer = -body.steer
        else:
            advance(body, body, steer, pull, part)
    body.yaw -= 2.0 * math.pi * np.round(body.yaw / (2.0 * math.pi))


@kernel
def steering_share(speed: float) -> float:
    """
    :param speed: [m/s]
    :return: how much of the steering range is used at this speed
    """
    # not np.interp: it takes a second to compile
    for k in range(1, len(STEERING_SPEEDS)):
        if speed < STEERING_SPEEDS[k]:
            slope = (STEERING_SHARE[k] - STEERING_SHARE[k - 1]) / (STEERING_SPEEDS[k] - STEERING_SPEEDS[k - 1])
            return STEERING_SHARE[k - 1] + slope * (speed - STEERING_SPEEDS[k - 1])
    return STEERING_SHARE[-1]


@kernel
def _number(value: float) -> float:
    """0 for what is none: a client may send anything."""
    return value if math.isfinite(value) else 0.0


@kernel
def _walk(body: Record, control: Record, dt: float) -> None:
    length = math.hypot(_number(control.throttle), _number(control.steer))
    body.speed = max(_number(control.brake), 0.0) if length > 0.0 else 0.0
    body.yaw_rate = 0.0
    if body.speed > 0.0:
        body.yaw = math.atan2(-control.steer, control.throttle)
        body.x += body.speed * math.cos(body.yaw) * dt
        body.y += body.speed * math.sin(body.yaw) * dt


@kernel
def _write_row(bodies: np.ndarray, i: int, control: Record, row: Record, dt: float) -> None:
    body = bodies[i]
    if body.parent >= 0:
        # after its parent's row, which is level; degrees and left-handed from here on
        parent = rows_pose(bodies[body.parent])
        yaw = math.radians(parent[2])
        row.x = parent[0] + math.cos(yaw) * body.offset[0] - math.sin(yaw) * body.offset[1]
        row.y = parent[1] + math.sin(yaw) * body.offset[0] + math.cos(yaw) * body.offset[1]
        row.z = bodies[body.parent].z + body.offset[2]
        row.pitch = body.offset[3]
        row.yaw = parent[2] + body.offset[4]
        row.roll = body.offset[5]
        return
    pose = rows_pose(body)
    row.x, row.y, row.z = pose[0], pose[1], body.z
    row.pitch, row.yaw, row.roll = body.pitch, pose[2], body.roll
    if body.kind == FIXED:
        return
    speed = body.speed * body.direction
    across = body.yaw_rate * body.axle
    velocity_x = speed * math.cos(body.yaw) - across * math.sin(body.yaw)
    velocity_y = speed * math.sin(body.yaw) + across * math.cos(body.yaw)
    row.velocity[0], row.velocity[1] = velocity_x, -velocity_y
    row.angular_velocity[2] = -math.degrees(body.yaw_rate)
    if dt > 0.0:
        row.acceleration[0] = (velocity_x - body.velocity_x) / dt
        row.acceleration[1] = -(velocity_y - body.velocity_y) / dt
    body.velocity_x, body.velocity_y = velocity_x, velocity_y
    if body.kind == VEHICLE:
        row.throttle, row.steer, row.brake = control.throttle, control.steer, control.brake
        row.hand_brake, row.reverse = control.hand_brake, control.reverse
        row.manual_gear_shift = control.manual_gear_shift
        row.gear = int(body.direction) if body.speed > 0.0 or control.throttle > 0.0 else 0


@kernel
def rows_pose(body: Record) -> tuple[float, float, float]:
    """Where an actor's origin is in CARLA's frame: x, y [m] and yaw [degrees]."""
    return (
        body.x + body.axle * math.cos(body.yaw),
        -(body.y + body.axle * math.sin(body.yaw)),
        -math.degrees(body.yaw),
    )
