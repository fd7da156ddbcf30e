"""Time to collision: when the car would touch another road user if both went on as they do now."""

import math

from sb3_delta_waypoint.driving.footprint import Box
from sb3_delta_waypoint.driving.kernels import inlined, lean
from sb3_delta_waypoint.driving.records import Record

STEP = 0.1
"""Time between the moments at which overlap is looked for [s]."""
STEPS = 29
"""Number of these moments: 0.1 s, 0.2 s, … 2.9 s."""
STANDING_SPEED = 0.005
"""A car that is not faster than this does not collide [m/s]."""
BOUND = 0.95
"""Shortest time to collision that is not too short [s]."""
COS_SQUARED = 0.75
"""Of 30°: others less than this off the car's heading are ahead, less than this off its opposite behind."""


@inlined
def is_behind(ahead: float, squared: float) -> bool:
    """
    Whether somebody's bearing is more than 150°.

    :param ahead: distance to the middle of the other from the rear axle, along the heading [m]
    :param squared: square of the distance [m²]
    :return: whether the other is behind
    """
    return ahead < 0.0 and ahead * ahead > COS_SQUARED * squared


@inlined
def is_ahead(ahead: float, squared: float) -> bool:
    """
    Whether somebody's bearing is less than 30°; parameters as of :func:`is_behind`.

    :param ahead: distance to the middle of the other from the rear axle, along the heading [m]
    :param squared: square of the distance [m²]
    :return: whether the other is ahead
    """
    return ahead > 0.0 and ahead * ahead > COS_SQUARED * squared


@lean
def time_to_collision(box: Box, speed: float, agent: Record) -> float:
    """
    Time after which two boxes that move on at constant velocity overlap, at one of the moments that are looked at.

    Moving boxes keep their axes: on each of the four the distance is linear in time, so the overlap is an interval.

    :param box: box of the car
    :param speed: its speed [m/s], along its yaw
    :param agent: record of :data:`~.records.AGENT`
    :return: 0.1 to 2.9 s, or ``inf``
    """
    cos, sin = math.cos(agent.yaw), math.sin(agent.yaw)
    dx, dy = agent.x - box.x, agent.y - box.y
    vx, vy = agent.speed * cos - speed * box.cos, agent.speed * sin - speed * box.sin
    half_length, half_width = 0.5 * agent.length, 0.5 * agent.width
    # circles about the boxes: are they ever close enough?
    reach = box.half_length + box.half_width + half_length + half_width
    approach, vv = dx * vx + dy * vy, vx * vx + vy * vy
    away = dx * dx + dy * dy - reach * reach
    if away > 0.0 and (approach >= 0.0 or approach * approach < vv * away):
        return math.inf
    between_cos = abs(box.cos * cos + box.sin * sin)
    between_sin = abs(box.cos * sin - box.sin * cos)
    begin, end = STEP, STEP * STEPS
    for axis in range(4):
        if axis < 2:
            x, y = (box.cos, box.sin) if axis == 0 else (-box.sin, box.cos)
        else:
            x, y = (cos, sin) if axis == 2 else (-sin, cos)
        if axis == 0:
            half = box.half_length + half_length * between_cos + half_width * between_sin
        elif axis == 1:
            half = box.half_width + half_length * between_sin + half_width * between_cos
        elif axis == 2:
            half = half_length + box.half_length * between_cos + box.half_width * between_sin
        else:
            half = half_width + box.half_length * between_sin + box.half_width * between_cos
        distance, rate = dx * x + dy * y, vx * x + vy * y
        if abs(rate) < 1e-9:
            if abs(distance) > half:
                return math.inf
        else:
            middle, span = -distance / rate, half / abs(rate)
            begin, end = max(begin, middle - span), min(end, middle + span)
            if begin > end + 1e-9:
                return math.inf
    # the first moment within the interval
    time = STEP * math.ceil(begin / STEP - 1e-6)
    return time if time <= end + 1e-9 else math.inf
