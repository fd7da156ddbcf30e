"""The expert: plans, from any state on or off the route, that rejoin the route and follow its speed profile."""

import math
from typing import Annotated, NamedTuple

import numpy as np

from sb3_delta_waypoint.bounds import Bounds
from sb3_delta_waypoint.driving.kernels import inlined
from sb3_delta_waypoint.driving.records import Record
from sb3_delta_waypoint.driving.vehicle import clip


class ExpertParameters(NamedTuple):
    """Parameters of the expert."""

    cruise_speed: Annotated[float, Bounds(0.1, 60.0, "m/s")] = 12.0
    """Speed where no curve and no limit requires less [m/s]."""
    lateral_acceleration: Annotated[float, Bounds(0.01, 100.0, "m/s²")] = 3.5
    """Largest lateral acceleration in curves, which limits the speed there [m/s²]."""
    acceleration: Annotated[float, Bounds(0.01, 100.0, "m/s²")] = 2.0
    """Largest acceleration along the route [m/s²]."""
    braking: Annotated[float, Bounds(0.01, 100.0, "m/s²")] = 3.0
    """Largest deceleration along the route [m/s²]."""
    rejoin_time: Annotated[float, Bounds(0.0, 100.0, "s")] = 1.5
    """Time in which a car beside the route rejoins it at its current speed [s]."""
    rejoin_distance: Annotated[float, Bounds(0.1, 1000.0, "m")] = 8.0
    """Shortest distance over which a car rejoins the route [m]."""


BLOCK = 8
"""Number of cars that are planned for together."""
MIN_FORWARD, MAX_SLOPE = 0.3, 1.0
"""Limits for a car at a large angle to the route: least cosine of its heading error, steepest slope towards the route."""


LEAD = np.dtype(
    [("distance", "f8"), ("x", "f8"), ("y", "f8"), ("cos", "f8"), ("sin", "f8"), ("speed", "f8"), ("limit", "f8")], align=True
)
"""Target of a car on its route: arc length [m], position [m], unit tangent, the car's speed there and the profile's [m/s]."""


@inlined
def _place(lead: Record, car: Record, route: np.ndarray, distance: float, speed: float) -> None:
    """Write the target of a car at an arc length of its route."""
    # cut to 32 bits, the index cannot be negative, and the compiler omits Python's handling of negative indices
    j = min(max(int(distance), 0), car.n_points - 2) & 0xFFFFFFFF
    here, after = route[j], route[j + 1]
    part = distance - j
    on_route = min(part, 1.0)
    lead.distance, lead.speed = distance, speed
    # beyond the last point the plan runs straight on
    lead.x = here.x + part * (after.x - here.x)
    lead.y = here.y + part * (after.y - here.y)
    lead.cos = here.cos + on_route * (after.cos - here.cos)
    lead.sin = here.sin + on_route * (after.sin - here.sin)
    lead.limit = here.speed + on_route * (after.speed - here.speed)


@inlined
def _follow_profiles(
    cars: np.ndarray, routes: np.ndarray, expert: ExpertParameters, plan_dt: float, leads: np.ndarray
) -> None:
    """Write the targets along each route, which follow its speed profile within the limits of acceleration."""
    faster, slower = expert.acceleration * plan_dt, expert.braking * plan_dt
    for i in range(cars.shape[0]):
        _place(leads[i, 0], cars[i], routes[i], cars[i].progress, cars[i].speed)
    # each row depends on the one before it, but no car on another: the processor works on several cars at a time
    for h in range(1, leads.shape[1]):
        for i in range(cars.shape[0]):
            before = leads[i, h - 1]
            speed = clip(before.limit, before.speed - slower, before.speed + faster)
            distance = before.distance + 0.5 * (before.speed + speed) * plan_dt
            _place(leads[i, h], cars[i], routes[i], distance, speed)


