"""Yielding: hazards ahead (road users on the route, closed stop lines), and the speed profile lowered for them."""

import math

import numpy as np

from sb3_delta_waypoint.driving.kernels import inlined, kernel
from sb3_delta_waypoint.driving.records import PEDESTRIAN, Record

HAZARD = np.dtype([("distance", "f8"), ("speed", "f8")], align=True)
"""A hazard: arc length of the route [m] beyond which a car may not be faster than ``speed`` [m/s]."""

LOOK_AHEAD = 50.0
"""Distance along the route within which other road users matter [m]."""
GAP, HEADWAY = 3.0, 1.0
"""Distance kept to a standing road user ahead [m], and additional time gap to a moving one [s]."""
SIDE_MARGIN = 0.4
"""Lateral clearance beyond which another road user is not in the way [m]."""
FORESIGHT_VEHICLE, FORESIGHT_PEDESTRIAN = 1.0, 3.0
"""Time for which others are extrapolated at constant velocity; one that is in the way by then is a hazard [s]."""
FORESIGHT_STEP = 0.5
"""Time between the extrapolated positions [s]."""


@inlined
def _in_the_way(
    car: Record, route: np.ndarray, agent: Record, seconds: float, half_width: float, front: float, hazard: Record
) -> bool:
    """Whether an agent is on the route ahead after some seconds; if so, its hazard is written."""
    cos_yaw, sin_yaw = math.cos(agent.yaw), math.sin(agent.yaw)
    x, y = agent.x + seconds * agent.speed * cos_yaw, agent.y + seconds * agent.speed * sin_yaw
    nearest, squared = -1, np.inf
    for j in range(car.index, min(car.index + int(LOOK_AHEAD), car.n_points)):
        distance = (x - route[j].x) ** 2 + (y - route[j].y) ** 2
        if distance < squared:
            nearest, squared = j, distance
    point = route[nearest]
    aligned = abs(cos_yaw * point.cos + sin_yaw * point.sin)
    across = abs(cos_yaw * point.sin - sin_yaw * point.cos)
    along = (x - point.x) * point.cos + (y - point.y) * point.sin
    lateral = (y - point.y) * point.cos - (x - point.x) * point.sin
    half_across = 0.5 * (across * agent.length + aligned * agent.width)
    half_along = 0.5 * (aligned * agent.length + across * agent.width)
    if abs(lateral) > half_width + half_across + SIDE_MARGIN or abs(along) > half_along + 1.0:
        return False
    if nearest + along <= car.progress:
        return False
    hazard.speed = max(0.0, agent.speed * (cos_yaw * point.cos + sin_yaw * point.sin))
    hazard.distance = nearest + along - half_along - front - GAP - HEADWAY * hazard.speed
    return True


@kernel
def find_hazards(
    car: Record, route: np.ndarray, agents: np.ndarray, half_width: float, front: float, hazards: np.ndarray
) -> int:
    """
    Find the agents to which a car must yield.

    :param car: record of :data:`~.records.CAR`, projected on its route
    :param route: records of :data:`~.records.ROUTE_POINT`
    :param agents: records of :data:`~.records.AGENT`, the car itself not among them
    :param half_width: half the width of the car [m]
    :param front: distance from its reference point to its front bumper [m]
    :param hazards: records of :data:`HAZARD`, at least as many as agents, written
    :return: number of hazards
    """
    found = 0
    for i in range(agents.shape[0]):
        foresight = FORESIGHT_PEDESTRIAN if agents[i].kind == PEDESTRIAN else FORESIGHT_VEHICLE
        for step in range(int(foresight / FORESIGHT_STEP) + 1):
            if _in_the_way(car, route, agents[i], step * FORESIGHT_STEP, half_width, front, hazards[found]):
                found += 1
                break
    return found


@inlined
def slow_for(hazard: Record, route: np.ndarray, first: int, n_points: int, braking: float) -> None:
    """
    Lower a speed profile so that a car that brakes steadily meets the speed of a hazard.

    :param hazard: record of :data:`HAZARD`
    :param route: records of :data:`~.records.ROUTE_POINT`; speeds are lowered
    :param first: index of the first point that matters
    :param n_points: points in use
    :param braking: deceleration [m/s²]
    """
    for j in range(first, n_points):
        left = max(hazard.distance - j, 0.0)
        route[j].speed = min(route[j].speed, math.sqrt(hazard.speed * hazard.speed + 2.0 * braking * left))
