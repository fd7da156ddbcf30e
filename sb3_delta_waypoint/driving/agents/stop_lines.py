"""Stop lines on the route of a car: where they are, and whether it may drive over them."""

from typing import NamedTuple

import numpy as np

from sb3_delta_waypoint.driving.agents.vehicles import HALT_DISTANCE, HALTED_SPEED, YELLOW_BRAKING
from sb3_delta_waypoint.driving.kernels import inlined
from sb3_delta_waypoint.driving.lanes import Lanes
from sb3_delta_waypoint.driving.records import Record
from sb3_delta_waypoint.driving.signals import GREEN, RED, YELLOW, YELLOW_SECONDS, light_state, light_turn

QUEUE = 40.0
"""A queue at a light reaches so far back [m]."""
BEYOND = 1.0
"""A car whose bumper is this far beyond a line drives on [m]."""


class StopLineAhead(NamedTuple):
    """The next stop line on a route: its arc length on the route [m], ``inf`` for none, its segment, and its light or -1."""

    at: float
    segment: int
    light: int


@inlined
def next_line(lanes: Lanes, situation: Record, front: float, end: float) -> StopLineAhead:
    """
    Find the next stop line on a route.

    :param lanes: the lanes
    :param situation: record of :data:`~.records.SITUATION`
    :param front: arc length of the front bumper on the route [m]; a line less than :data:`BEYOND` behind it still counts
    :param end: lines beyond this arc length do not count [m]
    :return: the line
    """
    at, found, light = np.inf, -1, -1
    for k in range(situation.n_segments):
        segment = situation.segment[k]
        line = situation.begins[k] + lanes.stop_at[segment]
        if front - BEYOND < line < at and 0.0 < line < end:
            at, found, light = line, segment, lanes.stop_light[segment]
        if situation.begins[k] > front + 100.0:
            break
    return StopLineAhead(at, found, light)


@inlined
def may_pass(
    lanes: Lanes, situation: Record, driver: Record, line: StopLineAhead, left: float, speed: float, seconds: float
) -> bool:
    """
    Whether a car may drive over a stop line; it remembers that it has halted at a stop sign.

    :param lanes: the lanes
    :param situation: record of :data:`~.records.SITUATION`
    :param driver: record of :data:`~.records.DRIVER` of the car, written
    :param line: the line
    :param left: from the front bumper to the line [m]
    :param speed: [m/s]
    :param seconds: time since the scenario began [s]
    :return: whether it may
    """
    if line.segment < 0:
        return True
    if line.light < 0:
        if speed < HALTED_SPEED and left < HALT_DISTANCE:
            driver.halted = line.segment
        return driver.halted == line.segment
    state = light_state(situation.seed, lanes.lights[line.light], seconds)
    return state == GREEN or (state == YELLOW and speed * speed > 2.0 * YELLOW_BRAKING * max(left, 0.0))


@inlined
def is_red(lanes: Lanes, situation: Record, line: StopLineAhead, seconds: float) -> bool:
    """
    Whether the light of a line is red.

    :param lanes: the lanes
    :param situation: record of :data:`~.records.SITUATION`
    :param line: the line
    :param seconds: time since the scenario began [s]
    :return: whether it is
    """
    return line.light >= 0 and light_state(situation.seed, lanes.lights[line.light], seconds) == RED


@inlined
def red_seconds(lanes: Lanes, situation: Record, end: float) -> float:
    """
    Add up one full red phase of each light on a route, or just beyond its goal, where a queue may hold the car up.

    :param lanes: the lanes
    :param situation: record of :data:`~.records.SITUATION`
    :param end: length of the route [m]
    :return: [s]
    """
    total = 0.0
    for k in range(situation.n_segments):
        segment = situation.segment[k]
        line = situation.begins[k] + lanes.stop_at[segment]
        if lanes.stop_light[segment] >= 0 and 0.0 < line < end + QUEUE:
            light = lanes.lights[lanes.stop_light[segment]]
            turn = light_turn(situation.seed, light)
            total += light.turns * turn - (turn - YELLOW_SECONDS)
    return total
