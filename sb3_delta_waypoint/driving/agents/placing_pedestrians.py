"""Placing pedestrians beside the car's route, on ways that meet neither others nor parked cars."""

import math

import numpy as np

from sb3_delta_waypoint.contract import CONTROL_DT
from sb3_delta_waypoint.driving.agents.placing import ATTEMPTS, is_clear_of_car
from sb3_delta_waypoint.driving.agents.records import CAR_DRIVER, PEDESTRIAN_WALKS
from sb3_delta_waypoint.driving.agents.traffic import Others
from sb3_delta_waypoint.driving.agents.walkers import RADIUS, lay_way
from sb3_delta_waypoint.driving.kernels import lean
from sb3_delta_waypoint.driving.lanes import Lanes
from sb3_delta_waypoint.driving.records import PEDESTRIAN, Record
from sb3_delta_waypoint.driving.scenarios import uniform
from sb3_delta_waypoint.driving.vehicle import VehicleParameters

FIRST, LAST = 15.0, 8.0
"""Pedestrians cross no closer to the start and to the goal of the route than this [m]."""
CROSSING_HALF_WIDTH, WALKING_ROOM = 1.3, 0.5
"""Half the width of crossings, and the distance between the middle of a pedestrian's way and others beside it [m]."""


@lean
def place_pedestrian(
    others: Others,
    j: int,
    seed: np.uint64,
    car: Record,
    vehicle: VehicleParameters,
    route: np.ndarray,
    lanes: Lanes,
    found: np.ndarray,
    sudden: bool,
) -> None:
    """
    Place a pedestrian beside the car's route, most of them to cross it.

    :param others: the others, written in row ``j``
    :param j: row of the pedestrian
    :param seed: seed of its random numbers
    :param car: record of :data:`~..records.CAR` at its start
    :param vehicle: parameters of the car
    :param route: records of :data:`~..records.ROUTE_POINT` ``(P,)``
    :param lanes: the lanes
    :param found: int64 ``(8,)``, working memory
    :param sudden: whether it steps out right in front of the car, between crossings
    """
    agent, driver = others.agents[j], others.drivers[j]
    agent.kind, agent.length, agent.width = PEDESTRIAN, 2.0 * RADIUS, 2.0 * RADIUS
    if car.n_points < FIRST + LAST + 2.0:
        return
    for attempt in range(ATTEMPTS):
        at = int(uniform(seed, 4 * attempt, FIRST, car.n_points - LAST))
        # half of them use a crossing, if there is one
        crossing = _crossing_near(lanes, route[at]) if uniform(seed, 4 * attempt + 1, 0.0, 1.0) < 0.5 and not sudden else -1
        point = route[at]
        x, y, cos, sin = point.x, point.y, -point.sin, point.cos
        if crossing >= 0:
            zebra = lanes.crossings[crossing]
            dx, dy = zebra.to_x - zebra.x, zebra.to_y - zebra.y
            length = math.hypot(dx, dy)
            cos, sin = dx / length, dy / length
            aside = uniform(seed, 4 * attempt + 3, -CROSSING_HALF_WIDTH, CROSSING_HALF_WIDTH)
            x, y = zebra.x + 0.5 * dx - aside * sin, zebra.y + 0.5 * dy + aside * cos
        if uniform(seed, 4 * attempt + 2, 0.0, 1.0) < 0.5:
            cos, sin = -cos, -sin
        if not lay_way(driver, lanes, found, x, y, cos, sin):
            continue
        crosses = _crossing_point(driver, route, car.n_points, cos, sin)
        if crosses < FIRST or _beside_somebody(others, j, driver.start_x, driver.start_y):
            continue
        if not _way_is_free(others, j, cos, sin):
            continue
        agent.x, agent.y, agent.yaw, agent.speed = driver.start_x, driver.start_y, math.atan2(sin, cos), 0.0
        if not is_clear_of_car(others, agent, car, vehicle):
            continue
        driver.pace = uniform(seed, 200, 0.9, 1.9)
        driver.crosses_at = crosses
        driver.steps_out = uniform(seed, 201, 12.0, 40.0)
        driver.leaves_braking = 5.0 if sudden else 3.0
        # a few only stand there
        if not sudden and uniform(seed, 202, 0.0, 1.0) < 0.25:
            driver.steps_out = -np.inf
        driver.starts = _arrival(route, crosses - driver.steps_out) if driver.steps_out > 0.0 else 1 << 30
        driver.role, agent.present = PEDESTRIAN_WALKS, True
        return


@lean
def _crossing_near(lanes: Lanes, point: Record) -> int:
    """The crossing whose middle is nearest to a route point, within 15 m of it; -1 for none."""
    nearest, squared = -1, 15.0 * 15.0
    for k in range(lanes.crossings.shape[0]):
        zebra = lanes.crossings[k]
        dx, dy = 0.5 * (zebra.x + zebra.to_x) - point.x, 0.5 * (zebra.y + zebra.to_y) - point.y
        if dx * dx + dy * dy < squared:
            nearest, squared = k, dx * dx + dy * dy
    return nearest


@lean
def _crossing_point(driver: Record, route: np.ndarray, n_points: int, cos: float, sin: float) -> float:
    """Arc length at which a route meets a pedestrian's way [m]; -1 if it does not."""
    for k in range(n_points):
        dx, dy = route[k].x - driver.start_x, route[k].y - driver.start_y
        along, aside = dx * cos + dy * sin, abs(dy * cos - dx * sin)
        if aside < 0.8 and 0.0 < along < driver.way:
            return float(k)
    return -1.0


@lean
def _beside_somebody(others: Others, j: int, x: float, y: float) -> bool:
    for k in range(others.agents.shape[0]):
        other = others.agents[k]
        reach = 0.5 * other.length + 1.0
        if k != j and other.present and (other.x - x) ** 2 + (other.y - y) ** 2 < reach * reach:
            return True
    return False


@lean
def _way_is_free(others: Others, j: int, cos: float, sin: float) -> bool:
    """Whether a pedestrian meets neither another one nor a parked car on its way."""
    driver = others.drivers[j]
    for k in range(others.agents.shape[0]):
        other, agent = others.drivers[k], others.agents[k]
        if k == j or not agent.present or other.role == CAR_DRIVER:
            continue
        other_cos, other_sin = math.cos(agent.yaw), math.sin(agent.yaw)
        # the ground that it covers, about its middle
        half_length, half_width, middle = 0.5 * agent.length, 0.5 * agent.width, 0.0
        if other.role == PEDESTRIAN_WALKS and other.steps_out > 0.0:
            half_length, middle = half_length + 0.5 * other.way, 0.5 * other.way
        for step in range(int(2.0 * driver.way) + 2):
            walked = min(0.5 * step, driver.way)
            dx, dy = driver.start_x + walked * cos - agent.x, driver.start_y + walked * sin - agent.y
            along = abs(dx * other_cos + dy * other_sin - middle) - half_length
            aside = abs(dy * other_cos - dx * other_sin) - half_width
            if max(along, aside) < WALKING_ROOM:
                return False
    return True


@lean
def _arrival(route: np.ndarray, at: float) -> int:
    """Step at which a car that drives the route's speeds is at an arc length."""
    seconds = 0.0
    for k in range(int(max(at, 0.0))):
        seconds += 1.0 / max(route[k].speed, 1.0)
    return int(seconds / CONTROL_DT)
