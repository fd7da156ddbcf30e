"""
Placing the others of a scenario: vehicles on the lanes near the car's route, pedestrians beside it, parked cars.

Where everybody begins depends on the scenario's seed alone, and not on how they behave.
"""

import math
from typing import NamedTuple

import numpy as np

from sb3_delta_waypoint.contract import CONTROL_DT
from sb3_delta_waypoint.driving.agents.behaviour import CHANGES_LANES, DEAF, INSERTED, PANEL
from sb3_delta_waypoint.driving.agents.records import ABSENT, CAR_DRIVER, MAX_SEGMENTS, PEDESTRIAN_WALKS, STANDS
from sb3_delta_waypoint.driving.agents.traffic import Others
from sb3_delta_waypoint.driving.agents.vehicles import CONFLICT_GAP, place
from sb3_delta_waypoint.driving.agents.walkers import RADIUS, lay_way
from sb3_delta_waypoint.driving.kernels import inlined, lean
from sb3_delta_waypoint.driving.lanes import BRAKING, Lanes, lanes_at
from sb3_delta_waypoint.driving.records import CYCLIST, PEDESTRIAN, VEHICLE, Record
from sb3_delta_waypoint.driving.scenarios import hash64, uniform
from sb3_delta_waypoint.driving.vehicle import VehicleParameters

ATTEMPTS = 12
"""Places that are tried for each of the others."""
REACH = 45.0
"""Largest distance from the car's route at which vehicles begin [m]."""
CLEAR_AHEAD = 8.0
"""Free length between vehicles of one lane [m]."""
CLEAR_START = 6.0
"""Others begin this far from the car at least, in addition to the distance in which it can stop [m]."""
HARD_BRAKING = 6.0
"""A contact that this deceleration from the first step does not avoid is nobody's fault [m/s²]."""
BESIDE_LANE = 0.3
"""Distance between a parked car and the lane [m]."""
FIRST, LAST = 15.0, 8.0
"""Pedestrians cross no closer to the start and to the goal of the route than this [m]."""
CROSSING_HALF_WIDTH, WALKING_ROOM = 1.3, 0.5
"""Half the width of crossings, and the distance between the middle of a pedestrian's way and others beside it [m]."""
CYCLISTS, TRUCKS = 0.06, 0.06
"""Shares of cyclists and trucks."""
CYCLIST_PACE = 5.0
"""Speed of cyclists [m/s]."""
_DRAWS = 4096
"""Number of the first draw; those before it belong to the car's route and start."""
_PER_ROW = 256
"""Draws of each of the others."""


class Counts(NamedTuple):
    """Numbers of the others, and the cumulative shares of the behaviours, float64 ``(B,)``."""

    vehicles: int
    pedestrians: int
    parked: int
    shares: np.ndarray


class Draws(NamedTuple):
    """Random numbers of one of the others: the seed, and the number of the first draw."""

    seed: np.uint64
    first: int


@inlined
def _draw(draws: Draws, k: int, low: float, high: float) -> float:
    return uniform(draws.seed, draws.first + k, low, high)


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
        draws = Draws(hash64(seed, np.uint64(_DRAWS + 1 + j)), 0)
        if j < first_walker:
            _place_vehicle(others, j, draws, car, vehicle, route, places, lanes, found)
        elif j < first_parked:
            _place_pedestrian(others, j, draws, car, vehicle, route, lanes, found, False)
        else:
            _park(others, j, draws, car, vehicle, route, places, lanes, found)
    if special:
        _insert(
            others,
            first_parked + counts.parked,
            Draws(hash64(seed, np.uint64(_DRAWS + 1 + n)), 0),
            car,
            vehicle,
            route,
            places,
            lanes,
            found,
        )


@inlined
def _character(driver: Record, draws: Draws, behaviour: int) -> None:
    """Draw the parameters of a driver."""
    driver.headway = _draw(draws, 200, PANEL[behaviour, 0], PANEL[behaviour, 1])
    driver.gap = _draw(draws, 201, PANEL[behaviour, 2], PANEL[behaviour, 3])
    driver.max_acceleration = _draw(draws, 202, PANEL[behaviour, 4], PANEL[behaviour, 5])
    driver.braking = _draw(draws, 203, PANEL[behaviour, 6], PANEL[behaviour, 7])
    driver.pace_share = _draw(draws, 204, PANEL[behaviour, 8], PANEL[behaviour, 9])
    driver.changes_lanes = CHANGES_LANES[behaviour]
    driver.route = hash64(draws.seed, np.uint64(205))


