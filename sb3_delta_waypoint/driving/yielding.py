"""What a driver yields to: others on the route, and lines at which the route may not be passed."""

import math

import numpy as np

from sb3_delta_waypoint.driving.kernels import inlined, kernel
from sb3_delta_waypoint.driving.records import Record

AGENT = np.dtype(
    [("x", "f8"), ("y", "f8"), ("yaw", "f8"), ("speed", "f8"), ("length", "f8"), ("width", "f8"), ("kind", "f8")], align=True
)
"""Another road user: middle of its box [m], heading [rad], speed [m/s], size [m], :data:`VEHICLE` or :data:`PEDESTRIAN`."""

VEHICLE, PEDESTRIAN = 0.0, 1.0
"""Kinds of agents."""

HAZARD = np.dtype([("distance", "f8"), ("speed", "f8")], align=True)
"""Beyond this arc length of the route [m] a car may not be faster than this [m/s]."""

LOOK_AHEAD = 50.0
"""Others farther along the route than this do not matter yet [m]."""
GAP, HEADWAY = 3.0, 1.0
"""Distance that is kept to what stands ahead [m], and how much more to what drives [s]."""
SIDE_MARGIN = 0.4
"""Others that leave more room than this beside the car are not in its way [m]."""
FORESIGHT_VEHICLE, FORESIGHT_PEDESTRIAN = 1.0, 3.0
"""Others are expected to go on as they do for this long [s]: who will be in the way by then is in the way."""
FORESIGHT_STEP = 0.5
"""[s]"""


@inlined
def _in_the_way(
    car: Record, route: np.ndarray, agent: Record, seconds: float, half_width: float, front: float, hazard: Record
) -> bool:
    """Whether an agent is on the route ahead after some seconds; if so, where the car must have adapted to it."""
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
    The agents that a car must yield to.

    :param car: record of :data:`~.records.CAR`, projected on its route
    :param route: records of :data:`~.records.ROUTE_POINT`
    :param agents: records of :data:`AGENT`, the car itself not among them
    :param half_width: of the car [m]
    :param front: from its reference point to its bumper [m]
    :param hazards: records of :data:`HAZARD`, at least as many as agents, written
    :return: how many there are
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
    Lower a speed profile so that a car braking steadily is as slow as it must be where it must be.

    :param hazard: record of :data:`HAZARD`
    :param route: records of :data:`~.records.ROUTE_POINT`; speeds are lowered
    :param first: index of the first point that matters
    :param n_points: points in use
    :param braking: [m/s²]
    """
    for j in range(first, n_points):
        left = max(hazard.distance - j, 0.0)
        route[j].speed = min(route[j].speed, math.sqrt(hazard.speed * hazard.speed + 2.0 * braking * left))
