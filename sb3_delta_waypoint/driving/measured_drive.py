"""A drive of one car that is measured, not simulated; it is scored and observed by the functions that the simulation uses."""

from typing import Any, NamedTuple

import numpy as np

from sb3_delta_waypoint.contract import CONTROL_DT, GROUPS
from sb3_delta_waypoint.driving.config import DrivingConfig
from sb3_delta_waypoint.driving.contacts import touch_reported
from sb3_delta_waypoint.driving.drive import Drive
from sb3_delta_waypoint.driving.expert import BLOCK, LEAD, expert_plans
from sb3_delta_waypoint.driving.kernels import inlined, kernel
from sb3_delta_waypoint.driving.lanes import Lanes
from sb3_delta_waypoint.driving.network import from_paths, polyline_length
from sb3_delta_waypoint.driving.observation import Observation, observe
from sb3_delta_waypoint.driving.plans import checked_plans, within_bound
from sb3_delta_waypoint.driving.records import AGENT, EPISODE, WAYPOINT, Record
from sb3_delta_waypoint.driving.routes import RouteSource, project
from sb3_delta_waypoint.driving.score import (
    OFF_ROUTE,
    RUNNING,
    Before,
    Surroundings,
    score_episode,
    score_event,
    score_plan,
    score_step,
)
from sb3_delta_waypoint.driving.standing import Standing, stand, stand_on_route
from sb3_delta_waypoint.driving.tracker import track
from sb3_delta_waypoint.driving.vehicle import clip, turned_wheel
from sb3_delta_waypoint.driving.world import Parameters, World, begin, unpacked
from sb3_delta_waypoint.driving.yielding import HAZARD, slow_for

MAX_YAW_RATE = GROUPS["state"].column("yaw rate").high
MAX_ACCELERATION = GROUPS["state"].column("longitudinal acceleration").high
"""Sensors show no more, even in a crash [rad/s], [m/s²]: the bounds of the observation."""


class Measurement(NamedTuple):
    """Pose and motion of a car in the world frame; its reference point is the middle of the rear axle."""

    x: float
    """[m]"""
    y: float
    """[m]"""
    yaw: float
    """Counter-clockwise [rad]."""
    speed: float
    """Forward speed, never negative [m/s]."""
    yaw_rate: float
    """Counter-clockwise [rad/s]."""


class Sight(NamedTuple):
    """Arrays of one look at the situation: the observation, the hazards, and the expert's plan."""

    observation: Observation
    hazards: np.ndarray
    """Hazards to which the expert yields: records of :data:`~.yielding.HAZARD`."""
    slowed: np.ndarray
    """The route with its speeds lowered for the hazards: records of :data:`~.records.ROUTE_POINT` ``(1, P)``."""
    leads: np.ndarray
    """Working memory: records of :data:`~.expert.LEAD` ``(BLOCK, H + 1)``."""
    expert: np.ndarray
    """The expert's plan: records of :data:`~.records.WAYPOINT` ``(1, H)``."""


@kernel
def _set_out(world: World, source: RouteSource, packed: np.ndarray, seed: np.uint64, scenario: int) -> None:
    begin(world, 0, source, unpacked(packed), seed, scenario)


@kernel
def _command(world: World, packed: np.ndarray, plan: np.ndarray, expert: np.ndarray) -> tuple[float, float, float]:
    car, parameters = world.cars[0], unpacked(packed)
    vehicle = parameters.vehicle
    ade = score_plan(world.totals[0], plan, expert[0], world.displacements[0])
    steer, acceleration = track(car, plan, parameters.plan_dt, vehicle)
    steer = turned_wheel(vehicle, car.steer, steer, CONTROL_DT)
    return steer, clip(acceleration, -vehicle.max_braking, vehicle.max_acceleration), ade


@inlined
def _look(world: World, parameters: Parameters, sight: Sight) -> None:
    """Write the observation and the expert's plan."""
    observe(world, 0, sight.observation)
    car, hazards, slowed = world.cars[0], sight.hazards, sight.slowed
    if hazards.shape[0] == 0:
        expert_plans(world.cars, world.routes, parameters.expert, parameters.plan_dt, sight.leads, sight.expert)
    else:
        for k in range(car.n_points):
            slowed[0, k] = world.routes[0, k]
        for k in range(hazards.shape[0]):
            slow_for(hazards[k], slowed[0], car.index, car.n_points, parameters.expert.braking)
        expert_plans(world.cars, slowed, parameters.expert, parameters.plan_dt, sight.leads, sight.expert)


@inlined
def _place(car: Record, measurement: Measurement, route: np.ndarray, steer: float) -> None:
    car.x, car.y, car.yaw = measurement.x, measurement.y, measurement.yaw
    car.yaw_rate = clip(measurement.yaw_rate, -MAX_YAW_RATE, MAX_YAW_RATE)
    car.steer, car.speed = steer, measurement.speed
    project(car, route)


@kernel
def _first_look(world: World, packed: np.ndarray, measurement: Measurement, sight: Sight) -> None:
    _place(world.cars[0], measurement, world.routes[0], world.cars[0].steer)
    _look(world, unpacked(packed), sight)


