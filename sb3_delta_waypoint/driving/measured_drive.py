"""One car that is measured, not simulated: judged, observed and shown the way by the functions that the simulation uses."""

from dataclasses import astuple
from typing import NamedTuple

import numpy as np

from sb3_delta_waypoint.contract import CONTROL_DT, ROUTE_POINTS
from sb3_delta_waypoint.driving.config import DrivingConfig
from sb3_delta_waypoint.driving.expert import BLOCK, LEAD, ExpertParameters, expert_plans
from sb3_delta_waypoint.driving.kernels import as_floats, inlined, kernel
from sb3_delta_waypoint.driving.network import RoadNetwork, from_paths
from sb3_delta_waypoint.driving.plans import checked_plans, within_bound
from sb3_delta_waypoint.driving.records import CAR, TOTALS, WAYPOINT, Record
from sb3_delta_waypoint.driving.routes import draw_network_route, finish_route, new_routes, observe, project
from sb3_delta_waypoint.driving.score import (
    EPISODE_METRICS,
    GOAL,
    OFF_ROUTE,
    RUNNING,
    EpisodeRules,
    score_plan,
    score_step,
    write_metrics,
)
from sb3_delta_waypoint.driving.start import StartParameters, set_out
from sb3_delta_waypoint.driving.tracker import track
from sb3_delta_waypoint.driving.vehicle import VehicleParameters, clip, turned_wheel
from sb3_delta_waypoint.driving.yielding import HAZARD, slow_for

MAX_ACCELERATION, MAX_YAW_RATE = 30.0, 10.0
"""Sensors show no more, even in a crash [m/s²], [rad/s]: the bounds of the observation."""


class Measurement(NamedTuple):
    """Where a car is and how it moves: world frame, yaw counter-clockwise, the reference point is the rear axle."""

    x: float
    """[m]"""
    y: float
    """[m]"""
    yaw: float
    """[rad]"""
    speed: float
    """Forwards [m/s]; never negative."""
    yaw_rate: float
    """[rad/s]"""


class _Judge(NamedTuple):
    """What the kernels need and no step changes."""

    plan_dt: float
    vehicle: VehicleParameters
    expert: ExpertParameters
    rules: EpisodeRules
    weights: tuple[float, ...]


@kernel
def _set_out(
    cars: np.ndarray, routes: np.ndarray, totals: np.ndarray, displacements: np.ndarray, judge: _Judge,
    start: StartParameters, network: RoadNetwork, seed: np.uint64, scenario: int, max_points: int,
) -> None:  # fmt: skip
    one, everything = np.zeros((1, 2), np.int64), np.full(1, np.inf)
    n_points = draw_network_route(seed, network, one, everything, True, routes[0], max_points)
    seconds = finish_route(routes[0], n_points, False, judge.expert)
    set_out(
        cars[0], routes[0], totals[0], displacements, seed, start, judge.vehicle, n_points, seconds, scenario
    )  # fmt: skip


@kernel
def _command(
    cars: np.ndarray, totals: np.ndarray, displacements: np.ndarray, judge: _Judge, plan: np.ndarray, expert: np.ndarray
) -> tuple[float, float, float]:
    ade = score_plan(totals[0], plan, expert[0], displacements)
    steer, acceleration = track(cars[0], plan, judge.plan_dt, judge.vehicle)
    steer = turned_wheel(judge.vehicle, cars[0].steer, steer, CONTROL_DT)
    return steer, clip(acceleration, -judge.vehicle.max_braking, judge.vehicle.max_acceleration), ade


@inlined
def _look(
    cars: np.ndarray, routes: np.ndarray, yielding: np.ndarray, hazards: np.ndarray, judge: _Judge, leads: np.ndarray,
    expert: np.ndarray, state: np.ndarray, points: np.ndarray,
) -> None:  # fmt: skip
    """Observe, and ask the expert."""
    car = cars[0]
    observe(car, routes[0], state, points)
    if hazards.shape[0] == 0:
        expert_plans(cars, routes, judge.expert, judge.plan_dt, leads, expert)
    else:
        yielding[0, : car.n_points] = routes[0, : car.n_points]
        for k in range(hazards.shape[0]):
            slow_for(hazards[k], yielding[0], car.index, car.n_points, judge.expert.braking)
        expert_plans(cars, yielding, judge.expert, judge.plan_dt, leads, expert)


