"""
Placing the others of a scenario: vehicles on the lanes near the car's route, pedestrians beside it, parked cars.

Where everybody begins depends on the scenario's seed alone, and not on how they behave.
"""

import math
from typing import NamedTuple

import numpy as np

from sb3_delta_waypoint.driving.agents.behaviour import DEAF, INSERTED
from sb3_delta_waypoint.driving.agents.insertions import insert
from sb3_delta_waypoint.driving.agents.placing import ATTEMPTS, draw_character, in_conflict, is_clear_of_car, is_free
from sb3_delta_waypoint.driving.agents.placing_pedestrians import place_pedestrian
from sb3_delta_waypoint.driving.agents.records import ABSENT, CAR_DRIVER, MAX_SEGMENTS, PEDESTRIAN_WALKS, STANDS
from sb3_delta_waypoint.driving.agents.traffic import Others
from sb3_delta_waypoint.driving.agents.vehicles import CONFLICT_GAP, place
from sb3_delta_waypoint.driving.kernels import inlined, lean
from sb3_delta_waypoint.driving.lanes import BRAKING, Lanes, lanes_at
from sb3_delta_waypoint.driving.records import CYCLIST, VEHICLE, Record
from sb3_delta_waypoint.driving.scenarios import hash64, uniform
from sb3_delta_waypoint.driving.vehicle import VehicleParameters

REACH = 45.0
"""Largest distance from the car's route at which vehicles begin [m]."""
BESIDE_LANE = 0.3
"""Distance between a parked car and the lane [m]."""
CYCLISTS, TRUCKS = 0.06, 0.06
"""Shares of cyclists and trucks."""
CYCLIST_PACE = 5.0
"""Speed of cyclists [m/s]."""
_DRAWS = 4096
"""Number of the first draw; those before it belong to the car's route and start."""


class Counts(NamedTuple):
    """Numbers of the others, and the cumulative shares of the behaviours, float64 ``(B,)``."""

    vehicles: int
    pedestrians: int
    parked: int
    shares: np.ndarray


@lean
def trace_route(situation: Record, places: np.ndarray, n_points: int) -> None:
    """
    Write down the segments of a route.

    :param situation: record of :data:`~.records.SITUATION`, written
    :param places: records of :data:`~..records.PLACE` ``(P,)``, one for each route point
    :param n_points: points in use
    """
    n = 0
    for k in range(n_points):
        if n == 0 or places[k].segment != situation.segment[n - 1]:
            if n == MAX_SEGMENTS:
                break
            situation.segment[n] = places[k].segment
            situation.begins[n] = k - places[k].along
            n += 1
    situation.n_segments = n