@kernel
def _move(world: World, measurement: Measurement, steer: float) -> None:
    car = world.cars[0]
    car.acceleration = clip((measurement.speed - car.speed) / CONTROL_DT, -MAX_ACCELERATION, MAX_ACCELERATION)
    _place(car, measurement, world.routes[0], steer)


@kernel
def _alone(world: World, packed: np.ndarray) -> Standing:
    parameters = unpacked(packed)
    return stand_on_route(world.cars[0], world.routes[0], parameters.vehicle, parameters.rules.off_route_distance)


@kernel
def _on_lanes(world: World, packed: np.ndarray, lanes: Lanes, segment: int, along: float) -> Standing:
    return stand(lanes, world.cars[0], unpacked(packed).vehicle, segment, along, CONTROL_DT)


@kernel
def _touch(
    world: World,
    packed: np.ndarray,
    agents: np.ndarray,
    before: np.ndarray,
    reported: np.ndarray,
    cars_before: np.ndarray,
    standing: Standing,
) -> int:
    vehicle = unpacked(packed).vehicle
    return touch_reported(agents, before, reported, world.cars, cars_before, vehicle, standing, world.totals[0])


@kernel
def _judge(
    world: World, packed: np.ndarray, before: Before, surroundings: Surroundings, event: int, counted: bool, sight: Sight
) -> tuple[float, int]:
    totals, parameters = world.totals[0], unpacked(packed)
    weights = parameters.weights
    reward, outcome = score_step(
        world.cars[0],
        totals,
        world.history[0],
        before,
        surroundings,
        parameters.vehicle,
        weights,
        parameters.rules,
        CONTROL_DT,
    )
    if event != RUNNING and outcome != OFF_ROUTE:
        reward = score_event(totals, reward, outcome, event, weights, counted)
        outcome = event
    _look(world, parameters, sight)
    return reward, outcome


@kernel
def _score_episode(world: World, packed: np.ndarray, outcome: int, episode: np.ndarray) -> None:
    car, rules = world.cars[0], unpacked(packed).rules
    score_episode(car, world.totals[0], world.history[0], outcome, rules, car.route_length, CONTROL_DT, episode[0])


NO_HAZARDS = np.zeros(0, HAZARD)
"""Nothing to yield to."""
NOBODY = np.zeros(0, AGENT)
"""No others."""
ANYWHERE = Standing(True, True, False, 0.0, True, -1, 0.0)
"""Where a car stands of which nothing is known."""


