"""The tracker: turns a plan into steering and acceleration commands."""

import math

import numpy as np

from sb3_delta_waypoint.driving.kernels import inlined
from sb3_delta_waypoint.driving.records import Record
from sb3_delta_waypoint.driving.vehicle import VehicleParameters

LOOKAHEAD_TIME = 0.6
"""The car steers for the plan's first waypoint at least this many seconds of driving away."""
MIN_LOOKAHEAD = 3.0
"""… and at least this many metres."""
SPEED_HORIZON = 0.5
"""The car accelerates so as to be where the plan is at this time [s]."""


@inlined
def track(car: Record, plan: np.ndarray, plan_dt: float, vehicle: VehicleParameters) -> tuple[float, float]:
    """
    Follow a plan: pure pursuit for steering (Coulter, 1992), constant acceleration to the plan's position for speed.

    :param car: record of :data:`~.records.CAR`
    :param plan: float32 ``(H, 2)``, metres, ego frame; row ``h`` is the place ``(h + 1) * plan_dt`` seconds from now
    :param plan_dt: seconds between the rows
    :param vehicle: what the car can do
    :return: steering angle [rad] and acceleration [m/s²], neither limited
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

    # rows that are farther apart: the first
    row = max(min(horizon - 1, int(round(SPEED_HORIZON / plan_dt)) - 1), 0)
    time = (row + 1) * plan_dt
    distance = math.copysign(math.hypot(plan[row, 0], plan[row, 1]), plan[row, 0])
    return steer, 2.0 * (distance - car.speed * time) / (time * time)
