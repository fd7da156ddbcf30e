"""Footprints: the boxes of the car and of others seen from above, whether they overlap, and the gap between them."""

import math
from typing import NamedTuple

from sb3_delta_waypoint.driving.kernels import inlined, lean
from sb3_delta_waypoint.driving.records import Record
from sb3_delta_waypoint.driving.vehicle import VehicleParameters


class Box(NamedTuple):
    """An oriented box: its middle in the world frame [m], the cosine and sine of its yaw, and half its sides [m]."""

    x: float
    y: float
    cos: float
    sin: float
    half_length: float
    half_width: float


@inlined
def car_box(car: Record, vehicle: VehicleParameters) -> Box:
    """
    The box of the car.

    :param car: record of :data:`~.records.CAR`, whose place is the middle of its rear axle
    :param vehicle: parameters of the car
    :return: its box
    """
    cos, sin = math.cos(car.yaw), math.sin(car.yaw)
    forward = 0.5 * vehicle.length - vehicle.rear_overhang
    return Box(car.x + forward * cos, car.y + forward * sin, cos, sin, 0.5 * vehicle.length, 0.5 * vehicle.width)


@inlined
def agent_box(agent: Record) -> Box:
    """
    The box of another road user.

    :param agent: record of :data:`~.records.AGENT`
    :return: its box
    """
    return Box(agent.x, agent.y, math.cos(agent.yaw), math.sin(agent.yaw), 0.5 * agent.length, 0.5 * agent.width)


@inlined
def overlap(one: Box, other: Box) -> bool:
    """
    Whether two boxes share a point, by separating axes (Ericson, Real-Time Collision Detection, 4.4).

    :param one: a box
    :param other: another box
    :return: whether they overlap or touch
    """
    dx, dy = other.x - one.x, other.y - one.y
    cos = abs(one.cos * other.cos + one.sin * other.sin)
    sin = abs(one.cos * other.sin - one.sin * other.cos)
    return (
        abs(dx * one.cos + dy * one.sin) <= one.half_length + other.half_length * cos + other.half_width * sin
        and abs(dy * one.cos - dx * one.sin) <= one.half_width + other.half_length * sin + other.half_width * cos
        and abs(dx * other.cos + dy * other.sin) <= other.half_length + one.half_length * cos + one.half_width * sin
        and abs(dy * other.cos - dx * other.sin) <= other.half_width + one.half_length * sin + one.half_width * cos
    )


@inlined
def _squared_distance_of_corners(box: Box, other: Box) -> float:
    """Smallest squared distance from a corner of ``other`` to ``box`` [m²]."""
    nearest = math.inf
    for corner in range(4):
        ahead = other.half_length if corner < 2 else -other.half_length
        left = other.half_width if corner % 2 == 0 else -other.half_width
        dx = other.x + ahead * other.cos - left * other.sin - box.x
        dy = other.y + ahead * other.sin + left * other.cos - box.y
        beyond = max(abs(dx * box.cos + dy * box.sin) - box.half_length, 0.0)
        beside = max(abs(dy * box.cos - dx * box.sin) - box.half_width, 0.0)
        nearest = min(nearest, beyond * beyond + beside * beside)
    return nearest


@lean
def gap(one: Box, other: Box) -> float:
    """
    Smallest distance between two boxes that do not overlap: it is attained at a corner of one of them.

    :param one: a box
    :param other: another box
    :return: distance [m]
    """
    return math.sqrt(min(_squared_distance_of_corners(one, other), _squared_distance_of_corners(other, one)))
