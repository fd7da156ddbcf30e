"""The simulation of any number of cars, each among others of its own."""

import math
import warnings
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from sb3_delta_waypoint.contract import CONTROL_DT, GROUPS, OBSERVED_AGENTS, POSITION_BOUND, ROUTE_POINTS, ROUTE_SPACING
from sb3_delta_waypoint.driving.agents.behaviour import BEHAVIOURS, TrafficOptions
from sb3_delta_waypoint.driving.agents.board import Board, clear
from sb3_delta_waypoint.driving.agents.records import MAX_SEGMENTS
from sb3_delta_waypoint.driving.agents.spawn import Counts, spawn, trace_route
from sb3_delta_waypoint.driving.agents.stop_lines import BEYOND, is_red, may_pass, next_line, red_seconds
from sb3_delta_waypoint.driving.agents.traffic import Others, act, occupy, set_up
from sb3_delta_waypoint.driving.agents.vehicles import look_ahead
from sb3_delta_waypoint.driving.config import DrivingConfig
from sb3_delta_waypoint.driving.expert import LEAD, braking_plan
from sb3_delta_waypoint.driving.kernels import inlined, kernel, lean
from sb3_delta_waypoint.driving.lanes import Lanes
from sb3_delta_waypoint.driving.observation import NEAR, Observation, TrafficObservation, observe, write_agents
from sb3_delta_waypoint.driving.records import WAYPOINT, Record
from sb3_delta_waypoint.driving.routes import project
from sb3_delta_waypoint.driving.scenarios import NO_HARD_SCENARIOS, HardScenarios, mixed_seed
from sb3_delta_waypoint.driving.score import RUNNING, Before, Surroundings, score_plan, score_step
from sb3_delta_waypoint.driving.simulation import Final, Schedule, Simulation, StepResult, conclude, next_scenario
from sb3_delta_waypoint.driving.standing import stand
from sb3_delta_waypoint.driving.start import TIME_TO_GET_GOING
from sb3_delta_waypoint.driving.tracker import track
from sb3_delta_waypoint.driving.vehicle import VehicleParameters, advance, steady_yaw_rate
from sb3_delta_waypoint.driving.world import Parameters, World, begin, unpacked

TIME_FACTOR = 1.5
"""Time limit of an episode: a multiple of the time of the speed profile, before what is granted for waiting."""
START_BRAKING = 3.0
"""No car begins so fast that it would have to brake harder than this at the first stop line [m/s²]."""
ROOM_PER_VEHICLE = 15.0
"""Length of lanes that a vehicle takes at least [m]."""
ENTRIES = 256
"""Room for everybody on the lanes of one world."""


class Street(NamedTuple):
    """What the worlds of all cars share: the lanes, how many others there are, and the patience of the time limit [s]."""

    lanes: Lanes
    counts: Counts
    waiting_time: float


class Scratch(NamedTuple):
    """Working memory of the kernels: an empty board, the nearest others, and a plan with its targets."""

    board: Board
    nearest: np.ndarray
    leads: np.ndarray
    expert: np.ndarray

    @classmethod
    def empty(cls, n_segments: int, horizon_steps: int) -> "Scratch":
        """
        Make working memory.

        :param n_segments: number of segments of the lanes
        :param horizon_steps: rows ``H`` of a plan
        :return: the arrays
        """
        return cls(
            Board.empty(n_segments, ENTRIES),
            np.empty(OBSERVED_AGENTS, NEAR),
            np.empty(horizon_steps + 1, LEAD),
            np.empty(horizon_steps, WAYPOINT),
        )


@inlined
def _slow_for_line(car: Record, vehicle: VehicleParameters, lanes: Lanes, situation: Record) -> None:
    """Let a car begin no faster than it can stop at a stop line ahead."""
    front = car.progress + vehicle.length - vehicle.rear_overhang
    line = next_line(lanes, situation, front + BEYOND, car.route_length)
    speed = math.sqrt(2.0 * START_BRAKING * max(line.at - front, 0.0))
    if speed < car.speed:
        car.speed = speed
        car.yaw_rate = steady_yaw_rate(vehicle, speed, car.steer)


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
    _slow_for_line(car, parameters.vehicle, street.lanes, situation)
    spawn(others, car, parameters.vehicle, world.routes[i], world.places[i], street.lanes, street.counts, scratch.board.found)
    occupy(car, parameters.vehicle, street.lanes, others, scratch.board.found)
    route, seconds = world.routes[i], 0.0
    for k in range(car.n_points - 1):
        seconds += 2.0 / (route[k].speed + route[k + 1].speed)
    waiting = street.waiting_time + red_seconds(street.lanes, situation, car.route_length)
    car.max_steps = int((TIME_FACTOR * seconds + TIME_TO_GET_GOING + waiting) / CONTROL_DT)


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
    car, board, driver = world.cars[i], scratch.board, world.drivers[i, world.agents.shape[1]]
    # asking the driver must not change the world: the car takes its turn in the step
    claimed, waited, halted = driver.claimed, driver.waited, driver.halted
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
    driver.claimed, driver.waited, driver.halted = claimed, waited, halted
    braking_plan(car, world.routes[i], parameters.expert, parameters.plan_dt, pull, scratch.leads, plan)