@inlined
def _place(car: Record, measurement: Measurement, route: np.ndarray, steer: float) -> None:
    car.x, car.y, car.yaw = measurement.x, measurement.y, measurement.yaw
    car.yaw_rate = clip(measurement.yaw_rate, -MAX_YAW_RATE, MAX_YAW_RATE)
    car.steer, car.speed = steer, measurement.speed
    project(car, route)


@kernel
def _first_look(
    cars: np.ndarray, routes: np.ndarray, yielding: np.ndarray, hazards: np.ndarray, judge: _Judge, leads: np.ndarray,
    measurement: Measurement, expert: np.ndarray, state: np.ndarray, points: np.ndarray,
) -> None:  # fmt: skip
    _place(cars[0], measurement, routes[0], cars[0].steer)
    _look(cars, routes, yielding, hazards, judge, leads, expert, state, points)


@kernel
def _move(cars: np.ndarray, routes: np.ndarray, measurement: Measurement, steer: float) -> None:
    car = cars[0]
    car.acceleration = clip((measurement.speed - car.speed) / CONTROL_DT, -MAX_ACCELERATION, MAX_ACCELERATION)
    _place(car, measurement, routes[0], steer)


@kernel
def _judge_step(
    cars: np.ndarray, routes: np.ndarray, totals: np.ndarray, yielding: np.ndarray, hazards: np.ndarray, judge: _Judge,
    leads: np.ndarray, before: tuple[float, float], ade: float, event: int, expert: np.ndarray, state: np.ndarray,
    points: np.ndarray,
) -> tuple[float, int]:  # fmt: skip
    reward, outcome = score_step(cars[0], totals[0], before, ade, judge.weights, judge.rules, CONTROL_DT)
    if event != RUNNING and outcome != OFF_ROUTE:
        _, goal, _, _, _, _, off_route = judge.weights
        if outcome == GOAL:
            totals[0].goal -= goal
            totals[0].reward -= goal
            reward -= goal
        totals[0].off_route -= off_route
        totals[0].reward -= off_route
        reward -= off_route
        outcome = event
    _look(cars, routes, yielding, hazards, judge, leads, expert, state, points)
    return reward, outcome


@kernel
def _write_metrics(
    cars: np.ndarray, totals: np.ndarray, displacements: np.ndarray, outcome: int, spacing: float, row: np.ndarray
) -> None:
    write_metrics(cars[0], totals[0], displacements, outcome, spacing, row)


NO_HAZARDS = np.zeros(0, HAZARD)
"""Nothing to yield to."""


