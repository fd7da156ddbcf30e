"""The simulation of any number of cars, each among others of its own: others act, cars advance, collide, are scored and observe."""

from typing import NamedTuple

import numpy as np

from sb3_delta_waypoint.contract import CONTROL_DT, GROUPS, OBSERVED_AGENTS, POSITION_BOUND, ROUTE_POINTS, ROUTE_SPACING
from sb3_delta_waypoint.driving.agents.board import Board, clear
from sb3_delta_waypoint.driving.agents.spawn import Counts, spawn, trace_route
from sb3_delta_waypoint.driving.agents.stop_lines import may_pass, next_line
from sb3_delta_waypoint.driving.agents.traffic import Others, act, occupy, set_up
from sb3_delta_waypoint.driving.agents.vehicles import look_ahead
from sb3_delta_waypoint.driving.expert import LEAD, braking_plan
from sb3_delta_waypoint.driving.kernels import lean
from sb3_delta_waypoint.driving.lanes import Lanes
from sb3_delta_waypoint.driving.observation import NEAR, Observation, Seen, observe, write_agents
from sb3_delta_waypoint.driving.routes import project
from sb3_delta_waypoint.driving.scenarios import scenario_seed
from sb3_delta_waypoint.driving.score import RUNNING, Before, score_step
from sb3_delta_waypoint.driving.simulation import Schedule, StepResult, next_scenario
from sb3_delta_waypoint.driving.tracker import track
from sb3_delta_waypoint.driving.vehicle import advance
from sb3_delta_waypoint.driving.world import Parameters, World, begin, unpacked


class Street(NamedTuple):
    """What the worlds of all cars share: the lanes, how many others there are, and the patience of the time limit [s]."""

    lanes: Lanes
    counts: Counts
    waiting_time: float


ENTRIES = 256
"""Room for everybody on the lanes of one world."""


class Scratch(NamedTuple):
    """Working memory of the kernels: an empty board, the nearest others, and the targets of a plan."""

    board: Board
    nearest: np.ndarray
    leads: np.ndarray

    @classmethod
    def empty(cls, n_segments: int, horizon_steps: int) -> "Scratch":
        """
        Make working memory.

        :param n_segments: number of segments of the lanes
        :param horizon_steps: rows ``H`` of a plan
        :return: the arrays
        """
        return cls(Board.empty(n_segments, ENTRIES), np.empty(OBSERVED_AGENTS, NEAR), np.empty(horizon_steps + 1, LEAD))


@lean
def begin_among_others(
    world: World, i: int, street: Street, parameters: Parameters, seed: np.uint64, scratch: Scratch
) -> None:
    """
    Place the others of a car that has been put at the start of a scenario.

    :param world: state of the cars and the others, written in row ``i``
    :param i: row of the car
    :param street: lanes and numbers
    :param parameters: parameters of the car
    :param seed: the scenario's seed
    """
    car, situation = world.cars[i], world.situations[i]
    others = Others(world.agents[i], world.drivers[i], situation)
    situation.seed, situation.redrawn = seed, 0
    trace_route(situation, world.places[i], car.n_points)
    spawn(others, car, parameters.vehicle, world.routes[i], world.places[i], street.lanes, street.counts, scratch.board.found)
    occupy(car, parameters.vehicle, street.lanes, others, scratch.board.found)


@lean
def reference_plan(world: World, i: int, street: Street, parameters: Parameters, scratch: Scratch, plan: np.ndarray) -> None:
    """
    Write the reference driver's plan for one car: the intelligent driver model on its route, from the true state of everybody.

    :param world: state of the cars and the others
    :param i: row of the car
    :param street: lanes and numbers
    :param parameters: parameters of the car
    :param scratch: working memory
    :param plan: records of :data:`~.records.WAYPOINT` ``(H,)``, written
    """
    car, board = world.cars[i], scratch.board
    others = Others(world.agents[i], world.drivers[i], world.situations[i])
    half = 0.5 * parameters.vehicle.length
    n = set_up(board, others, street.lanes, car, half)
    pull = look_ahead(
        street.lanes,
        board,
        others.agents,
        others.drivers,
        others.situation,
        others.agents.shape[0],
        car.speed,
        half,
        world.totals[i].steps * CONTROL_DT,
    )
    clear(board, n)
    braking_plan(car, world.routes[i], parameters.expert, parameters.plan_dt, pull, scratch.leads, plan)


