"""The expert: from any state, on or off the route, the plan that rejoins the route at its speed profile."""

import math
from typing import NamedTuple

import numpy as np

from sb3_delta_waypoint.driving.car import Record
from sb3_delta_waypoint.driving.kernels import inlined
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


BLOCK = 8
"""Cars that are planned for together."""


class Lead(NamedTuple):
    """
    Memory for where the expert leads up to :data:`BLOCK` cars on their routes.

    ``distance``, ``x``, ``y``, ``cos``, ``sin``: arc length [m], position [m] and unit tangent of the route there, float64
    ``(BLOCK, H + 1)``: now, and at the rows of the plan. ``speed``, ``limit``: the car's and the profile's at the row in work
    [m/s], float64 ``(BLOCK,)``.
    """

    distance: np.ndarray
    x: np.ndarray
    y: np.ndarray
    cos: np.ndarray
    sin: np.ndarray
    speed: np.ndarray
    limit: np.ndarray


@inlined
def new_lead(horizon_steps: int) -> Lead:
    """Memory for plans of ``horizon_steps`` rows."""
    shape = (BLOCK, horizon_steps + 1)
    return Lead(
        np.empty(shape), np.empty(shape), np.empty(shape), np.empty(shape), np.empty(shape), np.empty(BLOCK), np.empty(BLOCK)
    )


@inlined
def _place(lead: Lead, i: int, h: int, car: Record, route: np.ndarray, distance: float) -> None:
    """Lead car ``i`` to this arc length of its route at row ``h``."""
    j = min(max(int(distance), 0), car.n_points - 2)
    here, after = route[j], route[j + 1]
    part = distance - j
    on_route = min(part, 1.0)
    lead.distance[i, h] = distance
    # beyond the last point the plan runs straight on
    lead.x[i, h] = here.x + part * (after.x - here.x)
    lead.y[i, h] = here.y + part * (after.y - here.y)
    lead.cos[i, h] = here.cos + on_route * (after.cos - here.cos)
    lead.sin[i, h] = here.sin + on_route * (after.sin - here.sin)
    lead.limit[i] = here.speed + on_route * (after.speed - here.speed)


@inlined
def _follow_profiles(cars: np.ndarray, routes: np.ndarray, expert: ExpertParameters, plan_dt: float, lead: Lead) -> None:
    """Along each route at its speed profile, within the limits of acceleration."""
    faster, slower = expert.acceleration * plan_dt, expert.braking * plan_dt
    for i in range(cars.shape[0]):
        lead.speed[i] = cars[i].speed
        _place(lead, i, 0, cars[i], routes[i], cars[i].progress)
    # each row waits for the one before it, but no car for another: the processor works on some cars at a time
    for h in range(1, lead.distance.shape[1]):
        for i in range(cars.shape[0]):
            before = lead.speed[i]
            lead.speed[i] = clip(lead.limit[i], before - slower, before + faster)
            distance = lead.distance[i, h - 1] + 0.5 * (before + lead.speed[i]) * plan_dt
            _place(lead, i, h, cars[i], routes[i], distance)


@inlined
def _rejoin(car: Record, tangent: Record, expert: ExpertParameters, lead: Lead, i: int, plan: np.ndarray) -> None:
    """From the car to where it is led on the route, in its frame."""
    cos_yaw, sin_yaw = math.cos(car.yaw), math.sin(car.yaw)
    forward = tangent.cos * cos_yaw + tangent.sin * sin_yaw
    slope = clip((tangent.cos * sin_yaw - tangent.sin * cos_yaw) / max(forward, 0.3), -1.0, 1.0)
    per_metre = 1.0 / max(expert.rejoin_distance, expert.rejoin_time * car.speed)
    slope /= per_metre
    # values, not fields of the car: the compiler cannot know that the plan is not written over them
    x0, y0, lateral = car.x, car.y, car.lateral
    for h in range(plan.shape[0]):
        u = min((lead.distance[i, h + 1] - lead.distance[i, 0]) * per_metre, 1.0)
        offset = (1.0 - u) * (1.0 - u) * ((1.0 + 2.0 * u) * lateral + u * slope)
        x = lead.x[i, h + 1] - x0 - offset * lead.sin[i, h + 1]
        y = lead.y[i, h + 1] - y0 + offset * lead.cos[i, h + 1]
        plan[h].x = cos_yaw * x + sin_yaw * y
        plan[h].y = cos_yaw * y - sin_yaw * x


@inlined
def expert_plans(
    cars: np.ndarray, routes: np.ndarray, expert: ExpertParameters, plan_dt: float, lead: Lead, plans: np.ndarray
) -> None:
    """
    Where the expert would drive from here.

    Along the route it follows the speed profile within its acceleration limits. Across the route it blends out the present
    offset and heading error by a cubic Hermite curve over arc length (a Frenet-frame plan as in Werling et al., 2010, with
    the cubic in place of the quintic).

    :param cars: records of :data:`~.car.CAR`, at most :data:`BLOCK`, projected on their routes
    :param routes: records of :data:`~.car.ROUTE_POINT`, a row for each car
    :param expert: how it drives
    :param plan_dt: seconds between the plans' rows
    :param lead: memory to work in
    :param plans: records of :data:`~.car.WAYPOINT` ``(n, H)``, written: metres, ego frame
    """
    _follow_profiles(cars, routes, expert, plan_dt, lead)
    for i in range(cars.shape[0]):
        _rejoin(cars[i], routes[i, cars[i].index], expert, lead, i, plans[i])
