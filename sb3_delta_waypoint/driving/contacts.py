"""Contacts between the car and others: of which kind they are, and whose fault."""

import math
from typing import NamedTuple

import numpy as np

from sb3_delta_waypoint.driving.footprint import Box, agent_box, car_box, gap, overlap
from sb3_delta_waypoint.driving.kernels import inlined, kernel, lean
from sb3_delta_waypoint.driving.records import CYCLIST, OBJECT, PEDESTRIAN, Record
from sb3_delta_waypoint.driving.standing import Standing
from sb3_delta_waypoint.driving.time_to_collision import (
    STANDING_SPEED,
    STEP,
    STEPS,
    is_ahead,
    is_behind,
    time_to_collision,
)
from sb3_delta_waypoint.driving.vehicle import VehicleParameters

STOPPED_CAR, STOPPED_OTHER, REAR, FRONT, LATERAL = 0, 1, 2, 3, 4
"""Kinds of contacts, in the order in which they are tried."""
STOPPED_SPEED = 0.05
"""Highest speed of somebody who counts as stopped in a contact [m/s]."""
BUMPER = 1e-6
"""Half the thickness of the front bumper [m]."""
APPROACH, APPROACH_STEP = 0.5, 0.02
"""Time for which states before a contact are extrapolated until the boxes touch, and the time between two looks [s]."""


class Meeting(NamedTuple):
    """What a step brought among others."""

    at_fault: bool
    """Whether the car has touched somebody by its own fault."""
    time_to_collision: float
    """Shortest time to collision [s], 0 at a contact by its own fault, ``inf`` where none is in sight."""


@inlined
def contact_kind(box: Box, car: Record, agent: Record, other: Box) -> int:
    """
    The kind of a contact, by nuPlan's definitions.

    :param box: box of the car
    :param car: record of :data:`~.records.CAR`
    :param agent: record of :data:`~.records.AGENT`
    :param other: its box
    :return: one of the kinds above
    """
    if car.speed <= STOPPED_SPEED:
        return STOPPED_CAR
    if agent.speed <= STOPPED_SPEED:
        return STOPPED_OTHER
    dx, dy = agent.x - car.x, agent.y - car.y
    if is_behind(dx * box.cos + dy * box.sin, dx * dx + dy * dy):
        return REAR
    front_x, front_y = box.x + box.half_length * box.cos, box.y + box.half_length * box.sin
    if overlap(Box(front_x, front_y, box.cos, box.sin, BUMPER, box.half_width), other):
        return FRONT
    return LATERAL


@inlined
def at_fault(kind: int, standing: Standing) -> bool:
    """
    Whether a contact is the fault of the car.

    :param kind: kind of the contact
    :param standing: where the car stands
    :return: whether it is: at the front, with somebody stopped, or at the side of a car that is not in one lane
    """
    return kind in (FRONT, STOPPED_OTHER) or (kind == LATERAL and not standing.in_lane)


@lean
def _touch(box: Box, car: Record, agent: Record, other: Box, standing: Standing, totals: Record) -> bool:
    """Count a contact; return whether it is the car's fault."""
    agent.collided = True
    fault = at_fault(contact_kind(box, car, agent, other), standing)
    if agent.kind == CYCLIST or agent.kind == PEDESTRIAN:
        totals.hit_vulnerable += 1
        totals.fault_vulnerable += fault
        totals.hit_pedestrian += agent.kind == PEDESTRIAN
    elif agent.kind == OBJECT:
        totals.hit_object += 1
        totals.fault_object += fault
    else:
        totals.hit_vehicle += 1
        totals.fault_vehicle += fault
    totals.gap_min = 0.0
    return fault