@lean
def spawn(
    others: Others,
    car: Record,
    vehicle: VehicleParameters,
    route: np.ndarray,
    places: np.ndarray,
    lanes: Lanes,
    counts: Counts,
    found: np.ndarray,
) -> None:
    """
    Place the others of a scenario.

    :param others: the others, written; the situation holds the scenario's seed
    :param car: record of :data:`~..records.CAR` at the start of its route
    :param vehicle: parameters of the car
    :param route: records of :data:`~..records.ROUTE_POINT`, finished
    :param places: records of :data:`~..records.PLACE`, where the route's points lie on the lanes
    :param lanes: the lanes
    :param counts: how many, and which behaviours
    :param found: int64 ``(8,)``, working memory
    """
    agents, drivers, situation = others.agents, others.drivers, others.situation
    seed = situation.seed
    drawn, behaviour = uniform(seed, _DRAWS, 0.0, 1.0), 0
    while behaviour + 1 < counts.shares.shape[0] and drawn >= counts.shares[behaviour]:
        behaviour += 1
    situation.behaviour, situation.deaf = behaviour, DEAF[behaviour]
    n = agents.shape[0]
    for j in range(n + 1):
        drivers[j].role, drivers[j].claimed, drivers[j].halted, drivers[j].waited = ABSENT, -1, -1, 0
        drivers[j].forks, drivers[j].offset, drivers[j].acceleration, drivers[j].held_steps = 0, 0.0, 0.0, 0
        drivers[j].runs_red, drivers[j].changes_lanes, drivers[j].walked, drivers[j].n_crossed = False, False, 0.0, 0
        if j < n:
            agents[j].present, agents[j].collided, agents[j].speed = False, False, 0.0
    ego: Record = drivers[n]
    ego.standstill = 0
    ego.role, ego.segment, ego.along = CAR_DRIVER, places[0].segment, places[0].along
    ego.headway, ego.gap, ego.max_acceleration, ego.braking, ego.pace_share = 1.5, 2.0, 2.0, 2.0, 1.3
    special = INSERTED[behaviour]
    first_walker = counts.vehicles
    first_parked = first_walker + counts.pedestrians
    for j in range(first_parked + counts.parked):
        own = hash64(seed, np.uint64(_DRAWS + 1 + j))
        if j < first_walker:
            _place_vehicle(others, j, own, car, vehicle, route, places, lanes, found)
        elif j < first_parked:
            place_pedestrian(others, j, own, car, vehicle, route, lanes, found, False)
        else:
            _park(others, j, own, car, vehicle, route, places, lanes, found)
    if special:
        insert(
            others,
            first_parked + counts.parked,
            hash64(seed, np.uint64(_DRAWS + 1 + n)),
            car,
            vehicle,
            route,
            places,
            lanes,
            found,
        )


@inlined
def _size(agent: Record, seed: np.uint64) -> None:
    drawn = uniform(seed, 210, 0.0, 1.0)
    agent.kind = VEHICLE
    if drawn < CYCLISTS:
        agent.kind, agent.length, agent.width = CYCLIST, 1.8, 0.7
    elif drawn < CYCLISTS + TRUCKS:
        agent.length, agent.width = uniform(seed, 211, 7.0, 10.0), 2.4
    else:
        agent.length, agent.width = uniform(seed, 211, 3.9, 5.1), uniform(seed, 212, 1.75, 2.0)


@lean
def _place_vehicle(
    others: Others,
    j: int,
    seed: np.uint64,
    car: Record,
    vehicle: VehicleParameters,
    route: np.ndarray,
    places: np.ndarray,
    lanes: Lanes,
    found: np.ndarray,
) -> None:
    agents, drivers = others.agents, others.drivers
    agent, driver = agents[j], drivers[j]
    _size(agent, seed)
    for attempt in range(ATTEMPTS):
        part, at = uniform(seed, 4 * attempt, 0.0, 1.0), uniform(seed, 4 * attempt + 1, 0.0, 1.0)
        # a third on the route itself, the others anywhere near it
        if part < 0.33:
            point = places[int(at * car.n_points)]
            driver.segment, driver.along = point.segment, point.along
        else:
            here = route[int(at * car.n_points)]
            x = here.x + uniform(seed, 4 * attempt + 2, -REACH, REACH)
            y = here.y + uniform(seed, 4 * attempt + 3, -REACH, REACH)
            n = lanes_at(lanes, x, y, 0.0, found)
            if n == 0:
                continue
            point = found[int(hash64(seed, np.uint64(100 + attempt)) % np.uint64(n))]
            driver.segment, driver.along = lanes.segment_of[point], lanes.along[point]
        driver.along = min(driver.along, lanes.length[driver.segment] - 1e-3)
        if in_conflict(lanes, driver.segment, driver.along, 0.5 * agent.length):
            continue
        place(agent, driver, lanes)
        k = lanes.network.offsets[driver.segment] + int(driver.along / lanes.spacing[driver.segment])
        agent.speed = min(
            uniform(seed, 206, 0.3, 0.9) * lanes.pace[k],
            math.sqrt(2.0 * BRAKING * _left_to_stop(lanes, driver.segment, driver.along + 0.5 * agent.length)),
        )
        if agent.kind == CYCLIST:
            agent.speed = min(agent.speed, CYCLIST_PACE)
        if not (is_free(others, j) and is_clear_of_car(others, agent, car, vehicle)):
            continue
        draw_character(driver, seed, others.situation.behaviour)
        if agent.kind == CYCLIST:
            driver.pace_share = min(driver.pace_share, CYCLIST_PACE / lanes.pace[k])
            driver.changes_lanes = False
        driver.role, agent.present = CAR_DRIVER, True
        return


