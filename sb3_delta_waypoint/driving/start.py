"""The start of an episode: the initial state of a car, near the start of its route."""

import math
from typing import Annotated, NamedTuple

import numpy as np

from sb3_delta_waypoint.bounds import Bounds
from sb3_delta_waypoint.contract import CONTROL_DT
from sb3_delta_waypoint.driving.kernels import inlined
from sb3_delta_waypoint.driving.records import Record
from sb3_delta_waypoint.driving.routes import project
from sb3_delta_waypoint.driving.scenarios import uniform
from sb3_delta_waypoint.driving.vehicle import VehicleParameters, steady_steer, steady_yaw_rate

TIME_FACTOR, TIME_TO_GET_GOING = 2.0, 5.0
"""Time limit of an episode: a multiple of the time that the expert needs, plus a constant [s]."""


class StartParameters(NamedTuple):
    """Ranges of the initial offset, heading error and speed, from which an episode draws uniformly."""

    lateral: Annotated[float, Bounds(0.0, 50.0, "m")] = 0.2
    """Largest lateral offset from the route, to either side [m]."""
    heading: Annotated[float, Bounds(0.0, math.pi, "rad")] = 0.03
    """Largest heading error, to either side [rad]."""
    min_speed: Annotated[float, Bounds(0.0, 1.0)] = 0.5
    """Lowest initial speed, as a share of the speed profile; the highest is the profile itself."""


@inlined
def set_out(
    car: Record, route: np.ndarray, seed: np.uint64, start: StartParameters, vehicle: VehicleParameters, seconds: float
) -> None:
    """
    Put a car at the start of its route.

    :param car: record of :data:`~.records.CAR` with ``n_points`` set; the rest is written
    :param route: records of :data:`~.records.ROUTE_POINT`, finished
    :param seed: uint64, the scenario's seed
    :param start: ranges of the initial state
    :param vehicle: parameters of the car
    :param seconds: time that the expert needs for the route [s]
    """
    begin = route[0]
    lateral = uniform(seed, 0, -start.lateral, start.lateral)
    car.x, car.y = begin.x - lateral * begin.sin, begin.y + lateral * begin.cos
    car.yaw = np.arctan2(begin.sin, begin.cos) + uniform(seed, 1, -start.heading, start.heading)
    car.speed = min(begin.speed * uniform(seed, 2, start.min_speed, 1.0), vehicle.max_speed)
    # a route may start in a curve, so the wheels are turned for it
    after = route[2]
    car.steer = steady_steer(vehicle, car.speed, 0.5 * (begin.cos * after.sin - begin.sin * after.cos))
    car.yaw_rate = steady_yaw_rate(vehicle, car.speed, car.steer)
    car.acceleration = 0.0
    car.route_length = car.n_points - 1.0
    car.max_steps = int((TIME_FACTOR * seconds + TIME_TO_GET_GOING) / CONTROL_DT)
    car.index = 0
    project(car, route)
