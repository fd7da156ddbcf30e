"""
Vehicles that follow lanes: the intelligent driver model on the lane graph.

A driver looks along its lanes for whatever comes first: somebody ahead, a stop line, a bend, or a stretch that another lane
crosses, which it may enter only after it has taken its turn (see :mod:`~.right_of_way`).
"""

import math

import numpy as np

from sb3_delta_waypoint.driving.agents.board import Board, leader
from sb3_delta_waypoint.driving.agents.right_of_way import may_enter
from sb3_delta_waypoint.driving.kernels import inlined
from sb3_delta_waypoint.driving.lanes import BRAKING, Lanes
from sb3_delta_waypoint.driving.records import Record
from sb3_delta_waypoint.driving.scenarios import hash64
from sb3_delta_waypoint.driving.signals import GREEN, YELLOW, light_state

HARDEST_BRAKING = 6.0
"""No driver brakes harder [m/s²]."""
LINE_GAP = 1.0
"""Distance from the bumper to the stop line at which drivers stop [m]."""
CONFLICT_GAP = 1.5
"""Distance kept to a stretch that another lane crosses [m]."""
YELLOW_BRAKING = 3.0
"""Drivers who would have to brake harder than this drive on at yellow [m/s²]."""
SIGHT_TIME, LEAST_SIGHT = 3.5, 14.0
"""Drivers look ahead so many seconds of driving [s], and at least so far [m]."""
LONGEST_HALF = 5.0
"""Half the length of the longest vehicles [m]."""
ACROSS = 1.2
"""Speed across the lanes during a lane change [m/s]."""
HALTED_SPEED, HALT_DISTANCE = 0.3, 3.5
"""Below this speed [m/s] within this distance of the line [m] a driver has halted at a stop sign."""


@inlined
def following(lanes: Lanes, segment: int, route: np.uint64, forks: int) -> int:
    """
    The segment that a driver takes after another.

    :param lanes: the lanes
    :param segment: the segment that ends
    :param route: seed of the driver's choices
    :param forks: number of choices before
    :return: the segment, -1 at a dead end
    """
    first, beyond = lanes.ways[segment].first_successor, lanes.ways[segment].end_successor
    if first == beyond:
        return -1
    if beyond == first + 1:
        return lanes.network.successors[first]
    drawn = hash64(route, np.uint64(forks))
    return lanes.network.successors[first + np.int64(drawn % np.uint64(beyond - first))]


@inlined
def idm(driver: Record, speed: float, wanted: float, gap: float, closing: float) -> float:
    """
    Acceleration by the intelligent driver model (Treiber, Hennecke and Helbing, 2000), exponent 4.

    :param driver: record of :data:`~.records.DRIVER`
    :param speed: [m/s]
    :param wanted: desired speed [m/s]
    :param gap: to the leader's rear end [m], ``inf`` without one
    :param closing: speed at which the gap shrinks [m/s]
    :return: [m/s²], at least minus :data:`HARDEST_BRAKING`
    """
    share = speed / max(wanted, 0.1)
    free = 1.0 - share * share * share * share
    interaction = 0.0
    if gap < np.inf:
        brake = 2.0 * math.sqrt(driver.max_acceleration * driver.braking)
        wished = driver.gap + max(0.0, speed * (driver.headway + closing / brake))
        ratio = wished / max(gap, 0.1)
        interaction = ratio * ratio
    # a driver who is too fast slows down comfortably, as long as nobody is in the way
    pull = max(driver.max_acceleration * free, -driver.braking) - driver.max_acceleration * interaction
    return max(pull, -HARDEST_BRAKING)