NO_LIMIT = GROUPS["speed_limit"].columns[0].high
"""Observed where there is no speed limit [m/s]."""


@lean
def look(world: World, i: int, street: Street, parameters: Parameters, seen: Seen, nearest: np.ndarray) -> None:
    """
    Write the observation of one car among others.

    :param world: state of the cars and the others
    :param i: row of the car
    :param street: lanes and numbers
    :param parameters: parameters of the car
    :param seen: written in row ``i``
    :param nearest: records of :data:`~.observation.NEAR` ``(16,)``, working memory
    """
    observe(world, i, Observation(seen.state, seen.route))
    car, lanes, places = world.cars[i], street.lanes, world.places[i]
    j = int(max(car.progress, 0.0))
    for k in range(ROUTE_POINTS):
        j += ROUTE_SPACING
        place = places[min(j, car.n_points - 1)]
        point = lanes.network.offsets[place.segment] + int(place.along / lanes.spacing[place.segment])
        seen.speed_limit[i, k] = min(lanes.network.speeds[point], NO_LIMIT)
    write_agents(world.agents[i], car, nearest, seen.agents[i], seen.agents_valid[i])
    situation, driver = world.situations[i], world.drivers[i, world.agents.shape[1]]
    front = car.progress + parameters.vehicle.length - parameters.vehicle.rear_overhang
    line = next_line(lanes, situation, front, car.route_length)
    free = may_pass(lanes, situation, driver, line, line.at - front, car.speed, world.totals[i].steps * CONTROL_DT)
    seen.signal[i, 0], seen.signal[i, 1] = min(max(line.at - front, 0.0), POSITION_BOUND), free


@lean
def _reset(
    world: World, street: Street, schedule: Schedule, packed: np.ndarray, scenario: int, seen: Seen, scratch: Scratch
) -> None:
    n, parameters = world.cars.shape[0], unpacked(packed)
    for i in range(n):
        number = scenario if scenario >= 0 else next_scenario(world.cars[i], i, n, schedule.group_size)
        _begin(world, i, street, schedule, parameters, number, scratch)
        look(world, i, street, parameters, seen, scratch.nearest)


@lean
def _begin(
    world: World, i: int, street: Street, schedule: Schedule, parameters: Parameters, scenario: int, scratch: Scratch
) -> None:
    seed = scenario_seed(schedule.base_seed, scenario)
    begin(world, i, schedule.source, parameters, seed, scenario)
    begin_among_others(world, i, street, parameters, seed, scratch)


@lean
def _reference_plans(world: World, street: Street, packed: np.ndarray, plans: np.ndarray, scratch: Scratch) -> None:
    parameters = unpacked(packed)
    for i in range(world.cars.shape[0]):
        reference_plan(world, i, street, parameters, scratch, plans[i])


@lean
def _step(world: World, street: Street, packed: np.ndarray, plans: np.ndarray, result: StepResult, scratch: Scratch) -> int:
    parameters = unpacked(packed)
    vehicle = parameters.vehicle
    n_finished = 0
    for i in range(world.cars.shape[0]):
        car, totals = world.cars[i], world.totals[i]
        others = Others(world.agents[i], world.drivers[i], world.situations[i])
        act(others, car, vehicle, street.lanes, scratch.board, totals.steps)
        before = Before(car.progress, car.acceleration, 0.0)
        steer, acceleration = track(car, plans[i], parameters.plan_dt, vehicle)
        advance(car, vehicle, steer, acceleration, CONTROL_DT)
        project(car, world.routes[i])
        occupy(car, vehicle, street.lanes, others, scratch.board.found)
        result.reward[i], outcome = score_step(car, totals, before, parameters.weights, parameters.rules, CONTROL_DT)
        result.outcome[i] = outcome
        n_finished += outcome != RUNNING
        look(world, i, street, parameters, result.observation, scratch.nearest)
    return n_finished
