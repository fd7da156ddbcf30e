"""Any number of cars, each on its own route: the loop over the functions about one car."""

from dataclasses import astuple
from typing import NamedTuple

import numpy as np

from sb3_delta_waypoint.bounds import Bounds, check_number
from sb3_delta_waypoint.contract import CONTROL_DT, ROUTE_POINTS
from sb3_delta_waypoint.driving.config import DrivingConfig
from sb3_delta_waypoint.driving.expert import BLOCK, LEAD, ExpertParameters, expert_plans
from sb3_delta_waypoint.driving.kernels import as_floats, inlined, kernel
from sb3_delta_waypoint.driving.network import RoadNetwork, reachable_length
from sb3_delta_waypoint.driving.plans import checked_plans, within_bound
from sb3_delta_waypoint.driving.records import CAR, ROUTE_POINT, TOTALS, WAYPOINT, Record
from sb3_delta_waypoint.driving.routes import draw_network_route, draw_random_route, finish_route, new_routes, observe, project
from sb3_delta_waypoint.driving.scenarios import scenario_seed
from sb3_delta_waypoint.driving.score import (
    EPISODE_METRICS,
    GOAL,
    RUNNING,
    TIMEOUT,
    EpisodeRules,
    score_plan,
    score_step,
    write_metrics,
)
from sb3_delta_waypoint.driving.start import StartParameters, set_out
from sb3_delta_waypoint.driving.tracker import track
from sb3_delta_waypoint.driving.vehicle import VehicleParameters, advance

N_CARS = Bounds(1, 1_000_000, whole=True)
"""How many cars there may be, as far as :data:`MAX_BYTES` goes."""
MAX_BYTES = 2**31
"""The cars and their routes take no more memory than this."""


class World(NamedTuple):
    """Everything that the kernels need and that no step changes."""

    base_seed: int
    group_size: int
    plan_dt: float
    vehicle: VehicleParameters
    expert: ExpertParameters
    rules: EpisodeRules
    start: StartParameters
    weights: tuple[float, ...]
    # routes: a network where `drawn` is true, else random curvature; `whole`: recorded paths, driven from end to end
    drawn: bool
    whole: bool
    network: RoadNetwork
    starts: np.ndarray
    reach: np.ndarray


class Observation(NamedTuple):
    """Observations of ``n`` cars: ``state`` float32 ``(n, 4)`` and ``route`` float32 ``(n, 10, 2)``."""

    state: np.ndarray
    route: np.ndarray

    @classmethod
    def empty(cls, n_cars: int) -> "Observation":
        """Memory for the observations of some cars."""
        return cls(np.empty((n_cars, 4), np.float32), np.empty((n_cars, ROUTE_POINTS, 2), np.float32))


class StepResult(NamedTuple):
    """
    What a step gives, for each of ``n`` cars. A finished car has begun its next episode already.

    ``observation``: after the step (of the new episode where one began); ``reward`` float64 ``(n,)``; ``outcome`` int8
    ``(n,)``, one of the constants of :mod:`~.score`.
    """

    observation: Observation
    reward: np.ndarray
    outcome: np.ndarray


@kernel
def _begin(car: Record, route: np.ndarray, totals: Record, displacements: np.ndarray, world: World, scenario: int) -> None:
    """Put a car at the start of a scenario."""
    seed = scenario_seed(world.base_seed, scenario)
    n_points = route.shape[0]
    if world.drawn:
        n_points = draw_network_route(seed, world.network, world.starts, world.reach, world.whole, route, n_points)
    else:
        draw_random_route(seed, route, n_points)
    seconds = finish_route(route, n_points, world.whole, world.expert)
    set_out(
        car, route, totals, displacements, seed, world.start, world.vehicle, n_points, seconds, scenario
    )  # fmt: skip


@inlined
def _next_scenario(car: Record, i: int, n: int, group_size: int) -> int:
    """The number of the scenario that car ``i`` of ``n`` plays next; counts the episode."""
    number = (car.episodes * n + i) // group_size
    car.episodes += 1
    return number


@kernel
def _reset(
    cars: np.ndarray, routes: np.ndarray, totals: np.ndarray, displacements: np.ndarray, world: World, only: int,
    scenario: int, state: np.ndarray, points: np.ndarray,
) -> None:  # fmt: skip
    n = cars.shape[0]
    for i in range(n):
        if only < 0 or only == i:
            number = scenario if scenario >= 0 else _next_scenario(cars[i], i, n, world.group_size)
            _begin(cars[i], routes[i], totals[i], displacements[i], world, number)
        observe(cars[i], routes[i], state[i], points[i])


@kernel
def _expert_plans(cars: np.ndarray, routes: np.ndarray, world: World, plans: np.ndarray) -> None:
    leads = np.empty((BLOCK, plans.shape[1] + 1), LEAD)
    for first in range(0, cars.shape[0], BLOCK):
        block = slice(first, first + BLOCK)
        expert_plans(cars[block], routes[block], world.expert, world.plan_dt, leads, plans[block])


