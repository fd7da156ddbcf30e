"""Pedestrians: they wait beside the road and cross it, on or off a crossing, as long as the others can still stop."""

import math

import numpy as np

from sb3_delta_waypoint.driving.agents.board import Board, put
from sb3_delta_waypoint.driving.agents.records import CAR_DRIVER, MAX_CROSSED
from sb3_delta_waypoint.driving.agents.vehicles import following
from sb3_delta_waypoint.driving.kernels import inlined, lean
from sb3_delta_waypoint.driving.lanes import Lanes, lanes_at
from sb3_delta_waypoint.driving.records import Record

RADIUS = 0.3
"""Half the side of a pedestrian's box [m]."""
REACTION, CLEARANCE = 0.5, 4.0
"""What a pedestrian leaves to others in addition to their braking distance: time to react [s] and distance [m]."""
STRIDE = 0.25
"""Spacing at which the lanes on a pedestrian's way are looked up [m]."""
BESIDE, PAVEMENT = 0.75, 2.0
"""Distance beyond the lanes' edges where pedestrians wait, and width that must be free of lanes there [m]."""
WIDEST = 25.0
"""Wider roads are not crossed [m]."""
SIGHT = 60.0
"""Vehicles farther away along their lanes do not matter to a pedestrian [m]."""
EARLY = 0.8
"""Others see a pedestrian on a lane this far before it steps on it, and after [m]."""


@lean
def lay_way(driver: Record, lanes: Lanes, found: np.ndarray, x: float, y: float, cos: float, sin: float) -> bool:
    """
    Lay a pedestrian's way straight across the road, and note the lanes that it crosses.

    :param driver: record of :data:`~.records.DRIVER`, written
    :param lanes: the lanes
    :param found: int64, working memory
    :param x: a place on the road [m], world frame
    :param y: [m]
    :param cos: unit vector of the direction of walking
    :param sin: the same
    :return: whether there is such a way
    """
    before, after = 0.0, 0.0
    for side in range(2):
        sign = 2.0 * side - 1.0
        off, way = 0.0, 0.0
        while off < PAVEMENT:
            way += STRIDE
            if way > WIDEST:
                return False
            n = lanes_at(lanes, x + sign * way * cos, y + sign * way * sin, 0.0, found)
            off = 0.0 if n > 0 else off + STRIDE
        way += BESIDE - off
        before, after = (way, after) if side == 0 else (before, way)
    driver.start_x, driver.start_y = x - before * cos, y - before * sin
    driver.way = before + after
    driver.n_crossed = 0
    for step in range(int(driver.way / STRIDE) + 1):
        walked = step * STRIDE
        n = lanes_at(lanes, driver.start_x + walked * cos, driver.start_y + walked * sin, 0.0, found)
        for k in range(n):
            segment, known = lanes.segment_of[found[k]], -1
            for c in range(driver.n_crossed):
                if driver.crossed_segment[c] == segment:
                    known = c
            if known < 0:
                if driver.n_crossed == MAX_CROSSED:
                    return False
                known = driver.n_crossed
                driver.n_crossed += 1
                driver.crossed_segment[known], driver.crossed_from[known] = segment, walked
                driver.crossed_along[known] = lanes.along[found[k]]
            driver.crossed_to[known] = walked
    return driver.n_crossed > 0


@inlined
def walk_on(agent: Record, driver: Record, dt: float) -> None:
    """
    Walk on for one step.

    :param agent: record of :data:`~..records.AGENT`, written
    :param driver: record of :data:`~.records.DRIVER`, written
    :param dt: length of the step [s]
    """
    agent.speed = driver.pace
    driver.walked += driver.pace * dt
    agent.x = driver.start_x + driver.walked * math.cos(agent.yaw)
    agent.y = driver.start_y + driver.walked * math.sin(agent.yaw)
    if driver.walked >= driver.way:
        agent.speed = 0.0


@inlined
def may_stop(left: float, speed: float, braking: float) -> bool:
    """
    Whether a vehicle can stop before a pedestrian's way.

    :param left: from its front to the way [m]
    :param speed: [m/s]
    :param braking: deceleration that the pedestrian expects of it [m/s²]
    :return: whether it can
    """
    return left > CLEARANCE + REACTION * speed + speed * speed / (2.0 * braking)


@lean
def steps_out(
    driver: Record,
    car: Record,
    front: float,
    lanes: Lanes,
    agents: np.ndarray,
    drivers: np.ndarray,
    deaf: bool,
    step: int,
) -> bool:
    """
    Whether a pedestrian who waits begins to cross now.

    :param driver: record of :data:`~.records.DRIVER`
    :param car: record of :data:`~..records.CAR`
    :param front: distance from the car's reference point to its front bumper [m]
    :param lanes: the lanes
    :param agents: records of :data:`~..records.AGENT` ``(A,)``
    :param drivers: records of :data:`~.records.DRIVER` ``(A + 1,)``
    :param deaf: whether nobody reacts to the car: then the pedestrian goes by the clock
    :param step: number of the step in the episode
    :return: whether it does
    """
    if deaf:
        if step < driver.starts:
            return False
    else:
        left = driver.crosses_at - car.progress - front
        if left > driver.steps_out or not may_stop(left, car.speed, driver.leaves_braking):
            return False
    for j in range(agents.shape[0]):
        if drivers[j].role == CAR_DRIVER and _comes_close(driver, agents[j], drivers[j], lanes):
            return False
    return True


@lean
def _comes_close(driver: Record, agent: Record, other: Record, lanes: Lanes) -> bool:
    """Whether a vehicle is on a pedestrian's way, or so close on its lanes that it cannot stop before it."""
    segment, forks, base = other.segment, other.forks, -other.along
    half = 0.5 * agent.length
    while base < SIGHT and segment >= 0:
        for c in range(driver.n_crossed):
            if segment == driver.crossed_segment[c]:
                left = base + driver.crossed_along[c] - half
                stops = left > RADIUS if agent.speed < 0.5 else may_stop(left, agent.speed, 3.0)
                if left > -agent.length - 2.0 * RADIUS and not stops:
                    return True
        split = lanes.network.successor_offsets[segment + 1] - lanes.network.successor_offsets[segment] > 1
        base += lanes.length[segment]
        segment = following(lanes, segment, other.route, forks)
        forks += split
    return False


@inlined
def put_walker(board: Board, n: int, driver: Record, owner: int) -> int:
    """
    Put a walking pedestrian on the lanes that it is on, or about to be.

    :param board: the board
    :param n: number of entries so far
    :param driver: record of :data:`~.records.DRIVER`
    :param owner: its row
    :return: number of entries
    """
    # everything between here and the other side is kept free as soon as it walks, since others need time to stop
    for c in range(driver.n_crossed):
        if driver.walked < driver.crossed_to[c] + EARLY:
            n = put(board, n, driver.crossed_segment[c], driver.crossed_along[c], RADIUS, 0.0, owner)
    return n