@inlined
def _rejoin(car: Record, tangent: Record, expert: ExpertParameters, leads: np.ndarray, plan: np.ndarray) -> None:
    """Write the plan of one car, from its current state to its targets on the route, in its ego frame."""
    cos_yaw, sin_yaw = math.cos(car.yaw), math.sin(car.yaw)
    forward = tangent.cos * cos_yaw + tangent.sin * sin_yaw
    slope = clip((tangent.cos * sin_yaw - tangent.sin * cos_yaw) / max(forward, MIN_FORWARD), -MAX_SLOPE, MAX_SLOPE)
    per_metre = 1.0 / max(expert.rejoin_distance, expert.rejoin_time * car.speed)
    slope /= per_metre
    # local copies: the compiler cannot know that writing the plan leaves the fields of the car alone
    x0, y0, lateral, progress = car.x, car.y, car.lateral, car.progress
    for h in range(plan.shape[0]):
        lead = leads[h + 1]
        u = min((lead.distance - progress) * per_metre, 1.0)
        offset = (1.0 - u) * (1.0 - u) * ((1.0 + 2.0 * u) * lateral + u * slope)
        x = lead.x - x0 - offset * lead.sin
        y = lead.y - y0 + offset * lead.cos
        plan[h].x = cos_yaw * x + sin_yaw * y
        plan[h].y = cos_yaw * y - sin_yaw * x


@inlined
def expert_plans(
    cars: np.ndarray, routes: np.ndarray, expert: ExpertParameters, plan_dt: float, leads: np.ndarray, plans: np.ndarray
) -> None:
    """
    Write the expert's plan for each of some cars.

    Along the route a plan follows the speed profile within the expert's acceleration limits. Across the route it blends out
    the current offset and heading error by a cubic Hermite curve over arc length (a Frenet-frame plan as in Werling et al.,
    2010, with the cubic in place of the quintic).

    :param cars: records of :data:`~.records.CAR`, at most :data:`BLOCK`, projected on their routes
    :param routes: records of :data:`~.records.ROUTE_POINT` ``(n, P)``, one row for each car
    :param expert: parameters of the expert
    :param plan_dt: seconds between the plans' rows
    :param leads: records of :data:`LEAD` ``(BLOCK, H + 1)``, working memory
    :param plans: records of :data:`~.records.WAYPOINT` ``(n, H)``, written: metres, ego frame
    """
    _follow_profiles(cars, routes, expert, plan_dt, leads)
    for i in range(cars.shape[0]):
        _rejoin(cars[i], routes[i, cars[i].index], expert, leads[i], plans[i])


@inlined
def braking_plan(
    car: Record,
    route: np.ndarray,
    expert: ExpertParameters,
    plan_dt: float,
    acceleration: float,
    leads: np.ndarray,
    plan: np.ndarray,
) -> None:
    """
    Write the expert's plan for one car that accelerates no more, or brakes as hard, as somebody ahead demands.

    :param car: record of :data:`~.records.CAR`, projected on its route
    :param route: records of :data:`~.records.ROUTE_POINT`
    :param expert: parameters of the expert
    :param plan_dt: seconds between the plan's rows
    :param acceleration: largest acceleration [m/s²], negative to brake
    :param leads: records of :data:`LEAD` ``(H + 1,)``, working memory
    :param plan: records of :data:`~.records.WAYPOINT` ``(H,)``, written: metres, ego frame
    """
    faster, slower = expert.acceleration * plan_dt, expert.braking * plan_dt
    _place(leads[0], car, route, car.progress, car.speed)
    for h in range(1, leads.shape[0]):
        before = leads[h - 1]
        speed = clip(before.limit, before.speed - slower, before.speed + faster)
        speed = max(min(speed, before.speed + acceleration * plan_dt), 0.0)
        _place(leads[h], car, route, before.distance + 0.5 * (before.speed + speed) * plan_dt, speed)
    _rejoin(car, route[car.index], expert, leads, plan)
