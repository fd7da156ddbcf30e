"""Geometry of oriented boxes: overlaps and ray casts."""

import math

import numpy as np

from sb3_delta_waypoint.driving.bodies import FIXED
from sb3_delta_waypoint.driving.kernels import inlined, kernel
from sb3_delta_waypoint.driving.records import Record


@inlined
def box_centre(body: Record) -> tuple[float, float]:
    """Middle of a body's box, seen from above [m]."""
    forward = body.axle + body.box_x
    return (
        body.x + forward * math.cos(body.yaw) - body.box_y * math.sin(body.yaw),
        body.y + forward * math.sin(body.yaw) + body.box_y * math.cos(body.yaw),
    )


@kernel
def boxes_overlap(one: Record, other: Record) -> bool:
    """
    Whether the boxes of two bodies overlap, by separating axes in the plane and by their heights.

    Source: Ericson, Real-Time Collision Detection, 4.4.

    :param one: record of :data:`~.bodies.BODY`
    :param other: record of :data:`~.bodies.BODY`
    :return: whether the boxes share a point
    """
    one_x, one_y = box_centre(one)
    other_x, other_y = box_centre(other)
    dx, dy = other_x - one_x, other_y - one_y
    reach = one.half_length + one.half_width + other.half_length + other.half_width
    if abs(dx) > reach or abs(dy) > reach:
        return False
    if abs(other.z + other.box_z - one.z - one.box_z) > one.half_height + other.half_height:
        return False
    cos_one, sin_one = math.cos(one.yaw), math.sin(one.yaw)
    cos_other, sin_other = math.cos(other.yaw), math.sin(other.yaw)
    cos_between = abs(cos_one * cos_other + sin_one * sin_other)
    sin_between = abs(cos_one * sin_other - sin_one * cos_other)
    return (
        abs(dx * cos_one + dy * sin_one) <= one.half_length + other.half_length * cos_between + other.half_width * sin_between
        and abs(dy * cos_one - dx * sin_one)
        <= one.half_width + other.half_length * sin_between + other.half_width * cos_between
        and abs(dx * cos_other + dy * sin_other)
        <= other.half_length + one.half_length * cos_between + one.half_width * sin_between
        and abs(dy * cos_other - dx * sin_other)
        <= other.half_width + one.half_length * sin_between + one.half_width * cos_between
    )


@kernel
def first_overlap(bodies: np.ndarray, n: int, row: int) -> int:
    """
    Find a solid body that overlaps a given body.

    :param bodies: array of :data:`~.bodies.BODY`, the first ``n`` in use
    :param n: number of bodies
    :param row: row of the given body
    :return: row of the first solid body that it overlaps, or -1
    """
    for j in range(n):
        if j != row and bodies[j].solid and boxes_overlap(bodies[row], bodies[j]):
            return j
    return -1


@kernel
def first_ahead(
    bodies: np.ndarray, n: int, owner: int, pose: tuple[float, float, float], reach: float, radius: float, movable: bool
) -> tuple[int, float]:
    """
    Find the first solid body that a ray of some width hits, seen from above.

    :param bodies: array of :data:`~.bodies.BODY`, the first ``n`` in use
    :param n: number of bodies
    :param owner: row of a body that the ray passes through, or -1
    :param pose: x, y [m] and yaw [rad] of the start of the ray, world frame
    :param reach: length of the ray [m]
    :param radius: half its width [m]
    :param movable: whether only vehicles and walkers are looked for
    :return: row of the body and distance to it [m], or -1 and ``reach``
    """
    found, nearest = -1, reach
    for j in range(n):
        body = bodies[j]
        if j == owner or not body.solid or (movable and body.kind == FIXED):
            continue
        x, y = box_centre(body)
        cos, sin = math.cos(body.yaw), math.sin(body.yaw)
        eye = ((pose[0] - x) * cos + (pose[1] - y) * sin, (pose[1] - y) * cos - (pose[0] - x) * sin)
        ray = (math.cos(pose[2] - body.yaw), math.sin(pose[2] - body.yaw))
        half = (body.half_length + radius, body.half_width + radius)
        enter, leave = 0.0, nearest
        for axis in range(2):
            inverse = 1.0 / ray[axis] if ray[axis] != 0.0 else 1e12
            one, other = (-half[axis] - eye[axis]) * inverse, (half[axis] - eye[axis]) * inverse
            enter, leave = max(enter, min(one, other)), min(leave, max(one, other))
        if enter < leave:
            found, nearest = j, enter
    return found, nearest
