"""The history of an episode: comfort and driving direction, which look at more than one step."""

import math

import numpy as np

from sb3_delta_waypoint.driving.kernels import inlined, kernel
from sb3_delta_waypoint.driving.records import Record
from sb3_delta_waypoint.driving.savgol import savgol
from sb3_delta_waypoint.driving.standing import Standing

MOMENTS = 96
"""Number of steps that are remembered until they are looked at."""
KEPT = 22
"""Number of steps that are kept for the windows of the next ones: a jerk's, about accelerations'."""
SHORTEST = 5
"""Smallest number of steps of which derivatives are computed."""
WINDOW_ACCELERATION, WINDOW_JERK, WINDOW_YAW = 8, 15, 5
"""Windows of the derivatives, in steps."""
JERK, LONGITUDINAL_JERK = 8.37, 4.13
"""Largest comfortable jerk, and its part along the car [m/s³]."""
BRAKING, ACCELERATION, LATERAL_ACCELERATION = 4.05, 2.40, 4.89
"""Largest comfortable braking, acceleration and lateral acceleration [m/s²]."""
YAW_RATE, YAW_ACCELERATION = 0.95, 1.93
"""Largest comfortable yaw rate [rad/s] and yaw acceleration [rad/s²]."""
DIRECTION_STEPS = 10
"""Number of steps over which the distance against the lane's direction is summed up: 1 s."""


@inlined
def remember(history: np.ndarray, car: Record, totals: Record, standing: Standing, dt: float) -> None:
    """
    Write down a step.

    :param history: records of :data:`~.records.MOMENT` ``(MOMENTS,)``
    :param car: record of :data:`~.records.CAR`, after the step
    :param totals: record of :data:`~.records.TOTALS`
    :param standing: where the car stands
    :param dt: length of the step [s]
    """
    if totals.moments == history.shape[0]:
        look_back(history, totals, dt, False)
    moment = history[totals.moments]
    moment.acceleration, moment.lateral_acceleration = car.acceleration, car.speed * car.yaw_rate
    moment.yaw, moment.against = car.yaw, standing.against
    totals.moments += 1


@kernel
def look_back(history: np.ndarray, totals: Record, dt: float, last: bool) -> None:
    """
    Find out whether the steps in the history were comfortable and in the lane's direction; keep the last of them.

    :param history: records of :data:`~.records.MOMENT` ``(MOMENTS,)``
    :param totals: record of :data:`~.records.TOTALS`
    :param dt: length of a step [s]
    :param last: whether the episode has ended
    """
    n, first = totals.moments, totals.parts == 0
    if not totals.uncomfortable and n >= SHORTEST:
        totals.uncomfortable = _uncomfortable(history, n, dt, first, last)
    against = 0.0
    for t in range(n):
        against += history[t].against
        if t >= DIRECTION_STEPS:
            against -= history[t - DIRECTION_STEPS].against
        totals.against_max = max(totals.against_max, against)
    totals.parts += 1
    if not last:
        for t in range(KEPT):
            history[t] = history[n - KEPT + t]
        totals.moments = KEPT


@inlined
def _shrunk(window: int, n: int) -> int:
    """The window, or the largest odd one that fits."""
    return window if window <= n else n - 1 + n % 2


@kernel
def _uncomfortable(history: np.ndarray, n: int, dt: float, first: bool, last: bool) -> bool:
    signal, smooth = np.empty(n), np.empty((3, n))
    window = _shrunk(WINDOW_ACCELERATION, n)
    for t in range(n):
        signal[t] = history[t].acceleration
    begin, end = savgol(signal, 0, n, window, 0, dt, first, last, smooth[0])
    if _outside(smooth[0], begin, end, -BRAKING, ACCELERATION):
        return True
    for t in range(n):
        signal[t] = history[t].lateral_acceleration
    savgol(signal, 0, n, window, 0, dt, first, last, smooth[1])
    if _outside(smooth[1], begin, end, -LATERAL_ACCELERATION, LATERAL_ACCELERATION):
        return True
    # jerks are derivatives of smooth accelerations
    for t in range(n):
        signal[t] = math.hypot(history[t].acceleration, history[t].lateral_acceleration)
    savgol(signal, 0, n, window, 0, dt, first, last, smooth[2])
    window, jerk = _shrunk(WINDOW_JERK, n), signal
    low, high = savgol(smooth[0], begin, end, window, 1, dt, first, last, jerk)
    if _outside(jerk, low, high, -LONGITUDINAL_JERK, LONGITUDINAL_JERK):
        return True
    savgol(smooth[2], begin, end, window, 1, dt, first, last, jerk)
    if _outside(jerk, low, high, -JERK, JERK):
        return True
    yaw, turned = smooth[0], 0.0
    for t in range(n):
        if t > 0:
            step = history[t].yaw - history[t - 1].yaw
            turned += step - 2.0 * math.pi * round(step / (2.0 * math.pi))
        yaw[t] = turned
    low, high = savgol(yaw, 0, n, WINDOW_YAW, 1, dt, first, last, jerk)
    if _outside(jerk, low, high, -YAW_RATE, YAW_RATE):
        return True
    savgol(yaw, 0, n, WINDOW_YAW, 2, dt, first, last, jerk)
    return _outside(jerk, low, high, -YAW_ACCELERATION, YAW_ACCELERATION)


@kernel
def _outside(values: np.ndarray, begin: int, end: int, low: float, high: float) -> bool:
    found = False
    for t in range(begin, end):
        found |= not low < values[t] < high
    return found
