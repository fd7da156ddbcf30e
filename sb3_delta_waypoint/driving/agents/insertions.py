"""What the behaviour ``inserted`` puts into each scenario."""

import numpy as np

from sb3_delta_waypoint.driving.agents.placing import ATTEMPTS, draw_character, in_conflict, is_clear_of_car, is_free
from sb3_delta_waypoint.driving.agents.placing_pedestrians import place_pedestrian
from sb3_delta_waypoint.driving.agents.records import CAR_DRIVER
from sb3_delta_waypoint.driving.agents.traffic import Others
from sb3_delta_waypoint.driving.agents.vehicles import place
from sb3_delta_waypoint.driving.kernels import lean
from sb3_delta_waypoint.driving.lanes import Lanes
from sb3_delta_waypoint.driving.records import VEHICLE, Record
from sb3_delta_waypoint.driving.scenarios import hash64, uniform
from sb3_delta_waypoint.driving.vehicle import VehicleParameters


@lean
def insert(
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
    """
    Insert what exists nowhere else: a standing car, a sudden pedestrian, or a vehicle that runs a red light.

    :param others: the others, written in row ``j``
    :param j: row of what is inserted
    :param seed: seed of its random numbers
    :param car: record of :data:`~..records.CAR` at its start
    :param vehicle: parameters of the car
    :param route: records of :data:`~..records.ROUTE_POINT` ``(P,)``
    :param places: records of :data:`~..records.PLACE` ``(P,)``, where the route's points lie on the lanes
    :param lanes: the lanes
    :param found: int64 ``(8,)``, working memory
    """
    agent, driver = others.agents[j], others.drivers[j]
    kind = int(uniform(seed, 250, 0.0, 3.0))
    if kind == 2 and _run_red(others, j, seed, car, vehicle, lanes):
        return
    if kind == 0:
        agent.kind, agent.length, agent.width = VEHICLE, 4.6, 1.9
        for attempt in range(ATTEMPTS):
            here = places[int(uniform(seed, attempt, 0.35, 0.85) * car.n_points)]
            driver.segment, driver.along = here.segment, min(here.along, lanes.length[here.segment] - 1e-3)
            if in_conflict(lanes, driver.segment, driver.along, 0.5 * agent.length):
                continue
            place(agent, driver, lanes)
            agent.speed = 0.0
            if is_free(others, j) and is_clear_of_car(others, agent, car, vehicle):
                draw_character(driver, seed, others.situation.behaviour)
                driver.held_distance, driver.held_steps = 35.0, int(uniform(seed, 251, 50.0, 100.0))
                driver.role, agent.present = CAR_DRIVER, True
                return
    place_pedestrian(others, j, seed, car, vehicle, route, lanes, found, True)


@lean
def _run_red(others: Others, j: int, seed: np.uint64, car: Record, vehicle: VehicleParameters, lanes: Lanes) -> bool:
    """Place a vehicle on a lane that crosses the route at a junction with lights; it waits there for the car to come."""
    agent, driver, situation = others.agents[j], others.drivers[j], others.situation
    agent.kind, agent.length, agent.width = VEHICLE, 4.6, 1.9
    for k in range(1, situation.n_segments):
        segment = situation.segment[k]
        before = situation.segment[k - 1]
        if lanes.stop_light[before] < 0 or situation.begins[k] > car.route_length - 5.0:
            continue
        for c in range(lanes.conflict_offsets[segment], lanes.conflict_offsets[segment + 1]):
            crossing = lanes.conflicts[c].other
            if lanes.conflicts[c].fork:
                continue
            # a lane with a light of its own that leads there
            for source in range(lanes.network.offsets.shape[0] - 1):
                if lanes.stop_light[source] < 0 or lanes.stop_light[source] == lanes.stop_light[before]:
                    continue
                for edge in range(lanes.network.successor_offsets[source], lanes.network.successor_offsets[source + 1]):
                    if lanes.network.successors[edge] != crossing:
                        continue
                    driver.segment = source
                    driver.along = max(lanes.stop_at[source] - 18.0, 3.0)
                    place(agent, driver, lanes)
                    agent.speed = 0.0
                    if in_conflict(lanes, source, driver.along, 0.5 * agent.length) or not is_free(others, j):
                        continue
                    if not is_clear_of_car(others, agent, car, vehicle):
                        continue
                    draw_character(driver, seed, situation.behaviour)
                    # the way that it must take at the fork
                    n_ways = lanes.network.successor_offsets[source + 1] - lanes.network.successor_offsets[source]
                    wanted = edge - lanes.network.successor_offsets[source]
                    for salt in range(64):
                        driver.route = hash64(seed, np.uint64(300 + salt))
                        if hash64(driver.route, np.uint64(0)) % np.uint64(n_ways) == np.uint64(wanted):
                            break
                    driver.runs_red, driver.max_acceleration = True, 2.5
                    driver.held_distance, driver.held_steps = 40.0, 1
                    driver.role, agent.present = CAR_DRIVER, True
                    return True
    return False