@lean
def _left_to_stop(lanes: Lanes, segment: int, front: float) -> float:
    """Way from a bumper to the next stop line or conflict, on this segment or those after it [m]."""
    network = lanes.network
    left = _first_stop(lanes, segment, front) - front
    for edge in range(network.successor_offsets[segment], network.successor_offsets[segment + 1]):
        left = min(left, lanes.length[segment] - front + _first_stop(lanes, network.successors[edge], -np.inf))
    return max(left, 0.0)


@inlined
def _first_stop(lanes: Lanes, segment: int, front: float) -> float:
    at = lanes.stop_at[segment] if lanes.stop_at[segment] > front else np.inf
    for c in range(lanes.conflict_offsets[segment], lanes.conflict_offsets[segment + 1]):
        zone = lanes.conflicts[c]
        if not zone.fork and zone.begin > front:
            at = min(at, zone.begin - CONFLICT_GAP)
    return at


@lean
def _park(
    others: Others,
    j: int,
    seed: np.uint64,
    car: Record,
    vehicle: VehicleParameters,
    route: np.ndarray,
    places: np.ndarray,
    lanes: Lanes,
    found: np.ndarray,
) -> None:
    """Park a car on the right of the lane, along the route."""
    agent, driver = others.agents[j], others.drivers[j]
    agent.kind, agent.speed = VEHICLE, 0.0
    agent.length, agent.width = uniform(seed, 211, 3.9, 5.1), uniform(seed, 212, 1.75, 2.0)
    for attempt in range(ATTEMPTS):
        here = places[int(uniform(seed, attempt, 0.0, 1.0) * car.n_points)]
        point = lanes.network.offsets[here.segment] + int(here.along / lanes.spacing[here.segment])
        while lanes.right[point] >= 0:
            point = lanes.right[point]
        if lanes.in_junction[point] or in_conflict(lanes, lanes.segment_of[point], lanes.along[point], 0.5 * agent.length):
            continue
        cos, sin = lanes.tangents[point, 0], lanes.tangents[point, 1]
        aside = 0.5 * lanes.width[point] + BESIDE_LANE + 0.5 * agent.width
        agent.x = lanes.network.points[point, 0] + aside * sin
        agent.y = lanes.network.points[point, 1] - aside * cos
        agent.yaw = math.atan2(sin, cos)
        on_lane = False
        for corner in range(6):
            ahead, across = 0.5 * agent.length * (corner // 2 - 1), 0.5 * agent.width * (2 * (corner % 2) - 1)
            x, y = agent.x + ahead * cos - across * sin, agent.y + ahead * sin + across * cos
            on_lane = on_lane or lanes_at(lanes, x, y, 0.0, found) > 0
        if on_lane or not is_free(others, j) or _in_a_way(others, agent):
            continue
        if not is_clear_of_car(others, agent, car, vehicle):
            continue
        driver.role, agent.present = STANDS, True
        return


@lean
def _in_a_way(others: Others, agent: Record) -> bool:
    """Whether an agent stands on the way of a pedestrian."""
    for k in range(others.agents.shape[0]):
        driver = others.drivers[k]
        if driver.role == PEDESTRIAN_WALKS:
            yaw = others.agents[k].yaw
            dx, dy = agent.x - driver.start_x, agent.y - driver.start_y
            along, aside = dx * math.cos(yaw) + dy * math.sin(yaw), abs(dy * math.cos(yaw) - dx * math.sin(yaw))
            if aside < 0.5 * agent.length + 0.5 and -2.0 < along < driver.way + 2.0:
                return True
    return False