class MeasuredDrive(Drive):
    """
    Episodes of one car whose motion is measured outside of this package, such as in CARLA.

    Call :meth:`begin`, then :meth:`settle` with the first measurement. For each control step call :meth:`command`, and after
    the step :meth:`move` with the new measurement and :meth:`judge`.

    :param config: the driving configuration; its ``network`` is not used
    """

    first_call = "begin()"

    def __init__(self, config: DrivingConfig):
        super().__init__(config, 1, 2)
        horizon = config.horizon_steps
        self._expert = np.zeros((1, horizon, 2), np.float32)
        self._leads = np.zeros((BLOCK, horizon + 1), LEAD)
        self._slowed = np.zeros_like(self.routes)
        self._command = (0.0, 0.0, 0.0)
        self._before = Before(0.0, 0.0)
        self._cars_before = self.cars.copy()
        self._standing, self._counted = ANYWHERE, False
        self._limits = np.full(1, np.inf)

    @property
    def route(self) -> np.ndarray:
        """The route's records of :data:`~.records.ROUTE_POINT`, 1 m apart."""
        return self.routes[0, : self.cars[0]["n_points"]]

    def begin(self, points: np.ndarray, speeds: np.ndarray, seed: int, scenario: int, longest: float = np.inf) -> None:
        """
        Begin an episode on a route; afterwards ``cars[0]`` holds the pose and speed at which the car must start.

        :param points: float64 ``(N, 2)``, metres, world frame
        :param speeds: float64 ``(N,)``, speed limits [m/s], ``inf`` for none
        :param seed: seed of the scenario, which determines the initial pose and speed
        :param scenario: number of the scenario
        :param longest: the route is cut off after this arc length [m]
        :raises ValueError: if the route has another shape or no length
        """
        network = from_paths([(points, speeds)])
        # neighbouring points are at most 1 m apart
        max_points = int(min(longest, len(network.points))) + 1
        if self.routes.shape[1] < max_points:
            self.world = World.empty(1, max_points, self.config.horizon_steps)
            self._slowed = np.zeros_like(self.routes)
        nowhere, everything = np.zeros((1, 2), np.int64), np.full(1, np.inf)
        source = RouteSource(True, True, False, max_points, network, nowhere, everything, np.ones(1), np.array([0, 1]))
        _set_out(self.world, source, self._parameters, np.uint64(seed), scenario)
        self._begun = True
        self._standing, self._counted = ANYWHERE, False
        spacing = polyline_length(network.points) / (len(network.points) - 1)
        at = np.arange(self.cars[0]["n_points"]) / spacing
        self._limits = network.speeds[np.minimum(at.astype(np.int64), len(network.points) - 1)]

    def limits(self, ahead: np.ndarray | int = 0) -> Any:
        """
        Speed limits of the route.

        :param ahead: distances from the car [m]
        :return: the limits there [m/s], ``inf`` where there is none
        """
        at = (max(float(self.cars[0]["progress"]), 0.0) + np.asarray(ahead)).astype(np.int64)
        return self._limits[np.minimum(at, len(self._limits) - 1)]

    def settle(self, measurement: Measurement, hazards: np.ndarray = NO_HAZARDS) -> dict[str, np.ndarray]:
        """
        Make the first observation of an episode.

        :param measurement: the car at the start
        :param hazards: records of :data:`~.yielding.HAZARD` to which the expert yields
        :return: the observation, ``state`` float32 ``(4,)`` and ``route`` float32 ``(10, 2)``
        """
        self._check_begun()
        sight = self._sight(hazards)
        _first_look(self.world, self._parameters, measurement, sight)
        return _first(sight.observation)

    def command(self, plan: np.ndarray) -> tuple[float, float]:
        """
        Turn a plan into steering and acceleration for the next control step.

        :param plan: float32 ``(H, 2)``, metres, ego frame
        :return: steering angle [rad], left positive, and acceleration [m/s²], within the limits of the vehicle
        :raises ValueError: as :func:`~.plans.checked_plans` does
        """
        plan = checked_plans(plan, self.config.horizon_steps, 2)
        expert = self._expert.view(WAYPOINT)[..., 0]
        self._command = _command(self.world, self._parameters, plan, expert)
        return self._command[:2]

    def move(self, measurement: Measurement) -> None:
        """
        Take the measurement after a control step.

        :param measurement: the car after the step
        """
        self._check_begun()
        car = self.cars[0]
        self._before = Before(float(car["progress"]), float(car["acceleration"]), self._command[2])
        self._cars_before, self._counted = self.cars.copy(), False
        _move(self.world, measurement, self._command[0])

    def stand(self, lanes: Lanes | None) -> Standing:
        """
        Find where the car stands.

        :param lanes: the lanes; None for a strip about the route
        :return: where it stands
        """
        self._check_begun()
        if lanes is None:
            return _alone(self.world, self._parameters)
        last = self._standing
        self._standing = _on_lanes(self.world, self._parameters, lanes, last.segment, last.along)
        return self._standing

    def touch(self, agents: np.ndarray, before: np.ndarray, reported: np.ndarray, standing: Standing) -> None:
        """
        Count the contacts of a step in which a simulator has moved the others, before it is judged.

        :param agents: records of :data:`~.records.AGENT` ``(A,)``; ``collided`` is written
        :param before: the same before the step
        :param reported: bool ``(A,)``, who has touched the car in this step
        :param standing: where the car stands
        """
        found = _touch(self.world, self._parameters, agents, before, reported, self._cars_before, standing)
        self._counted = found > 0

    def judge(
        self, event: int = RUNNING, hazards: np.ndarray = NO_HAZARDS, surroundings: Surroundings | None = None
    ) -> tuple[dict[str, np.ndarray], float, int]:
        """
        Score the step and observe the car.

        :param event: an outcome that was detected outside, such as a collision; it ends the episode and costs as much as
            leaving the route
        :param hazards: records of :data:`~.yielding.HAZARD` to which the expert yields
        :param surroundings: what is around the car; None for nobody, and no lanes
        :return: the observation, the reward, and one of the outcomes of :mod:`~.score`
        """
        self._check_begun()
        sight = self._sight(hazards)
        if surroundings is None:
            standing = _alone(self.world, self._parameters)
            surroundings = Surroundings(NOBODY, standing, np.inf, False, False, False)
        reward, outcome = _judge(self.world, self._parameters, self._before, surroundings, event, self._counted, sight)
        return _first(sight.observation), reward, outcome

    def expert_plans(self) -> np.ndarray:
        """
        The expert's plan from the current state.

        :return: float32 ``(1, H, 2)``, metres, ego frame
        :raises RuntimeError: before the first :meth:`begin`
        """
        self._check_begun()
        return within_bound(self._expert.copy())

    def metrics(self, outcome: int) -> dict[str, float]:
        """
        The metrics of the episode that has just ended.

        :param outcome: one of the outcomes of :mod:`~.score`
        :return: the values by name
        """
        episode = np.zeros(1, EPISODE)
        _score_episode(self.world, self._parameters, outcome, episode)
        displacements = self.world.displacements[0] / self.totals[0]["compared"]
        return dict(zip(self.metric_names, (*episode[0].tolist(), *displacements.tolist()), strict=True))

    def _sight(self, hazards: np.ndarray) -> Sight:
        return Sight(Observation.empty(1), hazards, self._slowed, self._leads, self._expert.view(WAYPOINT)[..., 0])


def _first(observation: Observation) -> dict[str, np.ndarray]:
    return {name: values[0] for name, values in observation._asdict().items()}
