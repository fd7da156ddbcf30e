"""The expert: from any state, on or off the route, the plan that rejoins the route at its speed profile."""

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from sb3_delta_waypoint.driving.car import Record
from sb3_delta_waypoint.driving.vehicle import clip


class ExpertParameters(NamedTuple):
    """How the expert drives."""

    cruise_speed: float = 12.0
    """Speed where nothing limits it [m/s]."""
    lateral_acceleration: float = 3.5
    """Speed in curves keeps to this [m/s²]."""
    acceleration: float = 2.0
    """[m/s²]"""
    braking: float = 3.0
    """[m/s²]"""
    rejoin_time: float = 1.5
    """A car beside the route is led back within this time at its present speed [s] …"""
    rejoin_distance: float = 8.0
    """… and not within less than this distance [m]."""


@njit(cache=True)
def expert_plan(car: Record, route: np.ndarray, expert: ExpertParameters, plan_dt: float, plan: np.ndarray) -> None:
    """
    Where the expert would drive from here.

    Along the route it follows the speed profile within its acceleration limits. Across the route it blends out the present
    offset and heading error by a cubic Hermite curve over arc length (a Frenet-frame plan as in Werling et al., 2010, with
    the cubic in place of the quintic).

    :param car: record of :data:`~.car.CAR`, projected on its route
    :param route: records of :data:`~.car.ROUTE_POINT`
    :param expert: how it drives
    :param plan_dt: seconds between the plan's rows
    :param plan: float32 ``(H, 2)``, written: metres, ego frame
    """
    cos_yaw, sin_yaw = math.cos(car.yaw), math.sin(car.yaw)
    last = car.n_points - 2
    tangent = route[car.index]
    forward = tangent.cos * cos_yaw + tangent.sin * sin_yaw
    slope = clip((tangent.cos * sin_yaw - tangent.sin * cos_yaw) / max(forward, 0.3), -1.0, 1.0)
    per_metre = 1.0 / max(expert.rejoin_distance, expert.rejoin_time * car.speed)
    slope /= per_metre
    faster, slower = expert.acceleration * plan_dt, expert.braking * plan_dt
    speed, s = car.speed, car.progress
    j = min(max(int(s), 0), last)
    here, after = route[j], route[j + 1]
    for h in range(plan.shape[0]):
        target = here.speed + min(s - j, 1.0) * (after.speed - here.speed)
        # branches, not min and max: predicted well, they take the profile out of the loop's chain of dependencies
        if target > speed + faster:
            s += (speed + 0.5 * faster) * plan_dt
            speed += faster
        elif target < speed - slower:
            s += (speed - 0.5 * slower) * plan_dt
            speed -= slower
        else:
            s += 0.5 * (speed + target) * plan_dt
            speed = target

        j = min(max(int(s), 0), last)
        here, after = route[j], route[j + 1]
        part = s - j  # beyond 1 after the last point: the plan runs straight on
        x = here.x + part * (after.x - here.x) - car.x
        y = here.y + part * (after.y - here.y) - car.y
        u = (s - car.progress) * per_metre
        if u < 1.0:
            side = min(part, 1.0)
            offset = (1.0 - u) * (1.0 - u) * ((1.0 + 2.0 * u) * car.lateral + u * slope)
            x -= offset * (here.sin + side * (after.sin - here.sin))
            y += offset * (here.cos + side * (after.cos - here.cos))
        plan[h, 0] = cos_yaw * x + sin_yaw * y
        plan[h, 1] = cos_yaw * y - sin_yaw * x