NO_LIMIT = GROUPS["speed_limit"].columns[0].high
"""Observed where there is no speed limit [m/s]."""


@inlined
def look(world: World, i: int, street: Street, parameters: Parameters, seen: TrafficObservation, nearest: np.ndarray) -> None:
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
        way = lanes.ways[place.segment]
        point = way.first + int(place.along / way.spacing)
        seen.speed_limit[i, k] = min(lanes.network.speeds[point], NO_LIMIT)
    write_agents(world.agents[i], car, nearest, seen.agents[i], seen.agents_valid[i])
    situation, driver = world.situations[i], world.drivers[i, world.agents.shape[1]]
    front = car.progress + parameters.vehicle.length - parameters.vehicle.rear_overhang
    line = next_line(lanes, situation, front, car.route_length)
    free = may_pass(lanes, situation, driver, line, line.at - front, car.speed, world.totals[i].steps * CONTROL_DT)
    seen.signal[i, 0], seen.signal[i, 1] = min(max(line.at - front, 0.0), POSITION_BOUND), free


@lean
def _begin(
    world: World,
    street: Street,
    schedule: Schedule,
    packed: np.ndarray,
    rows: np.ndarray,
    numbers: np.ndarray,
    observation: TrafficObservation,
    scratch: Scratch,
) -> None:
    """Put some cars at the starts of their scenarios, each given or (-1) the next in order."""
    n, parameters = world.cars.shape[0], unpacked(packed)
    for k in range(rows.shape[0]):
        i, scenario = rows[k], numbers[k]
        if scenario < 0:
            scenario = next_scenario(world.cars[i], i, n, schedule.group_size)
        seed = mixed_seed(schedule.base_seed, scenario, schedule.hard)
        begin(world, i, schedule.source, parameters, seed, scenario)
        begin_among_others(world, i, street, parameters, seed, scratch)
        look(world, i, street, parameters, observation, scratch.nearest)


@lean
def _look(
    world: World, street: Street, packed: np.ndarray, rows: np.ndarray, observation: TrafficObservation, scratch: Scratch
) -> None:
    parameters = unpacked(packed)
    for i in rows:
        look(world, i, street, parameters, observation, scratch.nearest)


@lean
def _reference_plans(world: World, street: Street, packed: np.ndarray, plans: np.ndarray, scratch: Scratch) -> None:
    parameters = unpacked(packed)
    for i in range(world.cars.shape[0]):
        reference_plan(world, i, street, parameters, scratch, plans[i])


@lean
def _step(world: World, street: Street, packed: np.ndarray, plans: np.ndarray, result: StepResult, scratch: Scratch) -> int:
    """Let everybody act for one control step; return the number of cars that finished."""
    parameters, lanes = unpacked(packed), street.lanes
    vehicle = parameters.vehicle
    reach = vehicle.length - vehicle.rear_overhang
    n_finished = 0
    for i in range(world.cars.shape[0]):
        car, totals = world.cars[i], world.totals[i]
        others = Others(world.agents[i], world.drivers[i], world.situations[i])
        situation = others.situation
        driver: Record = others.drivers[others.agents.shape[0]]
        ade = np.nan
        if parameters.weights.imitation > 0.0:
            reference_plan(world, i, street, parameters, scratch, scratch.expert)
            ade = score_plan(totals, plans[i], scratch.expert, world.displacements[i])
        act(others, car, vehicle, lanes, scratch.board, totals.steps)
        before = Before(car.progress, car.acceleration, ade)
        steer, acceleration = track(car, plans[i], parameters.plan_dt, vehicle)
        advance(car, vehicle, steer, acceleration, CONTROL_DT)
        project(car, world.routes[i])
        occupy(car, vehicle, lanes, others, scratch.board.found)

        line = next_line(lanes, situation, before.progress + reach, car.route_length)
        crossed = before.progress + reach < line.at <= car.progress + reach
        red = crossed and is_red(lanes, situation, line, totals.steps * CONTROL_DT)
        standing = stand(lanes, car, vehicle, driver.segment, driver.along, CONTROL_DT)
        point = lanes.network.offsets[driver.segment] + int(driver.along / lanes.spacing[driver.segment])
        surroundings = Surroundings(others.agents, standing, lanes.network.speeds[point], True, crossed, red)
        result.reward[i], outcome = score_step(
            car, totals, world.history[i], before, surroundings, vehicle, parameters.weights, parameters.rules, CONTROL_DT
        )
        result.outcome[i] = outcome
        n_finished += outcome != RUNNING
        look(world, i, street, parameters, result.observation, scratch.nearest)
    return n_finished