@inlined
def look_ahead(
    lanes: Lanes,
    board: Board,
    agents: np.ndarray,
    drivers: np.ndarray,
    situation: Record,
    j: int,
    speed: float,
    half: float,
    seconds: float,
) -> float:
    """
    Acceleration of one driver. It may take its turn at a junction, and remembers where it has halted.

    :param lanes: the lanes
    :param board: everybody on them
    :param agents: records of :data:`~..records.AGENT` ``(A,)``
    :param drivers: records of :data:`~.records.DRIVER` ``(A + 1,)``; the last drives the car, along its route
    :param situation: record of :data:`~.records.SITUATION`
    :param j: row of the driver
    :param speed: [m/s]
    :param half: half the length of the vehicle [m]
    :param seconds: time since the scenario began [s]
    :return: [m/s²]
    """
    driver = drivers[j]
    on_route = j == agents.shape[0]
    segment, forks, number = driver.segment, driver.forks, 0
    if on_route:
        while number + 1 < situation.n_segments and situation.segment[number] != segment:
            number += 1
    base = -driver.along
    way: Record = lanes.ways[segment]
    here = way.first + min(int(driver.along / way.spacing), way.last - way.first)
    wanted = driver.pace_share * lanes.line[here].pace
    sight = LEAST_SIGHT + SIGHT_TIME * speed
    gap, closing = np.inf, 0.0
    beyond = driver.along
    claimed_here = False
    while True:
        rear, leader_speed = leader(board, segment, beyond, j)
        if base + rear - half < gap:
            gap, closing = base + rear - half, speed - leader_speed
        # the stop line
        line = base + way.stop_at - half
        if line < min(gap, sight) and line > -LINE_GAP:
            closed = False
            if way.stop_light >= 0:
                state = light_state(situation.seed, lanes.lights[way.stop_light], seconds)
                stops = state == YELLOW and speed * speed <= 2.0 * YELLOW_BRAKING * max(line, 0.0)
                closed = (state != GREEN and state != YELLOW) or stops
            elif driver.halted != segment:
                closed = True
                if speed < HALTED_SPEED and line < HALT_DISTANCE:
                    driver.halted = segment
            if closed and not driver.runs_red and line + driver.gap - LINE_GAP < gap:
                gap, closing = line + driver.gap - LINE_GAP, speed
                if driver.claimed != driver.segment:
                    # others need not wait for somebody who waits
                    driver.claimed = -1
        # stretches that other lanes cross
        if not driver.runs_red:
            for c in range(way.first_conflict, way.end_conflict):
                zone = lanes.conflicts[c]
                if base + zone.begin - half > min(gap, sight):
                    break
                if base + zone.end + half < 0.0:
                    continue
                if zone.fork:
                    rear, leader_speed = leader(board, zone.other, max(beyond, 0.0), j)
                    if rear < zone.other_end and base + rear - half < gap:
                        gap, closing = base + rear - half, speed - leader_speed
                elif driver.claimed != segment and base + zone.begin - half > -CONFLICT_GAP:
                    left = base + zone.begin - half - CONFLICT_GAP
                    # decided as late as a comfortable stop allows
                    if left < 6.0 + speed * speed / (2.0 * BRAKING):
                        if may_enter(lanes, board, agents, drivers, situation, j, segment, half):
                            driver.claimed, driver.waited = segment, 0
                            claimed_here = True
                        elif left + driver.gap < gap:
                            gap, closing = left + driver.gap, speed
                            driver.waited += 1
                    if not claimed_here:
                        break
        end = base + way.length
        # who stands behind the end may reach back to this side of it
        if end - LONGEST_HALF > min(gap, sight):
            break
        if on_route and number + 1 == situation.n_segments:
            # beyond the goal, the car may go anywhere
            for edge in range(lanes.network.successor_offsets[segment], lanes.network.successor_offsets[segment + 1]):
                rear, leader_speed = leader(board, lanes.network.successors[edge], -1.0, j)
                if end + rear - half < gap:
                    gap, closing = end + rear - half, speed - leader_speed
        if on_route:
            number += 1
            segment = situation.segment[number] if number < situation.n_segments else -1
        else:
            segment = following(lanes, segment, driver.route, forks)
            forks += way.end_successor - way.first_successor > 1
        if segment < 0:
            if not on_route and end - half < gap:
                gap, closing = end - half, speed
            break
        base, beyond, way = end, -1.0, lanes.ways[segment]
        # bends of the next segment
        ahead = driver.pace_share * way.pace
        if ahead < wanted:
            wanted = min(wanted, math.sqrt(ahead * ahead + 2.0 * BRAKING * max(end, 0.0)))
    return idm(driver, speed, wanted, gap, closing)


@inlined
def enter_next(driver: Record, lanes: Lanes) -> bool:
    """
    Take a driver beyond the end of its segment to the next one, where it no longer needs its turn.

    :param driver: record of :data:`~.records.DRIVER`, written
    :param lanes: the lanes
    :return: whether there is a next one
    """
    after = following(lanes, driver.segment, driver.route, driver.forks)
    if after >= 0:
        first, beyond = lanes.network.successor_offsets[driver.segment], lanes.network.successor_offsets[driver.segment + 1]
        driver.forks += beyond - first > 1
        if driver.claimed == driver.segment:
            driver.claimed = -1
        if driver.halted == driver.segment:
            driver.halted = -1
        driver.along -= lanes.length[driver.segment]
        driver.segment = after
    return after >= 0


@inlined
def move(agent: Record, driver: Record, lanes: Lanes, dt: float) -> None:
    """
    Move a vehicle along its lanes by one step.

    :param agent: record of :data:`~..records.AGENT`, written
    :param driver: record of :data:`~.records.DRIVER` with the acceleration set, written
    :param lanes: the lanes
    :param dt: length of the step [s]
    """
    speed = max(agent.speed + driver.acceleration * dt, 0.0)
    driver.along += 0.5 * (agent.speed + speed) * dt
    agent.speed = speed
    while driver.along >= lanes.ways[driver.segment].length:
        if not enter_next(driver, lanes):
            driver.along = lanes.ways[driver.segment].length - 1e-6
            agent.speed = 0.0
            break
    # a lane change takes as long as its width at this speed across
    step = ACROSS * dt
    driver.offset -= min(max(driver.offset, -step), step)
    place(agent, driver, lanes)


@inlined
def place(agent: Record, driver: Record, lanes: Lanes) -> None:
    """
    Write where a vehicle is.

    :param agent: record of :data:`~..records.AGENT`, written
    :param driver: record of :data:`~.records.DRIVER`
    :param lanes: the lanes
    """
    way = lanes.ways[driver.segment]
    at = driver.along / way.spacing
    k = min(int(at), way.last - way.first - 1)
    part = at - k
    here, after = lanes.line[way.first + k], lanes.line[way.first + k + 1]
    cos = here.cos + part * (after.cos - here.cos)
    sin = here.sin + part * (after.sin - here.sin)
    agent.x = here.x + part * (after.x - here.x) - driver.offset * sin
    agent.y = here.y + part * (after.y - here.y) + driver.offset * cos
    agent.yaw = math.atan2(sin, cos)
