"""What the tests of scoring share: a car, others, and lanes, through compiled functions as the envs call them."""

import numpy as np
import pytest

from sb3_delta_waypoint.driving.contacts import Meeting, collide
from sb3_delta_waypoint.driving.kernels import kernel
from sb3_delta_waypoint.driving.records import AGENT, CAR, FRESH_TOTALS
from sb3_delta_waypoint.driving.standing import Standing, stand
from sb3_delta_waypoint.driving.vehicle import VehicleParameters

VEHICLE = VehicleParameters()
"""4.7 m by 1.9 m, its front bumper 3.7 m before the rear axle and its rear one 1 m behind."""
IN_LANE = Standing(True, True, False, 0.0, True, 0, 0.0)
BETWEEN_LANES = IN_LANE._replace(in_lane=False)


def a_car(speed=10.0, x=0.0, y=0.0, yaw=0.0):
    """A car whose rear axle is at the origin, along x."""
    cars = np.zeros(1, CAR)
    cars["x"], cars["y"], cars["yaw"], cars["speed"] = x, y, yaw, speed
    return cars


def others(*rows):
    """Others: x, y, yaw, speed, and kind if it is not a vehicle; 4 m by 2 m, pedestrians and the like 1 m by 1 m."""
    agents = np.zeros(len(rows), AGENT)
    for agent, (x, y, yaw, speed, *kind) in zip(agents, rows, strict=True):
        agent["x"], agent["y"], agent["yaw"], agent["speed"] = x, y, yaw, speed
        agent["length"], agent["width"] = (1.0, 1.0) if kind else (4.0, 2.0)
        agent["kind"], agent["present"] = kind[0] if kind else 0.0, True
    return agents


@kernel
def _collide(agents, cars, vehicle, standing, totals):
    return collide(agents, cars[0], vehicle, standing, totals[0])


def meet(agents, car=None, standing=IN_LANE, totals=None, vehicle=VEHICLE) -> Meeting:
    """The outcome of a step among others."""
    totals = FRESH_TOTALS.copy() if totals is None else totals
    return _collide(agents, a_car() if car is None else car, vehicle, standing, totals)


@kernel
def _stand(lanes, cars, vehicle, segment, along, dt):
    return stand(lanes, cars[0], vehicle, segment, along, dt)


def where(lanes, car, segment=-1, along=0.0) -> Standing:
    """Where a car stands."""
    return _stand(lanes, car, VEHICLE, segment, along, 0.1)


def comfortable(acceleration, lateral, yaw):
    """Whether accelerations along and across and yaws are comfortable, by SciPy's filter on the whole episode at once."""
    savgol = pytest.importorskip("scipy.signal").savgol_filter
    n = len(yaw)

    def fits(window):
        return window if window <= n else n - 1 + n % 2

    def smooth(values):
        return savgol(values, fits(8), 2)

    def jerk(values):
        return savgol(smooth(values), fits(15), 2, deriv=1, delta=0.1)

    series = [
        (smooth(acceleration), -4.05, 2.40),
        (smooth(lateral), -4.89, 4.89),
        (jerk(acceleration), -4.13, 4.13),
        (jerk(np.hypot(acceleration, lateral)), -8.37, 8.37),
        (savgol(np.unwrap(yaw), 5, 2, deriv=1, delta=0.1), -0.95, 0.95),
        (savgol(np.unwrap(yaw), 5, 3, deriv=2, delta=0.1), -1.93, 1.93),
    ]
    return all(((low < values) & (values < high)).all() for values, low, high in series)