@kernel
def _finish(world: World, packed: np.ndarray, rows: np.ndarray, result: StepResult, final: Final) -> None:
    """Write down the episodes that the step has finished."""
    parameters = unpacked(packed)
    seen, last = result.observation, final.observation
    for i in rows:
        conclude(world, i, parameters, result.outcome[i], final)
        last.state[i], last.route[i], last.speed_limit[i] = seen.state[i], seen.route[i], seen.speed_limit[i]
        last.agents[i], last.agents_valid[i], last.signal[i] = seen.agents[i], seen.agents_valid[i], seen.signal[i]


class TrafficSimulation(Simulation):
    """
    A simulation of cars, each among others of its own, that play scenarios one after another.

    :param n_cars: number of cars ``n``
    :param config: the driving configuration, with lanes
    :param group_size: number of consecutive episodes that share a scenario
    :param autoreset: whether a finished car begins its next episode within the step
    :param hard: hard scenarios that are mixed in
    """

    observation_type = TrafficObservation

    def __init__(
        self,
        n_cars: int,
        config: DrivingConfig,
        group_size: int = 1,
        autoreset: bool = True,
        hard: HardScenarios = NO_HARD_SCENARIOS,
    ):
        assert config.lanes is not None
        options = config.traffic
        shares = np.cumsum([options.behaviour.get(name, 0.0) for name in BEHAVIOURS])
        self._inserts = sum(options.behaviour.get(name, 0.0) for name, one in BEHAVIOURS.items() if one.inserted) > 0.0
        _check_segments(config)
        counts = Counts(*_fitting(config, options), shares)
        self.n_agents = counts.vehicles + counts.pedestrians + counts.parked + self._inserts
        """Largest number of others on the road of each car."""
        self.street = Street(config.lanes, counts, config.waiting_time)
        """Lanes and numbers that the worlds of all cars share."""
        super().__init__(n_cars, config, group_size, autoreset, hard)
        self._scratch = Scratch.empty(config.lanes.network.n_segments, config.horizon_steps)

    @property
    def redrawn(self) -> np.ndarray:
        """
        Number of places that were drawn again in the scenario of each car, int64 ``(n,)``.

        Somebody there would touch the car however hard it brakes from the first step on, or would be about to.
        """
        return self.world.situations["redrawn"].copy()

    def _reset(self, chosen: np.ndarray, observation: Any) -> None:
        numbers = chosen if len(chosen) else np.full(self.n_cars, -1)
        self._begin(np.arange(self.n_cars), numbers, observation)

    def _begin(self, rows: np.ndarray, numbers: np.ndarray, observation: Any) -> None:
        _begin(self.world, self.street, self._schedule, self._parameters, rows, numbers, observation, self._scratch)

    def _advance(self, plans: np.ndarray, result: StepResult) -> None:
        if _step(self.world, self.street, self._parameters, plans, result, self._scratch):
            rows = np.flatnonzero(result.outcome)
            _finish(self.world, self._parameters, rows, result, self.final)
            if self.autoreset:
                self._begin(rows, np.full(len(rows), -1), result.observation)

    def _observe(self, rows: np.ndarray, observation: Any) -> None:
        _look(self.world, self.street, self._parameters, rows, observation, self._scratch)

    def _plan(self, plans: np.ndarray) -> None:
        _reference_plans(self.world, self.street, self._parameters, plans, self._scratch)


def _check_segments(config: DrivingConfig) -> None:
    """Check that no route runs over more segments than a situation has room for."""
    assert config.lanes is not None
    network, length = config.lanes.network, config.lanes.length
    # shortest way over so many segments, from each of them; who comes to a dead end comes no farther
    sources = np.repeat(np.arange(network.n_segments), np.diff(network.successor_offsets))
    shortest = np.zeros(network.n_segments)
    for _ in range(MAX_SEGMENTS - 1):
        after = np.full(network.n_segments, np.inf)
        np.minimum.at(after, sources, shortest[network.successors])
        shortest = length + after
    if config.route_length > shortest.min():
        raise ValueError(
            f"route_length={config.route_length:g} m: among others, routes on these roads are at most {shortest.min():.0f} m "
            f"long, or they could run over more than {MAX_SEGMENTS} lanes; make them shorter"
        )


def _fitting(config: DrivingConfig, options: TrafficOptions) -> tuple[int, int, int]:
    """Numbers of the others, fewer vehicles than asked for where the smallest map has no room for them."""
    assert config.lanes is not None
    bounds = config.shares.segments if config.shares else (0, config.lanes.network.n_segments)
    smallest = min(config.lanes.length[first:last].sum() for first, last in pairwise(bounds))
    room = int(smallest / ROOM_PER_VEHICLE)
    if room < options.vehicles:
        warnings.warn(
            f"traffic: {options.vehicles} vehicles do not fit on {smallest:.0f} m of lanes; there are {room} of them",
            stacklevel=2,
        )
    return min(options.vehicles, room), options.pedestrians, options.parked