@inlined
def collide(agents: np.ndarray, car: Record, vehicle: VehicleParameters, standing: Standing, totals: Record) -> Meeting:
    """
    Find whom the car touches, and when it would touch somebody next.

    Each other counts at the first contact only, and is left out from then on.

    :param agents: records of :data:`~.records.AGENT`; ``collided`` is written
    :param car: record of :data:`~.records.CAR`, after the step
    :param vehicle: parameters of the car
    :param standing: where the car stands
    :param totals: record of :data:`~.records.TOTALS`; contacts and the smallest gap are written
    :return: whether it is at fault, and the time to collision
    """
    if agents.shape[0] == 0:
        return Meeting(False, np.inf)
    return _collide(agents, car, vehicle, standing, totals)


@inlined
def _collide(agents: np.ndarray, car: Record, vehicle: VehicleParameters, standing: Standing, totals: Record) -> Meeting:
    box = car_box(car, vehicle)
    half, moves = box.half_length + box.half_width, car.speed > STANDING_SPEED
    # anybody to the side may count, too, for a car that has left its lane
    everybody = not standing.in_lane or not standing.on_area or standing.in_junction
    fault, soonest, met = False, np.inf, False
    for k in range(agents.shape[0]):
        agent = agents[k]
        if not agent.present or agent.collided:
            continue
        met = True
        dx, dy = agent.x - box.x, agent.y - box.y
        squared, reach = dx * dx + dy * dy, half + 0.5 * (agent.length + agent.width)
        if squared < (reach + totals.gap_min) ** 2:
            other = agent_box(agent)
            if squared <= reach * reach and overlap(box, other):
                fault = _touch(box, car, agent, other, standing, totals) or fault
                continue
            totals.gap_min = min(totals.gap_min, gap(box, other))
        if moves and squared < (reach + STEP * STEPS * (car.speed + abs(agent.speed))) ** 2:
            dx, dy = agent.x - car.x, agent.y - car.y
            ahead, squared = dx * box.cos + dy * box.sin, dx * dx + dy * dy
            if is_ahead(ahead, squared) or (everybody and not is_behind(ahead, squared)):
                soonest = min(soonest, time_to_collision(box, car.speed, agent))
    totals.steps_met += met
    return Meeting(fault, 0.0 if fault else soonest)


@kernel
def touch_reported(
    agents: np.ndarray,
    before: np.ndarray,
    reported: np.ndarray,
    cars: np.ndarray,
    cars_before: np.ndarray,
    vehicle: VehicleParameters,
    standing: Standing,
    totals: Record,
) -> int:
    """
    Count the contacts of a step that a simulator reports, and those that are seen.

    A simulator stops or pushes away those who touch. So whose fault it is follows from the states before the step, which are
    moved on at constant velocity until the boxes touch.

    :param agents: records of :data:`~.records.AGENT` ``(A,)``; ``collided`` is written
    :param before: the same before the step
    :param reported: bool ``(A,)``, who has touched the car in this step
    :param cars: records of :data:`~.records.CAR` ``(1,)``
    :param cars_before: the same before the step
    :param vehicle: parameters of the car
    :param standing: where the car stands
    :param totals: record of :data:`~.records.TOTALS`, contacts are written
    :return: number of new contacts
    """
    found = 0
    box = car_box(cars[0], vehicle)
    for k in range(agents.shape[0]):
        agent = agents[k]
        if not agent.present or agent.collided or not (reported[k] or overlap(box, agent_box(agent))):
            continue
        car, other = cars_before[0:1].copy(), before[k : k + 1].copy()
        for _ in range(int(APPROACH / APPROACH_STEP)):
            if overlap(car_box(car[0], vehicle), agent_box(other[0])):
                break
            car[0].x += car[0].speed * APPROACH_STEP * math.cos(car[0].yaw)
            car[0].y += car[0].speed * APPROACH_STEP * math.sin(car[0].yaw)
            other[0].x += other[0].speed * APPROACH_STEP * math.cos(other[0].yaw)
            other[0].y += other[0].speed * APPROACH_STEP * math.sin(other[0].yaw)
        agent.collided = True
        fault = _touch(car_box(car[0], vehicle), car[0], other[0], agent_box(other[0]), standing, totals)
        if fault:
            totals.time_to_collision_min = 0.0
        found += 1
    return found
