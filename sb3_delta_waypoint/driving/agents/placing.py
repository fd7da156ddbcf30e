"""What placing the others has in common: free places on the lanes, clear of the car, and the character of drivers."""

import math

import numpy as np

from sb3_delta_waypoint.driving.agents.behaviour import CHANGES_LANES, PANEL
from sb3_delta_waypoint.driving.agents.traffic import Others
from sb3_delta_waypoint.driving.kernels import inlined, lean
from sb3_delta_waypoint.driving.lanes import Lanes
from sb3_delta_waypoint.driving.records import Record
from sb3_delta_waypoint.driving.scenarios import hash64, uniform
from sb3_delta_waypoint.driving.vehicle import VehicleParameters

ATTEMPTS = 12
"""Places that are tried for each of the others."""
CLEAR_AHEAD = 8.0
"""Free length between vehicles of one lane [m]."""
CLEAR_START = 6.0
"""Others begin this far from the car at least, in addition to the distance in which it can stop [m]."""
HARD_BRAKING = 6.0
"""A contact that this deceleration from the first step does not avoid is nobody's fault [m/s²]."""


@inlined
def draw_character(driver: Record, seed: np.uint64, behaviour: int) -> None:
    """
    Draw the parameters of a driver.

    :param driver: record of :data:`~.records.DRIVER`, written
    :param seed: seed of its random numbers
    :param behaviour: number of the behaviour, in the order of :data:`~.behaviour.BEHAVIOURS`
    """
    driver.headway = uniform(seed, 200, PANEL[behaviour, 0], PANEL[behaviour, 1])
    driver.gap = uniform(seed, 201, PANEL[behaviour, 2], PANEL[behaviour, 3])
    driver.max_acceleration = uniform(seed, 202, PANEL[behaviour, 4], PANEL[behaviour, 5])
    driver.braking = uniform(seed, 203, PANEL[behaviour, 6], PANEL[behaviour, 7])
    driver.pace_share = uniform(seed, 204, PANEL[behaviour, 8], PANEL[behaviour, 9])
    driver.changes_lanes = CHANGES_LANES[behaviour]
    driver.route = hash64(seed, np.uint64(205))


@inlined
def in_conflict(lanes: Lanes, segment: int, along: float, half: float) -> bool:
    """
    Whether a vehicle would stand on a stretch that conflicts with another lane, or less than 1 m from it.

    :param lanes: the lanes
    :param segment: its segment
    :param along: middle of its box, arc length from the segment's start [m]
    :param half: half its length [m]
    :return: whether it would
    """
    for c in range(lanes.conflict_offsets[segment], lanes.conflict_offsets[segment + 1]):
        zone = lanes.conflicts[c]
        if along + half > zone.begin - 1.0 and along - half < zone.end + 1.0:
            return True
    return False


@lean
def is_free(others: Others, j: int) -> bool:
    """
    Whether a vehicle is clear of those that were placed before.

    :param others: the others
    :param j: row of the vehicle, whose pose is written
    :return: whether it is
    """
    agents = others.agents
    agent = agents[j]
    for k in range(agents.shape[0]):
        other = agents[k]
        if k == j or not other.present:
            continue
        dx, dy = other.x - agent.x, other.y - agent.y
        reach = 0.5 * (agent.length + other.length) + CLEAR_AHEAD
        if dx * dx + dy * dy > reach * reach:
            continue
        # on lanes that run side by side vehicles may be side by side
        aside = abs(dy * math.cos(agent.yaw) - dx * math.sin(agent.yaw))
        if aside < 0.5 * (agent.width + other.width) + 0.8 or abs(math.sin(agent.yaw - other.yaw)) > 0.5:
            return False
    return True


@inlined
def is_clear_of_car(others: Others, agent: Record, car: Record, vehicle: VehicleParameters) -> bool:
    """
    Whether the car, braking hard, stays clear of an agent that comes straight on for two seconds; counted if not.

    :param others: the others, whose situation counts it
    :param agent: record of :data:`~..records.AGENT`
    :param car: record of :data:`~..records.CAR` at its start
    :param vehicle: parameters of the car
    :return: whether it does
    """
    middle = 0.5 * vehicle.length - vehicle.rear_overhang
    reach = 0.5 * vehicle.length + 0.5 * agent.length + CLEAR_START
    clear = True
    for step in range(11):
        seconds = 0.2 * step
        braked = min(seconds, car.speed / HARD_BRAKING)
        way = middle + car.speed * braked - 0.5 * HARD_BRAKING * braked * braked
        x, y = car.x + way * math.cos(car.yaw), car.y + way * math.sin(car.yaw)
        dx = agent.x + seconds * agent.speed * math.cos(agent.yaw) - x
        dy = agent.y + seconds * agent.speed * math.sin(agent.yaw) - y
        along = abs(dx * math.cos(car.yaw) + dy * math.sin(car.yaw))
        aside = abs(dy * math.cos(car.yaw) - dx * math.sin(car.yaw))
        across = abs(math.sin(agent.yaw - car.yaw))
        beside = 0.5 * vehicle.width + 0.5 * agent.width + 0.5 * across * agent.length + 0.5
        clear = clear and not (along < reach and aside < beside)
    others.situation.redrawn += not clear
    return clear