@kernel
def _step(
    cars: np.ndarray, routes: np.ndarray, totals: np.ndarray, displacements: np.ndarray, world: World, plans: np.ndarray,
    autoreset: bool, state: np.ndarray, points: np.ndarray, rewards: np.ndarray, outcomes: np.ndarray,
    final_state: np.ndarray, final_points: np.ndarray, final_metrics: np.ndarray, final_scenario: np.ndarray,
) -> int:  # fmt: skip
    n = cars.shape[0]
    n_finished = 0
    leads, expert = np.empty((BLOCK, plans.shape[1] + 1), LEAD), np.empty((BLOCK, plans.shape[1]), WAYPOINT)
    for i in range(n):
        car = cars[i]
        if i % BLOCK == 0:
            block = slice(i, i + BLOCK)
            expert_plans(cars[block], routes[block], world.expert, world.plan_dt, leads, expert)
        ade = score_plan(totals[i], plans[i], expert[i % BLOCK], displacements[i])
        before = (car.progress, car.acceleration)
        steer, acceleration = track(car, plans[i], world.plan_dt, world.vehicle)
        advance(car, world.vehicle, steer, acceleration, CONTROL_DT)
        project(car, routes[i])
        rewards[i], outcome = score_step(car, totals[i], before, ade, world.weights, world.rules, CONTROL_DT)
        outcomes[i] = outcome
        if outcome != RUNNING:
            n_finished += 1
            write_metrics(car, totals[i], displacements[i], outcome, world.rules.waypoint_spacing, final_metrics[i])
            final_scenario[i] = car.scenario
            if autoreset:
                observe(car, routes[i], final_state[i], final_points[i])
                number = _next_scenario(car, i, n, world.group_size)
                _begin(car, routes[i], totals[i], displacements[i], world, number)
        observe(car, routes[i], state[i], points[i])
    return n_finished


class Simulation:
    """
    Cars that play scenarios, one after another.

    The k-th episode of car ``i`` plays scenario ``(k * n_cars + i) // group_size`` of the base seed.

    :param n_cars: number of cars ``n``
    :param config: what they drive on and how they are judged
    :param group_size: so many consecutive episodes share a scenario
    :param autoreset: whether a finished car begins its next episode within the step
    """

    def __init__(self, n_cars: int, config: DrivingConfig, group_size: int = 1, autoreset: bool = True):
        check_number("n_cars", n_cars, N_CARS)
        check_number("group_size", group_size, Bounds(1, 2**31, whole=True))
        self.n_cars = n_cars
        self.config = config
        self.autoreset = autoreset
        network, starts, reach = _drawable(config)
        self._world = World(
            base_seed=0,
            group_size=group_size,
            plan_dt=float(config.plan_dt),
            vehicle=as_floats(config.vehicle),
            expert=as_floats(config.expert),
            rules=as_floats(config.rules),
            start=as_floats(config.start),
            weights=tuple(float(weight) for weight in astuple(config.reward)),
            drawn=config.network is not None,
            whole=config.recorded,
            network=network,
            starts=starts,
            reach=reach,
        )
        if config.recorded:
            max_points = int(reach.max()) + 1
        else:
            max_points = int(config.route_length) + 1
        _check_memory(n_cars, max_points, config.horizon_steps)
        self.cars = np.zeros(n_cars, CAR)
        self.routes = new_routes(n_cars, max_points)
        self.totals = np.zeros(n_cars, TOTALS)
        self.metric_names = EPISODE_METRICS + tuple(f"displacement_{h + 1}" for h in range(config.horizon_steps))
        self._displacements = np.zeros((n_cars, config.horizon_steps))
        self.final = Observation.empty(n_cars)
        """Last observations of the cars that finished in the last step (where ``autoreset``)."""
        self.final_metrics = np.zeros((n_cars, len(self.metric_names)))
        """Metrics of the episodes that finished in the last step, ``(n, len(metric_names))``."""
        self.final_scenario = np.zeros(n_cars, np.int64)
        """Their scenario numbers, ``(n,)``."""
        self._begun = False

    @property
    def group_size(self) -> int:
        """So many consecutive episodes share a scenario."""
        return self._world.group_size

    @property
    def base_seed(self) -> int:
        """The seed that the scenarios are made from."""
        return self._world.base_seed

    def seed(self, seed: int) -> None:
        """Start again from scenario 0 of a base seed at the next reset."""
        self._world = self._world._replace(base_seed=int(seed) % 2**63)
        self.cars["episodes"] = 0

    def reset(self, scenario: int | None = None) -> Observation:
        """
        Begin an episode with every car.

        :param scenario: play this one; None for the next in order
        :return: the first observations
        """
        observation = Observation.empty(self.n_cars)
        number = -1 if scenario is None else scenario
        _reset(
            self.cars, self.routes, self.totals, self._displacements, self._world, -1, number, observation.state,
            observation.route,
        )  # fmt: skip
        self._begun = True
        return observation

    def step(self, plans: np.ndarray) -> StepResult:
        """
        Drive every car along its plan for one control step.

        :param plans: float32 ``(n, H, 2)``, metres, ego frame
        :return: observations, rewards, outcomes
        :raises ValueError: as :func:`~.plans.checked_plans` does (nothing has moved then)
        :raises RuntimeError: before the first :meth:`reset`
        """
        self._check_begun()
        plans = checked_plans(plans, self.n_cars, self.config.horizon_steps, 2)
        observation = Observation.empty(self.n_cars)
        rewards = np.empty(self.n_cars)
        outcomes = np.empty(self.n_cars, np.int8)
        _step(
            self.cars, self.routes, self.totals, self._displacements, self._world, plans, self.autoreset,
            observation.state, observation.route, rewards, outcomes, self.final.state, self.final.route,
            self.final_metrics, self.final_scenario,
        )  # fmt: skip
        return StepResult(observation, rewards, outcomes)

    def expert_plans(self) -> np.ndarray:
        """
        What the expert would plan for every car from where it is.

        :return: float32 ``(n, H, 2)``, metres, ego frame
        :raises RuntimeError: before the first :meth:`reset`
        """
        self._check_begun()
        plans = np.empty((self.n_cars, self.config.horizon_steps, 2), np.float32)
        _expert_plans(self.cars, self.routes, self._world, plans.view(WAYPOINT)[..., 0])
        return within_bound(plans)

    def _check_begun(self) -> None:
        # a car without a route would send the kernels out of its memory
        if not self._begun:
            raise RuntimeError("the cars have no routes yet: call reset() first")


