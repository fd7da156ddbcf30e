"""The state of some cars, the parameters beside it, and how an episode begins."""

from typing import NamedTuple

import numpy as np

from sb3_delta_waypoint.driving.config import DrivingConfig
from sb3_delta_waypoint.driving.expert import ExpertParameters
from sb3_delta_waypoint.driving.kernels import as_floats, kernel
from sb3_delta_waypoint.driving.records import CAR, ROUTE_POINT, TOTALS
from sb3_delta_waypoint.driving.reward import RewardWeights
from sb3_delta_waypoint.driving.routes import RouteSource, draw_network_route, draw_random_route, finish_route
from sb3_delta_waypoint.driving.score import EpisodeRules
from sb3_delta_waypoint.driving.start import StartParameters, set_out
from sb3_delta_waypoint.driving.vehicle import VehicleParameters

_FRESH = np.zeros(1, TOTALS)


class World(NamedTuple):
    """
    The state of ``n`` cars, a row for each.

    :param cars: records of :data:`~.records.CAR` ``(n,)``
    :param routes: records of :data:`~.records.ROUTE_POINT` ``(n, P)``, 1 m apart; each car uses its first ``n_points``
    :param totals: records of :data:`~.records.TOTALS` ``(n,)``
    :param displacements: float64 ``(n, H)``, running sums of the displacement by horizon step [m]
    """

    cars: np.ndarray
    routes: np.ndarray
    totals: np.ndarray
    displacements: np.ndarray

    @classmethod
    def empty(cls, n_cars: int, max_points: int, horizon_steps: int) -> "World":
        """Memory for some cars, and for routes of so many points at most."""
        return cls(
            np.zeros(n_cars, CAR),
            np.zeros((n_cars, max_points), ROUTE_POINT),
            np.zeros(n_cars, TOTALS),
            np.zeros((n_cars, horizon_steps)),
        )


class Parameters(NamedTuple):
    """Every number that the kernels read and that no step changes."""

    plan_dt: float
    vehicle: VehicleParameters
    expert: ExpertParameters
    rules: EpisodeRules
    start: StartParameters
    weights: RewardWeights


def parameters_of(config: DrivingConfig) -> Parameters:
    """
    :param config: what the cars drive on and how they are judged
    :return: its numbers, all of them floats
    """
    groups = {name: as_floats(getattr(config, name)) for name in ("vehicle", "expert", "rules", "start")}
    return Parameters(plan_dt=float(config.plan_dt), weights=as_floats(config.reward), **groups)


@kernel
def begin(world: World, i: int, source: RouteSource, parameters: Parameters, seed: np.uint64, scenario: int) -> None:
    """
    Put a car at the start of a scenario.

    :param world: written in row ``i``
    :param i: which car
    :param source: where its route is drawn from
    :param parameters: of car, expert and start
    :param seed: of the scenario
    :param scenario: its number
    """
    route = world.routes[i]
    n_points = source.max_points
    if source.from_network:
        n_points = draw_network_route(seed, source, route, n_points)
    else:
        draw_random_route(seed, route, n_points)
    seconds = finish_route(route, n_points, source.recorded, parameters.expert)
    set_out(world.cars[i], route, seed, parameters.start, parameters.vehicle, n_points, seconds, scenario)
    world.totals[i] = _FRESH[0]
    world.displacements[i] = 0.0
