"""One step of the others on the road of one car."""

import math
from typing import NamedTuple

import numpy as np

from sb3_delta_waypoint.contract import CONTROL_DT
from sb3_delta_waypoint.driving.agents.board import Board, clear, put
from sb3_delta_waypoint.driving.agents.lane_changes import change_lane
from sb3_delta_waypoint.driving.agents.records import CAR_DRIVER, PEDESTRIAN_WALKS
from sb3_delta_waypoint.driving.agents.vehicles import look_ahead, move
from sb3_delta_waypoint.driving.agents.walkers import put_walker, steps_out, walk_on
from sb3_delta_waypoint.driving.kernels import inlined
from sb3_delta_waypoint.driving.lanes import Lanes, lanes_at
from sb3_delta_waypoint.driving.records import Record
from sb3_delta_waypoint.driving.vehicle import VehicleParameters

CHANGE_EVERY = 10
"""Steps between two looks at the lanes beside."""
NEARBY = 0.8
"""A car whose middle is at most this far beside its route occupies the lane of its route alone [m]."""
STANDING, PATIENCE = 0.3, 30
"""A car slower than this [m/s] for so many steps loses its turn at a junction, and has none for as many."""
ON_LANE = 2.0
"""A car farther beside its route than this is no longer on its lane [m]."""


class Others(NamedTuple):
    """
    The others on the road of one car.

    :param agents: records of :data:`~..records.AGENT` ``(A,)``
    :param drivers: records of :data:`~.records.DRIVER` ``(A + 1,)``; the last one the car's
    :param situation: record of :data:`~.records.SITUATION`
    """

    agents: np.ndarray
    drivers: np.ndarray
    situation: Record


@inlined
def locate_car(car: Record, driver: Record, situation: Record, ahead: float) -> None:
    """
    Find the middle of the car on the segments of its route.

    :param car: record of :data:`~..records.CAR`, projected on its route
    :param driver: record of :data:`~.records.DRIVER` of the car, written
    :param situation: record of :data:`~.records.SITUATION`
    :param ahead: distance from the car's reference point to the middle of its box [m]
    """
    k, at = 0, car.progress + ahead
    while k + 1 < situation.n_segments and situation.begins[k + 1] <= at:
        k += 1
    if driver.segment != situation.segment[k]:
        if driver.claimed == driver.segment:
            driver.claimed = -1
        if driver.halted == driver.segment:
            driver.halted = -1
        driver.segment = situation.segment[k]
    driver.along = at - situation.begins[k]


