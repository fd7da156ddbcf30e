"""The tracker, which turns a plan into steering and acceleration commands."""

import math

import numpy as np

from sb3_delta_waypoint.driving.kernels import inlined
from sb3_delta_waypoint.driving.records import Record
from sb3_delta_waypoint.driving.vehicle import VehicleParameters

LOOKAHEAD_TIME = 0.6
"""Lookahead for steering, as seconds of driving at the current speed [s]."""
MIN_LOOKAHEAD = 3.0
"""Shortest lookahead for steering [m]."""
SPEED_HORIZON = 0.5
"""Time at which the car should have reached the plan's position [s]."""


@inlined
def track(car: Record, plan: np.ndarray, plan_dt: float, vehicle: VehicleParameters) -> tuple[float, float]:
    """
    Follow a plan: pure pursuit for steering (Coulter, 1992), and constant acceleration to a position of the plan for speed.

    :param car: record of :data:`~.records.CAR`
    :param plan: float32 ``(H, 2)``, metres, ego frame; row ``h`` is the position ``(h + 1) * plan_dt`` seconds from now
    :param plan_dt: seconds between the rows
    :param vehicle: parameters of the car
    :return: steering angle [rad], left positive, and acceleration [m/s²], both unlimited
    """
    lookahead = max(MIN_LOOKAHEAD, LOOKAHEAD_TIME * car.speed)
    horizon = plan.shape[0]
    row = horizon - 1
    for h in range(horizon):
        if plan[h, 0] * plan[h, 0] + plan[h, 1] * plan[h, 1] >= lookahead * lookahead:
            row = h
            break
    distance_squared = float(plan[row, 0]) ** 2 + float(plan[row, 1]) ** 2
    # a target nearer than the lookahead (a plan that stops) must not turn into violent steering
    steer = math.atan2(2.0 * vehicle.wheelbase * plan[row, 1], max(distance_squared, MIN_LOOKAHEAD * MIN_LOOKAHEAD))

    # the first row where plan_dt is longer than the horizon
    row = max(min(horizon - 1, int(round(SPEED_HORIZON / plan_dt)) - 1), 0)
    time = (row + 1) * plan_dt
    distance = math.copysign(math.hypot(plan[row, 0], plan[row, 1]), plan[row, 0])
    return steer, 2.0 * (distance - car.speed * time) / (time * time)
