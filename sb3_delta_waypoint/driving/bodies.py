"""
Bodies (objects, vehicles and walkers), one record each, and how they move.

Vehicles are the bicycle model of :mod:`~.vehicle` with a gearbox, pedals that lag, and a steering range that shrinks with
speed.
"""

import math

import numpy as np

from sb3_delta_waypoint.driving.kernels import kernel
from sb3_delta_waypoint.driving.records import Record
from sb3_delta_waypoint.driving.vehicle import advance, clip

FIXED, VEHICLE, WALKER = 0, 1, 2
"""Kinds of bodies, by what moves them."""

BODY = np.dtype(
    [
        ("kind", "i8"),
        # pose of the reference point: the middle of a vehicle's rear axle, the origin of any other body
        ("x", "f8"),
        ("y", "f8"),
        ("yaw", "f8"),
        ("z", "f8"),
        # state of the car in `advance`; in reverse gear the mirrored car is driven, so that speed is never negative
        ("speed", "f8"),
        ("steer", "f8"),
        ("yaw_rate", "f8"),
        ("acceleration", "f8"),
        ("direction", "f8"),
        ("throttle", "f8"),
        ("brake", "f8"),
        # parameters of the vehicle in `advance`, then those that a body adds
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
        # distance from the rear axle forward to the origin of the body, and offset from there to the middle of its box
        ("axle", "f8"),
        ("box_x", "f8"),
        ("box_y", "f8"),
        ("box_z", "f8"),
        ("half_length", "f8"),
        ("half_width", "f8"),
        ("half_height", "f8"),
        ("solid", "?"),
        # red, green, blue: one byte each
        ("colour", "i8"),
        ("physics", "?"),
        # forward speed that is held whatever the pedals say; NaN for none
        ("held_speed", "f8"),
        # whether it is a vehicle that follows lanes, see :mod:`~.agents.lane_following`
        ("autopilot", "?"),
    ],
    align=True,
)
"""State and properties of one body: SI units, radians, world frame, yaw counter-clockwise."""

CONTROL = np.dtype(
    [
        ("throttle", "f8"),
        # share of the steering range, left positive
        ("steer", "f8"),
        ("brake", "f8"),
        ("hand_brake", "?"),
        ("reverse", "?"),
    ],
    align=True,
)
"""The last control of a body. A walker has its direction x, y in ``throttle`` and ``steer``, its speed [m/s] in ``brake``."""

SUBSTEP = 0.025
"""Longest integration step [s], so short that the trace hardly depends on the frame rate."""
STEERING_SPEEDS = np.array([0.0, 20.0, 60.0, 120.0]) / 3.6
STEERING_SHARE = np.array([1.0, 0.9, 0.8, 0.7])
"""Steering curve: share of the steering range that is used at each of the speeds [m/s]."""
ROLLING = 0.1
"""Rolling resistance [m/s²]."""
SHIFT_SPEED = 0.1
"""The gear changes between forward and reverse below this speed [m/s]."""


@kernel
def drive(body: Record, control: Record, dt: float) -> None:
    """
    Move a vehicle by one step, in place.

    :param body: record of :data:`BODY`
    :param control: record of :data:`CONTROL`; a value that is not finite counts as 0
    :param dt: length of the step [s]
    """
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
        thrust = body.throttle * body.max_acceleration * (1.0 if gear == body.direction else -1.0)
        resistance = ROLLING + body.drag * body.speed * body.speed if body.speed > 0.0 else 0.0
        pull = thrust - body.brake * body.max_braking - resistance
        if not math.isnan(body.held_speed):
            body.direction = -1.0 if body.held_speed < 0.0 else 1.0
            body.speed = abs(body.held_speed)
            pull = 0.0
        steer = wheel * body.max_steer * steering_share(body.speed)
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
    Interpolate the steering curve.

    :param speed: [m/s]
    :return: share of the steering range that is used at this speed
    """
    # not np.interp: it takes a second to compile
    for k in range(1, len(STEERING_SPEEDS)):
        if speed < STEERING_SPEEDS[k]:
            slope = (STEERING_SHARE[k] - STEERING_SHARE[k - 1]) / (STEERING_SPEEDS[k] - STEERING_SPEEDS[k - 1])
            return STEERING_SHARE[k - 1] + slope * (speed - STEERING_SPEEDS[k - 1])
    return STEERING_SHARE[-1]


@kernel
def _number(value: float) -> float:
    """The value, or 0 where it is not finite: controls come from outside."""
    return value if math.isfinite(value) else 0.0


@kernel
def walk(body: Record, control: Record, dt: float) -> None:
    """
    Move a walker by one step, in place.

    :param body: record of :data:`BODY`
    :param control: record of :data:`CONTROL`
    :param dt: length of the step [s]
    """
    length = math.hypot(_number(control.throttle), _number(control.steer))
    body.speed = max(_number(control.brake), 0.0) if length > 0.0 else 0.0
    body.yaw_rate = 0.0
    if body.speed > 0.0:
        body.yaw = math.atan2(control.steer, control.throttle)
        body.x += body.speed * math.cos(body.yaw) * dt
        body.y += body.speed * math.sin(body.yaw) * dt


@kernel
def origin(body: Record) -> tuple[float, float, float]:
    """Pose of a body's origin in the world frame: x, y [m] and yaw [rad]."""
    return body.x + body.axle * math.cos(body.yaw), body.y + body.axle * math.sin(body.yaw), body.yaw