@inlined
def occupy(car: Record, vehicle: VehicleParameters, lanes: Lanes, others: Others, found: np.ndarray) -> None:
    """
    Find the lanes that the car occupies for others.

    :param car: record of :data:`~..records.CAR`, projected on its route
    :param vehicle: parameters of the car
    :param lanes: the lanes
    :param others: the others, whose situation is written
    :param found: int64 ``(8,)``, working memory
    """
    situation = others.situation
    driver: Record = others.drivers[others.agents.shape[0]]
    middle = 0.5 * vehicle.length - vehicle.rear_overhang
    locate_car(car, driver, situation, middle)
    # a car may be behind the start of its route, or beyond its end
    driver.along = min(max(driver.along, 0.0), lanes.length[driver.segment])
    n = 0
    if abs(car.lateral) < ON_LANE:
        situation.spot_segment[0], situation.spot_along[0] = driver.segment, driver.along
        n = 1
    if abs(car.lateral) > NEARBY:
        cos, sin = math.cos(car.yaw), math.sin(car.yaw)
        for corner in range(6):
            ahead = middle + 0.5 * vehicle.length * (corner // 2 - 1)
            aside = 0.5 * vehicle.width * (2 * (corner % 2) - 1)
            x, y = car.x + ahead * cos - aside * sin, car.y + ahead * sin + aside * cos
            for k in range(lanes_at(lanes, x, y, 0.0, found)):
                point = found[k]
                segment, known = lanes.segment_of[point], False
                for spot in range(n):
                    known = known or situation.spot_segment[spot] == segment
                if not known and n < len(situation.spot_segment) and not lanes.in_junction[point]:
                    situation.spot_segment[n], situation.spot_along[n] = segment, lanes.along[point]
                    n += 1
    situation.n_spots = n


@inlined
def set_up(board: Board, others: Others, lanes: Lanes, car: Record, half: float) -> int:
    """Put everybody on the board; return the number of entries."""
    n = 0
    agents, drivers, situation = others.agents, others.drivers, others.situation
    for j in range(agents.shape[0]):
        driver, agent = drivers[j], agents[j]
        if driver.role == CAR_DRIVER:
            n = put(board, n, driver.segment, driver.along, 0.5 * agent.length, agent.speed, j)
            if abs(driver.offset) > 1.0:
                # in the middle of a lane change it is still on the lane that it leaves
                first = lanes.network.offsets[driver.segment]
                point = first + int(driver.along / lanes.spacing[driver.segment])
                beside = lanes.left[point] if driver.offset > 0.0 else lanes.right[point]
                if beside >= 0:
                    n = put(board, n, lanes.segment_of[beside], lanes.along[beside], 0.5 * agent.length, agent.speed, j)
        elif driver.role == PEDESTRIAN_WALKS and 0.0 < driver.walked < driver.way:
            n = put_walker(board, n, driver, j)
    if not situation.deaf:
        for spot in range(situation.n_spots):
            n = put(board, n, situation.spot_segment[spot], situation.spot_along[spot], half, car.speed, agents.shape[0])
    return n


@inlined
def _take_turn(others: Others, car: Record, lanes: Lanes, board: Board, half: float, seconds: float) -> None:
    """Let the car take its turn at junctions as others do, whoever drives it; one that stands there loses it."""
    row = others.agents.shape[0]
    driver: Record = others.drivers[row]
    driver.standstill = driver.standstill + 1 if car.speed < STANDING else 0
    if driver.standstill % (2 * PATIENCE) > PATIENCE:
        driver.claimed = -1
    else:
        look_ahead(lanes, board, others.agents, others.drivers, others.situation, row, car.speed, half, seconds)


@inlined
def act(others: Others, car: Record, vehicle: VehicleParameters, lanes: Lanes, board: Board, step: int) -> None:
    """
    Let everybody but the car act for one step.

    :param others: the others, written
    :param car: record of :data:`~..records.CAR`
    :param vehicle: parameters of the car
    :param lanes: the lanes
    :param board: an empty board; empty again afterwards
    :param step: number of the step in the episode
    """
    agents, drivers, situation = others.agents, others.drivers, others.situation
    half, seconds = 0.5 * vehicle.length, step * CONTROL_DT
    front = vehicle.length - vehicle.rear_overhang
    n = set_up(board, others, lanes, car, half)
    if not situation.deaf:
        _take_turn(others, car, lanes, board, half, seconds)
    for j in range(agents.shape[0]):
        driver, agent = drivers[j], agents[j]
        if driver.role == CAR_DRIVER:
            if driver.held_steps > 0:
                # a car that stands in the way, until the car has waited for it
                if math.hypot(agent.x - car.x, agent.y - car.y) < driver.held_distance:
                    driver.held_steps -= 1
                driver.acceleration = 0.0
                continue
            if driver.changes_lanes and (step + j) % CHANGE_EVERY == 0:
                change_lane(lanes, board, agents, drivers, j)
            driver.acceleration = look_ahead(
                lanes, board, agents, drivers, situation, j, agent.speed, 0.5 * agent.length, seconds
            )
        elif (
            driver.role == PEDESTRIAN_WALKS
            and driver.walked == 0.0
            and steps_out(driver, car, front, lanes, agents, drivers, situation.deaf, step)
        ):
            driver.walked = 1e-9
    clear(board, n)
    for j in range(agents.shape[0]):
        driver, agent = drivers[j], agents[j]
        if driver.role == CAR_DRIVER:
            move(agent, driver, lanes, CONTROL_DT)
        elif driver.role == PEDESTRIAN_WALKS and 0.0 < driver.walked < driver.way:
            walk_on(agent, driver, CONTROL_DT)