class MeasuredDrive:
    """
    An episode of one car whose motion comes from elsewhere.

    The order of calls: :meth:`begin`, :meth:`settle` with the first measurement; then for each control step
    :meth:`command`, and after it :meth:`move` and :meth:`judge` with what was measured.

    :param config: how the car is judged and what it can do; its ``network`` is not used
    """

    def __init__(self, config: DrivingConfig):
        self.config = config
        vehicle, expert = as_floats(config.vehicle), as_floats(config.expert)
        weights = tuple(float(weight) for weight in astuple(config.reward))
        self._judge = _Judge(float(config.plan_dt), vehicle, expert, as_floats(config.rules), weights)
        self._start = as_floats(config.start)
        self.cars = np.zeros(1, CAR)
        self.routes = new_routes(1, 2)
        self.totals = np.zeros(1, TOTALS)
        self.metric_names = EPISODE_METRICS + tuple(f"displacement_{h + 1}" for h in range(config.horizon_steps))
        self._yielding = new_routes(1, 2)
        self._displacements = np.zeros(config.horizon_steps)
        self._expert = np.zeros((1, config.horizon_steps, 2), np.float32)
        self._leads = np.zeros((BLOCK, config.horizon_steps + 1), LEAD)
        self._command = (0.0, 0.0, 0.0)
        self._before = (0.0, 0.0)
        self._begun = False

    @property
    def route(self) -> np.ndarray:
        """The route's records of :data:`~.records.ROUTE_POINT`, 1 m apart."""
        return self.routes[0, : self.cars[0]["n_points"]]

    def begin(self, points: np.ndarray, speeds: np.ndarray, seed: int, scenario: int, longest: float = np.inf) -> None:
        """
        Set out on a route; the record ``cars[0]`` then says where the car is to be put, and how fast.

        :param points: float64 ``(N, 2)``, metres
        :param speeds: float64 ``(N,)``, speed limits [m/s], ``inf`` for none
        :param seed: of the scenario: where exactly and how fast the car begins
        :param scenario: its number
        :param longest: the route is cut off after this arc length [m]
        :raises ValueError: if the route has another shape, or leads nowhere
        """
        network = from_paths([(points, speeds)])
        # neighbouring points are at most 1 m apart
        max_points = int(min(longest, len(network.points))) + 1
        if self.routes.shape[1] < max_points:
            self.routes, self._yielding = new_routes(1, max_points), new_routes(1, max_points)
        _set_out(
            self.cars, self.routes, self.totals, self._displacements, self._judge, self._start, network, np.uint64(seed),
            scenario, max_points,
        )  # fmt: skip
        self._begun = True

    def _check_begun(self) -> None:
        # a car without a route would send the kernels out of its memory
        if not self._begun:
            raise RuntimeError("the car has no route yet: call begin() first")

    def settle(self, measurement: Measurement, hazards: np.ndarray = NO_HAZARDS) -> dict[str, np.ndarray]:
        """
        The first look at the car where it has been put.

        :param measurement: of it
        :param hazards: records of :data:`~.yielding.HAZARD` to which the expert yields
        :return: the observation, ``state`` float32 ``(4,)`` and ``route`` float32 ``(10, 2)``
        """
        self._check_begun()
        state, points = np.empty(4, np.float32), np.empty((ROUTE_POINTS, 2), np.float32)
        _first_look(
            self.cars, self.routes, self._yielding, hazards, self._judge, self._leads, measurement,
            self._expert.view(WAYPOINT)[..., 0], state, points,
        )  # fmt: skip
        return {"state": state, "route": points}

    def command(self, plan: np.ndarray) -> tuple[float, float]:
        """
        What the car is to do for the next control step, to follow a plan.

        :param plan: float32 ``(H, 2)``, metres, ego frame
        :return: steering angle [rad], left positive, and acceleration [m/s²], within what the car can do
        :raises ValueError: as :func:`~.plans.checked_plans` does
        """
        plan = checked_plans(plan, self.config.horizon_steps, 2)
        self._command = _command(
            self.cars, self.totals, self._displacements, self._judge, plan, self._expert.view(WAYPOINT)[..., 0]
        )
        return self._command[:2]

    def move(self, measurement: Measurement) -> None:
        """
        Where the car has got to.

        :param measurement: of it, after the control step
        """
        self._check_begun()
        car = self.cars[0]
        self._before = float(car["progress"]), float(car["acceleration"])
        _move(self.cars, self.routes, measurement, self._command[0])

    def judge(self, event: int = RUNNING, hazards: np.ndarray = NO_HAZARDS) -> tuple[dict[str, np.ndarray], float, int]:
        """
        What the step has earned, and how things look now.

        :param event: an outcome that comes from outside, such as a collision; it ends the episode and costs what leaving the
            route costs
        :param hazards: records of :data:`~.yielding.HAZARD` to which the expert yields
        :return: the observation, the reward, and one of the outcomes of :mod:`~.score`
        """
        self._check_begun()
        state, points = np.empty(4, np.float32), np.empty((ROUTE_POINTS, 2), np.float32)
        reward, outcome = _judge_step(
            self.cars, self.routes, self.totals, self._yielding, hazards, self._judge, self._leads, self._before,
            self._command[2], event, self._expert.view(WAYPOINT)[..., 0], state, points,
        )  # fmt: skip
        return {"state": state, "route": points}, reward, outcome

    def expert_plan(self) -> np.ndarray:
        """
        What the expert would plan from here.

        :return: float32 ``(H, 2)``, metres, ego frame
        """
        return within_bound(self._expert[0].copy())

    def metrics(self, outcome: int) -> dict[str, float]:
        """
        The metrics of the episode that has just ended.

        :param outcome: how it ended
        :return: the values under their names
        """
        row = np.empty(len(self.metric_names))
        _write_metrics(self.cars, self.totals, self._displacements, outcome, self._judge.rules.waypoint_spacing, row)
        return dict(zip(self.metric_names, row.tolist(), strict=True))