@inlined
def _size(agent: Record, draws: Draws) -> None:
    drawn = _draw(draws, 210, 0.0, 1.0)
    agent.kind = VEHICLE
    if drawn < CYCLISTS:
        agent.kind, agent.length, agent.width = CYCLIST, 1.8, 0.7
    elif drawn < CYCLISTS + TRUCKS:
        agent.length, agent.width = _draw(draws, 211, 7.0, 10.0), 2.4
    else:
        agent.length, agent.width = _draw(draws, 211, 3.9, 5.1), _draw(draws, 212, 1.75, 2.0)


@lean
def _place_vehicle(
    others: Others,
    j: int,
    draws: Draws,
    car: Record,
    vehicle: VehicleParameters,
    route: np.ndarray,
    places: np.ndarray,
    lanes: Lanes,
    found: np.ndarray,
) -> None:
    agents, drivers = others.agents, others.drivers
    agent, driver = agents[j], drivers[j]
    _size(agent, draws)
    for attempt in range(ATTEMPTS):
        part, at = _draw(draws, 4 * attempt, 0.0, 1.0), _draw(draws, 4 * attempt + 1, 0.0, 1.0)
        # a third on the route itself, the others anywhere near it
        if part < 0.33:
            point = places[int(at * car.n_points)]
            driver.segment, driver.along = point.segment, point.along
        else:
            here = route[int(at * car.n_points)]
            x = here.x + _draw(draws, 4 * attempt + 2, -REACH, REACH)
            y = here.y + _draw(draws, 4 * attempt + 3, -REACH, REACH)
            n = lanes_at(lanes, x, y, 0.0, found)
            if n == 0:
                continue
            point = found[int(hash64(draws.seed, np.uint64(100 + attempt)) % np.uint64(n))]
            driver.segment, driver.along = lanes.segment_of[point], lanes.along[point]
        driver.along = min(driver.along, lanes.length[driver.segment] - 1e-3)
        if _in_conflict(lanes, driver.segment, driver.along, 0.5 * agent.length):
            continue
        place(agent, driver, lanes)
        k = lanes.network.offsets[driver.segment] + int(driver.along / lanes.spacing[driver.segment])
        agent.speed = min(
            _draw(draws, 206, 0.3, 0.9) * lanes.pace[k],
            math.sqrt(2.0 * BRAKING * _left_to_stop(lanes, driver.segment, driver.along + 0.5 * agent.length)),
        )
        if agent.kind == CYCLIST:
            agent.speed = min(agent.speed, CYCLIST_PACE)
        if not (_free(others, j, lanes) and _clear_of_car(others, agent, car, vehicle)):
            continue
        _character(driver, draws, others.situation.behaviour)
        if agent.kind == CYCLIST:
            driver.pace_share = min(driver.pace_share, CYCLIST_PACE / lanes.pace[k])
            driver.changes_lanes = False
        driver.role, agent.present = CAR_DRIVER, True
        return


@inlined
def _in_conflict(lanes: Lanes, segment: int, along: float, half: float) -> bool:
    for c in range(lanes.conflict_offsets[segment], lanes.conflict_offsets[segment + 1]):
        zone = lanes.conflicts[c]
        if along + half > zone.begin - 1.0 and along - half < zone.end + 1.0:
            return True
    return False


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
def _free(others: Others, j: int, lanes: Lanes) -> bool:
    """Whether a vehicle is clear of those that were placed before."""
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
def _clear_of_car(others: Others, agent: Record, car: Record, vehicle: VehicleParameters) -> bool:
    """Whether the car, braking hard, stays clear of an agent that comes straight on for two seconds; counts if not."""
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


