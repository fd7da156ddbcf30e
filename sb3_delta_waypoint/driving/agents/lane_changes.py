"""Lane changes by MOBIL (Kesting, Treiber and Helbing, 2007): a driver changes where it gains, and hinders nobody much."""

import math

import numpy as np

from sb3_delta_waypoint.driving.agents.board import Board
from sb3_delta_waypoint.driving.agents.vehicles import idm
from sb3_delta_waypoint.driving.kernels import lean
from sb3_delta_waypoint.driving.lanes import Lanes

GAIN = 0.2
"""Least gain of acceleration for which a driver changes lanes [m/s²]."""
IMPOSED_BRAKING = 2.0
"""Hardest braking that it imposes on the one behind [m/s²]."""
LEAST_LEFT = 20.0
"""No lane change begins closer to the end of a segment than this [m]."""


@lean
def change_lane(lanes: Lanes, board: Board, agents: np.ndarray, drivers: np.ndarray, j: int) -> None:
    """
    Change to a lane beside if it is worth it. The politeness is 0.

    :param lanes: the lanes
    :param board: everybody on them
    :param agents: records of :data:`~..records.AGENT` ``(A,)``
    :param drivers: records of :data:`~.records.DRIVER` ``(A + 1,)``, written in row ``j``
    :param j: row of the driver
    """
    driver, agent = drivers[j], agents[j]
    segment = driver.segment
    point = lanes.network.offsets[segment] + int(driver.along / lanes.spacing[segment])
    if lanes.in_junction[point] or driver.offset != 0.0 or driver.claimed == segment:
        return
    if driver.along + LEAST_LEFT > min(lanes.length[segment], lanes.stop_at[segment]):
        return
    half, wanted = 0.5 * agent.length, driver.pace_share * lanes.pace[point]
    best, target = _acceleration(board, driver, segment, driver.along, half, agent.speed, wanted, j) + GAIN, -1
    for side in range(2):
        beside = lanes.left[point] if side == 0 else lanes.right[point]
        if beside < 0:
            continue
        other, along = lanes.segment_of[beside], lanes.along[beside]
        if along + LEAST_LEFT > lanes.length[other] or not _room(board, drivers, other, along, half, agent.speed, j):
            continue
        gained = _acceleration(board, driver, other, along, half, agent.speed, wanted, j)
        if gained > best:
            best, target = gained, beside
    if target >= 0:
        points = lanes.network.points
        dx, dy = agent.x - points[target, 0], agent.y - points[target, 1]
        driver.segment, driver.along = lanes.segment_of[target], lanes.along[target]
        driver.offset = dy * lanes.tangents[target, 0] - dx * lanes.tangents[target, 1]
        driver.along += dx * lanes.tangents[target, 0] + dy * lanes.tangents[target, 1]
        driver.along = min(max(driver.along, 0.0), lanes.length[driver.segment] - 1e-6)
        # another lane leads elsewhere
        driver.claimed = -1


@lean
def _acceleration(
    board: Board, driver: np.void, segment: int, along: float, half: float, speed: float, wanted: float, j: int
) -> float:
    gap, closing = np.inf, 0.0
    k = board.heads[segment]
    while k >= 0:
        entry = board.entries[k]
        if entry.owner != j and entry.along >= along and entry.along - entry.half - along - half < gap:
            gap, closing = entry.along - entry.half - along - half, speed - entry.speed
        k = entry.next
    return idm(driver, speed, wanted, gap, closing)


@lean
def _room(board: Board, drivers: np.ndarray, segment: int, along: float, half: float, speed: float, j: int) -> bool:
    """Whether nobody is beside, and the one behind need not brake harder than accepted."""
    k = board.heads[segment]
    while k >= 0:
        entry = board.entries[k]
        if entry.owner != j:
            if math.fabs(entry.along - along) < entry.half + half + 1.0:
                return False
            if entry.along < along:
                gap = along - half - entry.along - entry.half
                behind = drivers[entry.owner]
                if idm(behind, entry.speed, max(entry.speed, 1.0), gap, entry.speed - speed) < -IMPOSED_BRAKING:
                    return False
        k = entry.next
    return True
