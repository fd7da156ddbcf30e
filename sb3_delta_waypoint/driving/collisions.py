"""One step of all bodies: they move, and stop where something is in their way."""

import math

import numpy as np

from sb3_delta_waypoint.driving.bodies import FIXED, VEHICLE, drive, walk
from sb3_delta_waypoint.driving.boxes import boxes_overlap
from sb3_delta_waypoint.driving.kernels import kernel

HIT = np.dtype([("body", "i8"), ("other", "i8"), ("x", "f8"), ("y", "f8")], align=True)
"""A collision in one step: rows of the two bodies, and the impulse on the first [N s]."""

MAX_HITS = 256
"""Largest number of collisions that are reported for one step."""


@kernel
def step_bodies(bodies: np.ndarray, controls: np.ndarray, n: int, dt: float, hits: np.ndarray) -> int:
    """
    Move every body by one step.

    A vehicle or walker that would move into a solid body stays where it is, at rest. If the two overlapped already before the
    step, because one was placed inside the other, it can move out.

    :param bodies: array of :data:`~.bodies.BODY`, the first ``n`` in use
    :param controls: array of :data:`~.bodies.CONTROL`
    :param n: number of bodies
    :param dt: length of the step [s]; nothing moves if it is 0
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
            drive(body, controls[i], dt)
        else:
            walk(body, controls[i], dt)
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
                hit.x, hit.y = -push * math.cos(yaw), -push * math.sin(yaw)
                n_hits += 1
        if blocked:
            body.x, body.y, body.yaw = x, y, yaw
            body.speed, body.yaw_rate = 0.0, 0.0
            body.acceleration = -speed / dt
    return n_hits