def succeeded(outcome: np.ndarray) -> np.ndarray:
    """Whether an episode ended at the goal, from its outcome."""
    return outcome == GOAL


def terminated(outcome: np.ndarray) -> np.ndarray:
    """Whether an episode ended by itself, from its outcome."""
    return (outcome != RUNNING) & (outcome != TIMEOUT)


def truncated(outcome: np.ndarray) -> np.ndarray:
    """Whether an episode was cut off by its time limit, from its outcome."""
    return outcome == TIMEOUT


def _check_memory(n_cars: int, max_points: int, horizon_steps: int) -> None:
    # two plans per car: the expert's, and the one that is driven
    size = n_cars * (max_points * ROUTE_POINT.itemsize + CAR.itemsize + TOTALS.itemsize + 2 * 8 * 2 * horizon_steps)
    if size > MAX_BYTES:
        raise ValueError(
            f"{n_cars} envs with routes of up to {max_points} m take {size / 2**30:.1f} GiB of memory; at most "
            f"{MAX_BYTES / 2**30:g} GiB are allowed: make fewer envs, or shorter routes"
        )


def _drawable(config: DrivingConfig) -> tuple[RoadNetwork, np.ndarray, np.ndarray]:
    """The network with the points from which a route of the wanted length can start, and the reach of its segments."""
    network = config.network
    if network is None:
        empty = np.zeros(0, np.int64)
        return RoadNetwork(np.zeros((0, 2)), np.zeros(0), empty, empty, empty), np.zeros((0, 2), np.int64), np.zeros(0)
    n_segments = len(network.offsets) - 1
    steps = np.hypot(*np.diff(network.points, axis=0).T)
    travelled = np.concatenate([[0.0], np.cumsum(steps)])
    segment_of = np.repeat(np.arange(n_segments), np.diff(network.offsets))
    if config.recorded:
        reach = travelled[network.offsets[1:] - 1] - travelled[network.offsets[:-1]]
        starts = np.stack([np.arange(n_segments), network.offsets[:-1]], axis=1)[reach >= 10.0]
        if len(starts) == 0:
            raise ValueError(f"none of the {n_segments} recorded drives is at least 10 m long")
        return network, np.ascontiguousarray(starts), reach
    wanted = config.route_length + 2.0
    longest = float((travelled[network.offsets[1:] - 1] - travelled[network.offsets[:-1]]).max())
    reach = reachable_length(network, wanted + longest)
    available = reach[segment_of] - (travelled - travelled[network.offsets[:-1]][segment_of])
    points = np.flatnonzero(available >= wanted)
    # the last point of a segment is the first of the next
    points = points[~np.isin(points, network.offsets[1:] - 1)]
    if len(points) == 0:
        raise ValueError(
            f"route_length={config.route_length} m: the longest drive in this road network is {reach.max():.0f} m"
        )
    return network, np.ascontiguousarray(np.stack([segment_of[points], points], axis=1)), reach
