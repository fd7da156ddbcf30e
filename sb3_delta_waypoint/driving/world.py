"""The state of the cars, the parameters of the kernels, and the start of an episode."""

from typing import Any, NamedTuple

import numpy as np
from numba.np.unsafe import ndarray

from sb3_delta_waypoint.driving.agents.records import DRIVER, SITUATION
from sb3_delta_waypoint.driving.config import DrivingConfig
from sb3_delta_waypoint.driving.expert import ExpertParameters
from sb3_delta_waypoint.driving.history import MOMENTS
from sb3_delta_waypoint.driving.kernels import inlined, kernel
from sb3_delta_waypoint.driving.records import AGENT, CAR, FRESH_TOTALS, MOMENT, PLACE, ROUTE_POINT, TOTALS
from sb3_delta_waypoint.driving.reward import PRODUCT, RewardWeights
from sb3_delta_waypoint.driving.routes import RouteSource, draw_network_route, draw_random_route, finish_route
from sb3_delta_waypoint.driving.score import EpisodeRules
from sb3_delta_waypoint.driving.start import StartParameters, set_out
from sb3_delta_waypoint.driving.vehicle import VehicleParameters


class World(NamedTuple):
    """
    State of ``n`` cars, one row for each.

    :param cars: records of :data:`~.records.CAR` ``(n,)``
    :param routes: records of :data:`~.records.ROUTE_POINT` ``(n, P)``, 1 m apart; each car uses its first ``n_points``
    :param totals: records of :data:`~.records.TOTALS` ``(n,)``
    :param displacements: float64 ``(n, H)``, running sums of the displacement by horizon step [m]
    :param history: records of :data:`~.records.MOMENT` ``(n, MOMENTS)``, the last steps of each car
    :param places: records of :data:`~.records.PLACE` ``(n, P)``, where the routes' points lie on the lanes
    :param agents: records of :data:`~.records.AGENT` ``(n, A)``, the others on the road
    :param drivers: records of :data:`~.agents.records.DRIVER` ``(n, A + 1)``, what drives them, the last one the car
    :param situations: records of :data:`~.agents.records.SITUATION` ``(n,)``; the last four are empty without lanes
    """

    cars: np.ndarray
    routes: np.ndarray
    totals: np.ndarray
    displacements: np.ndarray
    history: np.ndarray
    places: np.ndarray
    agents: np.ndarray
    drivers: np.ndarray
    situations: np.ndarray

    @classmethod
    def empty(cls, n_cars: int, max_points: int, horizon_steps: int, n_agents: int = -1) -> "World":
        """
        Allocate the state of some cars.

        :param n_cars: number of cars ``n``
        :param max_points: largest number of route points ``P``
        :param horizon_steps: rows ``H`` of a plan
        :param n_agents: number of others on the road of each car; -1 for cars without lanes
        :return: arrays of zeros
        """
        return cls(
            np.zeros(n_cars, CAR),
            np.zeros((n_cars, max_points), ROUTE_POINT),
            np.zeros(n_cars, TOTALS),
            np.zeros((n_cars, horizon_steps)),
            np.zeros((n_cars, MOMENTS), MOMENT),
            np.zeros((n_cars, max_points if n_agents >= 0 else 0), PLACE),
            np.zeros((n_cars, max(n_agents, 0)), AGENT),
            np.zeros((n_cars, n_agents + 1), DRIVER),
            np.zeros(n_cars if n_agents >= 0 else 0, SITUATION),
        )

    def state_of(self, i: int) -> "World":
        """
        Copy the state of one car.

        :param i: row of the car
        :return: its row of every array
        """
        return World(*(values[i : i + 1].copy() for values in self))

    def put(self, state: "World", i: int) -> None:
        """
        Put a car into a state, with its scenario, clock and totals. The car keeps its own count of episodes.

        :param state: state of one car, from :meth:`state_of` of the same world
        :param i: row of the car
        """
        episodes = self.cars["episodes"][i]
        for values, given in zip(self, state, strict=True):
            values[i : i + 1] = given  # which is empty where the cars have none
        self.cars["episodes"][i] = episodes


class Parameters(NamedTuple):
    """The constant parameters that the kernels read."""

    plan_dt: float
    vehicle: VehicleParameters
    expert: ExpertParameters
    rules: EpisodeRules
    start: StartParameters
    weights: RewardWeights


to_fixed_tuple: Any = ndarray.to_fixed_tuple  # in compiled code its signature differs from the Python one
_N_VEHICLE, _N_EXPERT, _N_RULES, _N_START, _N_WEIGHTS = (
    len(kind._fields) for kind in (VehicleParameters, ExpertParameters, EpisodeRules, StartParameters, RewardWeights)
)
_EXPERT = 1 + _N_VEHICLE
_RULES = _EXPERT + _N_EXPERT
_START = _RULES + _N_RULES
_WEIGHTS = _START + _N_START


def packed(config: DrivingConfig) -> np.ndarray:
    """
    Pack the parameters of a configuration into one array, which a kernel takes much faster than forty Python numbers.

    :param config: the driving configuration
    :return: float64, the values of :class:`Parameters` in their order
    """
    groups = (config.vehicle, config.expert, config.rules, config.start, config.reward)
    values = [config.plan_dt, *(value for group in groups for value in group)]
    return np.array([float(value == PRODUCT) if isinstance(value, str) else value for value in values], np.float64)


@inlined
def unpacked(parameters: np.ndarray) -> Parameters:
    """
    Unpack the parameters of :func:`packed`.

    :param parameters: float64, from :func:`packed`
    :return: the parameters by name
    """
    return Parameters(
        parameters[0],
        VehicleParameters(*to_fixed_tuple(parameters[1:_EXPERT], _N_VEHICLE)),
        ExpertParameters(*to_fixed_tuple(parameters[_EXPERT:_RULES], _N_EXPERT)),
        EpisodeRules(*to_fixed_tuple(parameters[_RULES:_START], _N_RULES)),
        StartParameters(*to_fixed_tuple(parameters[_START:_WEIGHTS], _N_START)),
        RewardWeights(*to_fixed_tuple(parameters[_WEIGHTS:], _N_WEIGHTS)),
    )


@kernel
def begin(world: World, i: int, source: RouteSource, parameters: Parameters, seed: np.uint64, scenario: int) -> None:
    """
    Put a car at the start of a scenario.

    :param world: state of the cars, written in row ``i``
    :param i: row of the car
    :param source: source of the routes
    :param parameters: parameters of vehicle, expert and start
    :param seed: uint64, seed of the scenario
    :param scenario: number of the scenario
    """
    route = world.routes[i]
    n_points = source.max_points
    if source.from_network:
        n_points = draw_network_route(seed, source, route, world.places[i], n_points)
    else:
        draw_random_route(seed, route, n_points)
    seconds = finish_route(route, n_points, source.recorded, parameters.expert)
    car = world.cars[i]
    car.n_points, car.scenario, car.start_step = n_points, scenario, 0
    set_out(car, route, seed, parameters.start, parameters.vehicle, seconds)
    world.totals[i] = FRESH_TOTALS[0]
    world.displacements[i] = 0.0
