"""The simulation of any number of cars, each alone on its route: a loop over the functions about one car."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from sb3_delta_waypoint.bounds import Bounds, check_number
from sb3_delta_waypoint.contract import CONTROL_DT
from sb3_delta_waypoint.driving.config import DrivingConfig
from sb3_delta_waypoint.driving.drive import Drive
from sb3_delta_waypoint.driving.expert import BLOCK, LEAD, expert_plans
from sb3_delta_waypoint.driving.kernels import inlined, kernel
from sb3_delta_waypoint.driving.observation import Observation, observe
from sb3_delta_waypoint.driving.plans import checked_plans, within_bound
from sb3_delta_waypoint.driving.records import AGENT, EPISODE, WAYPOINT, Record
from sb3_delta_waypoint.driving.routes import RouteSource, project, route_source
from sb3_delta_waypoint.driving.scenarios import NO_HARD_SCENARIOS, HardScenarios, mixed_seed
from sb3_delta_waypoint.driving.score import RUNNING, Before, Surroundings, score_episode, score_plan, score_step
from sb3_delta_waypoint.driving.standing import stand_on_route
from sb3_delta_waypoint.driving.tracker import track
from sb3_delta_waypoint.driving.vehicle import advance
from sb3_delta_waypoint.driving.world import Parameters, World, begin, unpacked

N_CARS = Bounds(1, 1_000_000, whole=True)
"""Accepted numbers of cars, within :data:`MAX_BYTES`."""
MAX_BYTES = 2**31
"""Largest memory for the cars and their routes [bytes]."""


class Schedule(NamedTuple):
    """
    Order of the scenarios: the k-th episode of car ``i`` of ``n`` plays scenario ``(k * n + i) // group_size``.

    :param source: source of the routes
    :param base_seed: base seed of the scenarios
    :param group_size: number of consecutive episodes that share a scenario
    :param hard: hard scenarios that are mixed in, see :func:`~.scenarios.mixed_seed`
    """

    source: RouteSource
    base_seed: int
    group_size: int
    hard: HardScenarios


class StepResult(NamedTuple):
    """
    Result of a step for each of ``n`` cars. With autoreset, a finished car has already begun its next episode.

    :param observation: observations after the step, of the new episode where one has begun
    :param reward: float64 ``(n,)``
    :param outcome: int8 ``(n,)``, outcomes of :mod:`~.score`
    """

    observation: Any
    reward: np.ndarray
    outcome: np.ndarray


class Final(NamedTuple):
    """
    Episodes that finished in the last step, each in the row of its car; other rows hold older values.

    :param observation: last observations of the episodes
    :param episode: records of :data:`~.records.EPISODE` ``(n,)``
    :param displacements: float64 ``(n, H)``, means over the episode by horizon step [m]
    :param scenario: int64 ``(n,)``, scenario numbers
    :param start_step: int64 ``(n,)``, above 0 for episodes that began in this step of another one
    """

    observation: Any
    episode: np.ndarray
    displacements: np.ndarray
    scenario: np.ndarray
    start_step: np.ndarray


@inlined
def _begin(world: World, i: int, schedule: Schedule, parameters: Parameters, scenario: int) -> None:
    """Put a car at the start of a scenario."""
    seed = mixed_seed(schedule.base_seed, scenario, schedule.hard)
    begin(world, i, schedule.source, parameters, seed, scenario)


@inlined
def next_scenario(car: Record, i: int, n: int, group_size: int) -> int:
    """Number of the scenario that car ``i`` of ``n`` plays next; counts the episode."""
    number = (car.episodes * n + i) // group_size
    car.episodes += 1
    return number


@kernel
def _reset(world: World, schedule: Schedule, packed: np.ndarray, chosen: np.ndarray, observation: Observation) -> None:
    n, parameters = world.cars.shape[0], unpacked(packed)
    for i in range(n):
        number = chosen[i] if len(chosen) else next_scenario(world.cars[i], i, n, schedule.group_size)
        _begin(world, i, schedule, parameters, number)
        observe(world, i, observation)


@kernel
def _observe(world: World, rows: np.ndarray, observation: Observation) -> None:
    for i in rows:
        observe(world, i, observation)


@kernel
def _expert_plans(world: World, packed: np.ndarray, plans: np.ndarray) -> None:
    parameters, leads = unpacked(packed), np.empty((BLOCK, plans.shape[1] + 1), LEAD)
    for first in range(0, world.cars.shape[0], BLOCK):
        block = slice(first, first + BLOCK)
        expert_plans(world.cars[block], world.routes[block], parameters.expert, parameters.plan_dt, leads, plans[block])


@kernel
def _step(world: World, packed: np.ndarray, plans: np.ndarray, result: StepResult) -> int:
    """Drive every car for one control step; return the number of cars that finished."""
    parameters = unpacked(packed)
    leads, expert = np.empty((BLOCK, plans.shape[1] + 1), LEAD), np.empty((BLOCK, plans.shape[1]), WAYPOINT)
    nobody, vehicle = np.empty(0, AGENT), parameters.vehicle
    n_finished = 0
    for i in range(world.cars.shape[0]):
        car, totals = world.cars[i], world.totals[i]
        if i % BLOCK == 0:
            block = slice(i, i + BLOCK)
            expert_plans(world.cars[block], world.routes[block], parameters.expert, parameters.plan_dt, leads, expert)
        ade = score_plan(totals, plans[i], expert[i % BLOCK], world.displacements[i])
        before = Before(car.progress, car.acceleration, ade)
        steer, acceleration = track(car, plans[i], parameters.plan_dt, vehicle)
        advance(car, vehicle, steer, acceleration, CONTROL_DT)
        project(car, world.routes[i])
        standing = stand_on_route(car, world.routes[i], vehicle, parameters.rules.off_route_distance)
        alone = Surroundings(nobody, standing, np.inf, False, False, False)
        result.reward[i], outcome = score_step(
            car, totals, world.history[i], before, alone, vehicle, parameters.weights, parameters.rules, CONTROL_DT
        )
        result.outcome[i] = outcome
        n_finished += outcome != RUNNING
        observe(world, i, result.observation)
    return n_finished


@inlined
def conclude(world: World, i: int, parameters: Parameters, outcome: int, final: Final) -> None:
    """
    Write down an episode that has ended.

    :param world: state of the cars
    :param i: row of the car
    :param parameters: parameters of the episode
    :param outcome: outcome of its last step
    :param final: written in row ``i``, except the observation
    """
    car, totals = world.cars[i], world.totals[i]
    score_episode(car, totals, world.history[i], outcome, parameters.rules, car.route_length, CONTROL_DT, final.episode[i])
    for h in range(world.displacements.shape[1]):
        final.displacements[i, h] = world.displacements[i, h] / totals.compared
    final.scenario[i], final.start_step[i] = car.scenario, car.start_step


@kernel
def _finish(world: World, schedule: Schedule, packed: np.ndarray, result: StepResult, final: Final, begin_next: bool) -> None:
    """Write down the episodes that the step has finished, and begin the next ones."""
    n, parameters = world.cars.shape[0], unpacked(packed)
    observation = result.observation
    for i in range(n):
        if result.outcome[i] != RUNNING:
            conclude(world, i, parameters, result.outcome[i], final)
            final.observation.state[i] = observation.state[i]
            final.observation.route[i] = observation.route[i]
            if begin_next:
                _begin(world, i, schedule, parameters, next_scenario(world.cars[i], i, n, schedule.group_size))
                observe(world, i, observation)


class Simulation(Drive):
    """
    A simulation of cars that play scenarios, one after another.

    The k-th episode of car ``i`` plays scenario ``(k * n_cars + i) // group_size`` of the base seed.

    :param n_cars: number of cars ``n``
    :param config: the driving configuration
    :param group_size: number of consecutive episodes that share a scenario
    :param autoreset: whether a finished car begins its next episode within the step
    :param hard: hard scenarios that are mixed in
    """

    first_call = "reset()"
    observation_type: Any = Observation
    """Named tuple of the observation groups that the cars have."""
    n_agents = -1

    def __init__(
        self,
        n_cars: int,
        config: DrivingConfig,
        group_size: int = 1,
        autoreset: bool = True,
        hard: HardScenarios = NO_HARD_SCENARIOS,
    ):
        check_number("n_cars", n_cars, N_CARS)
        check_number("group_size", group_size, Bounds(1, 2**31, whole=True))
        source = route_source(config.network, config.route_length, config.recorded, config.shares)
        _check_memory(n_cars, source.max_points, config.horizon_steps, self.n_agents)
        super().__init__(config, n_cars, source.max_points, self.n_agents)
        self.n_cars = n_cars
        self.autoreset = autoreset
        self._schedule = Schedule(source, 0, group_size, hard)
        self.final_metrics = np.zeros((n_cars, len(self.metric_names)))
        """Metrics of the episodes that finished in the last step, ``(n, len(metric_names))``."""
        n_fields = len(self.metric_names) - config.horizon_steps
        self.final = Final(
            self.observation_type.empty(n_cars),
            self.final_metrics[:, :n_fields].view(EPISODE)[:, 0],
            self.final_metrics[:, n_fields:],
            np.zeros(n_cars, np.int64),
            np.zeros(n_cars, np.int64),
        )
        """Last observations, metrics, scenario numbers and first steps of the episodes that finished in the last step."""

    @property
    def group_size(self) -> int:
        """Number of consecutive episodes that share a scenario."""
        return self._schedule.group_size

    @property
    def base_seed(self) -> int:
        """Base seed of the scenarios."""
        return self._schedule.base_seed

    def seed(self, seed: int) -> None:
        """
        Start again from scenario 0 at the next reset.

        :param seed: base seed of the scenarios
        """
        self._schedule = self._schedule._replace(base_seed=int(seed) % 2**63)
        self.cars["episodes"] = 0

    def reset(self, scenario: int | np.ndarray | None = None) -> Observation:
        """
        Begin an episode with every car.

        :param scenario: number of the scenario to play, or one for each car, int64 ``(n,)``; None for the next in order
        :return: the first observations of the episodes
        """
        observation = self.observation_type.empty(self.n_cars)
        chosen = np.full(0 if scenario is None else self.n_cars, 0 if scenario is None else scenario, np.int64)
        self._reset(chosen, observation)
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
        result = StepResult(self.observation_type.empty(self.n_cars), np.empty(self.n_cars), np.empty(self.n_cars, np.int8))
        self._advance(plans, result)
        return result

    def state_of(self, car: int) -> World:
        """
        Copy the state of a car in mid-episode.

        :param car: index of the car
        :return: the state, for :meth:`begin_in_state`
        :raises RuntimeError: before the first :meth:`reset`
        """
        self._check_begun()
        return self.world.state_of(car)

    def begin_in_state(self, cars: Sequence[int], state: World) -> Observation:
        """
        Begin the current episodes of some cars again, all in one state of a running episode. Scenario, clock, time limit and
        the totals so far are those of that state; the order of the scenarios is not changed.

        :param cars: indices of the cars
        :param state: the state, from :meth:`state_of`
        :return: the observations of these cars, in their order
        :raises ValueError: if it is no state of this simulation's cars
        :raises RuntimeError: before the first :meth:`reset`
        """
        self._check_begun()
        shapes, given = ([(values.shape[1:], values.dtype) for values in world] for world in (self.world, state))
        if shapes != given:
            raise ValueError(f"a state of arrays {given} does not fit cars of {shapes}: take it from the same simulation")
        rows, observation = np.array(cars, np.int64), self.observation_type.empty(self.n_cars)
        for i in rows:
            self.world.put(state, i)
        self.cars["start_step"][rows] = state.totals["steps"]
        self._observe(rows, observation)
        return self.observation_type(*(values[rows] for values in observation))

    def expert_plans(self) -> np.ndarray:
        """
        The expert's plan for every car from its current state.

        :return: float32 ``(n, H, 2)``, metres, ego frame
        :raises RuntimeError: before the first :meth:`reset`
        """
        self._check_begun()
        plans = np.empty((self.n_cars, self.config.horizon_steps, 2), np.float32)
        self._plan(plans.view(WAYPOINT)[..., 0])
        return within_bound(plans)

    def _reset(self, chosen: np.ndarray, observation: Observation) -> None:
        _reset(self.world, self._schedule, self._parameters, chosen, observation)

    def _advance(self, plans: np.ndarray, result: StepResult) -> None:
        if _step(self.world, self._parameters, plans, result):
            _finish(self.world, self._schedule, self._parameters, result, self.final, self.autoreset)

    def _observe(self, rows: np.ndarray, observation: Observation) -> None:
        _observe(self.world, rows, observation)

    def _plan(self, plans: np.ndarray) -> None:
        _expert_plans(self.world, self._parameters, plans)


def _check_memory(n_cars: int, max_points: int, horizon_steps: int, n_agents: int) -> None:
    one = World.empty(1, max_points, horizon_steps, n_agents)
    # two plans per car: the expert's and the driven one
    size = n_cars * (sum(array.nbytes for array in one) + 2 * 8 * horizon_steps)
    if size > MAX_BYTES:
        raise ValueError(
            f"{n_cars} envs with routes of up to {max_points} m take {size / 2**30:.1f} GiB of memory; at most "
            f"{MAX_BYTES / 2**30:g} GiB are allowed: make fewer envs, or shorter routes"
        )