@lean
def _place_pedestrian(
    others: Others,
    j: int,
    draws: Draws,
    car: Record,
    vehicle: VehicleParameters,
    route: np.ndarray,
    lanes: Lanes,
    found: np.ndarray,
    sudden: bool,
) -> None:
    agent, driver = others.agents[j], others.drivers[j]
    agent.kind, agent.length, agent.width = PEDESTRIAN, 2.0 * RADIUS, 2.0 * RADIUS
    if car.n_points < FIRST + LAST + 2.0:
        return
    for attempt in range(ATTEMPTS):
        at = int(_draw(draws, 4 * attempt, FIRST, car.n_points - LAST))
        # half of them use a crossing, if there is one
        crossing = _crossing_near(lanes, route[at]) if _draw(draws, 4 * attempt + 1, 0.0, 1.0) < 0.5 and not sudden else -1
        point = route[at]
        x, y, cos, sin = point.x, point.y, -point.sin, point.cos
        if crossing >= 0:
            zebra = lanes.crossings[crossing]
            dx, dy = zebra.to_x - zebra.x, zebra.to_y - zebra.y
            length = math.hypot(dx, dy)
            cos, sin = dx / length, dy / length
            aside = _draw(draws, 4 * attempt + 3, -CROSSING_HALF_WIDTH, CROSSING_HALF_WIDTH)
            x, y = zebra.x + 0.5 * dx - aside * sin, zebra.y + 0.5 * dy + aside * cos
        if _draw(draws, 4 * attempt + 2, 0.0, 1.0) < 0.5:
            cos, sin = -cos, -sin
        if not lay_way(driver, lanes, found, x, y, cos, sin):
            continue
        crosses = _crossing_point(driver, route, car.n_points, cos, sin)
        if crosses < FIRST or _beside_somebody(others, j, driver.start_x, driver.start_y):
            continue
        if not _way_is_free(others, j, cos, sin):
            continue
        agent.x, agent.y, agent.yaw, agent.speed = driver.start_x, driver.start_y, math.atan2(sin, cos), 0.0
        if not _clear_of_car(others, agent, car, vehicle):
            continue
        driver.pace = _draw(draws, 200, 0.9, 1.9)
        driver.crosses_at = crosses
        driver.steps_out = _draw(draws, 201, 12.0, 40.0)
        driver.leaves_braking = 5.0 if sudden else 3.0
        # a few only stand there
        if not sudden and _draw(draws, 202, 0.0, 1.0) < 0.25:
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


@lean
def _park(
    others: Others,
    j: int,
    draws: Draws,
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
    agent.length, agent.width = _draw(draws, 211, 3.9, 5.1), _draw(draws, 212, 1.75, 2.0)
    for attempt in range(ATTEMPTS):
        here = places[int(_draw(draws, attempt, 0.0, 1.0) * car.n_points)]
        point = lanes.network.offsets[here.segment] + int(here.along / lanes.spacing[here.segment])
        while lanes.right[point] >= 0:
            point = lanes.right[point]
        if lanes.in_junction[point] or _in_conflict(lanes, lanes.segment_of[point], lanes.along[point], 0.5 * agent.length):
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
        if on_lane or not _free(others, j, lanes) or _in_a_way(others, agent):
            continue
        if not _clear_of_car(others, agent, car, vehicle):
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


@lean
def _insert(
    others: Others,
    j: int,
    draws: Draws,
    car: Record,
    vehicle: VehicleParameters,
    route: np.ndarray,
    places: np.ndarray,
    lanes: Lanes,
    found: np.ndarray,
) -> None:
    """Insert what exists nowhere else: a standing car, a sudden pedestrian, or a vehicle that runs a red light."""
    agent, driver = others.agents[j], others.drivers[j]
    kind = int(_draw(draws, 250, 0.0, 3.0))
    if kind == 2 and _run_red(others, j, draws, car, vehicle, lanes):
        return
    if kind == 0:
        agent.kind, agent.length, agent.width = VEHICLE, 4.6, 1.9
        for attempt in range(ATTEMPTS):
            here = places[int(_draw(draws, attempt, 0.35, 0.85) * car.n_points)]
            driver.segment, driver.along = here.segment, min(here.along, lanes.length[here.segment] - 1e-3)
            if _in_conflict(lanes, driver.segment, driver.along, 0.5 * agent.length):
                continue
            place(agent, driver, lanes)
            agent.speed = 0.0
            if _free(others, j, lanes) and _clear_of_car(others, agent, car, vehicle):
                _character(driver, draws, others.situation.behaviour)
                driver.held_distance, driver.held_steps = 35.0, int(_draw(draws, 251, 50.0, 100.0))
                driver.role, agent.present = CAR_DRIVER, True
                return
    _place_pedestrian(others, j, draws, car, vehicle, route, lanes, found, True)


@lean
def _run_red(others: Others, j: int, draws: Draws, car: Record, vehicle: VehicleParameters, lanes: Lanes) -> bool:
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
                    if _in_conflict(lanes, source, driver.along, 0.5 * agent.length) or not _free(others, j, lanes):
                        continue
                    if not _clear_of_car(others, agent, car, vehicle):
                        continue
                    _character(driver, draws, situation.behaviour)
                    # the way that it must take at the fork
                    n_ways = lanes.network.successor_offsets[source + 1] - lanes.network.successor_offsets[source]
                    wanted = edge - lanes.network.successor_offsets[source]
                    for salt in range(64):
                        driver.route = hash64(draws.seed, np.uint64(300 + salt))
                        if hash64(driver.route, np.uint64(0)) % np.uint64(n_ways) == np.uint64(wanted):
                            break
                    driver.runs_red, driver.max_acceleration = True, 2.5
                    driver.held_distance, driver.held_steps = 40.0, 1
                    driver.role, agent.present = CAR_DRIVER, True
                    return True
    return False
