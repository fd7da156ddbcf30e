"""
Right of way where lanes cross or merge: drivers take turns.

A driver who comes near claims its segment; it gets it if nobody is on, or has claimed, a stretch that conflicts with it, and
if there is room beyond. So those who come first go first, one at a time, and nobody waits inside. After a stop sign a driver
also waits for those who come on the other lane.
"""

import numpy as np

from sb3_delta_waypoint.driving.agents.board import Board, leader
from sb3_delta_waypoint.driving.agents.records import ABSENT, CAR_DRIVER
from sb3_delta_waypoint.driving.kernels import lean
from sb3_delta_waypoint.driving.lanes import Lanes
from sb3_delta_waypoint.driving.records import Record

ROOM = 2.0
"""Least free length beyond a conflict in addition to the vehicle's own [m]; drivers keep their gap."""
REACH_BACK = 5.0
"""Who stands on a segment reaches so far back over its start at most [m]."""
GAP_TIME = 3.5
"""After a stop sign, others who arrive within this time go first [s]."""
PATIENCE = 150
"""Steps after which a driver no longer waits for others who only approach."""
STANDING = 1.0
"""A leader slower than this does not make room in time [m/s]."""


@lean
def may_enter(
    lanes: Lanes,
    board: Board,
    agents: np.ndarray,
    drivers: np.ndarray,
    situation: Record,
    j: int,
    segment: int,
    half: float,
) -> bool:
    """
    Whether a driver may enter the conflicts of a segment.

    :param lanes: the lanes
    :param board: everybody on them
    :param agents: records of :data:`~..records.AGENT` ``(A,)``
    :param drivers: records of :data:`~.records.DRIVER` ``(A + 1,)``, the last one the car's
    :param situation: record of :data:`~.records.SITUATION`
    :param j: row of the driver
    :param segment: the segment
    :param half: half the length of its vehicle [m]
    :return: whether it may
    """
    driver = drivers[j]
    inside = driver.segment == segment
    last = 0.0
    for c in range(lanes.conflict_offsets[segment], lanes.conflict_offsets[segment + 1]):
        zone = lanes.conflicts[c]
        if zone.fork or (inside and zone.end + half < driver.along):
            continue
        last = max(last, zone.end)
        # somebody there
        k = board.heads[zone.other]
        while k >= 0:
            entry = board.entries[k]
            if entry.owner != j and entry.along + entry.half > zone.other_begin and entry.along - entry.half < zone.other_end:
                return False
            k = entry.next
        for other in range(drivers.shape[0]):
            rival = drivers[other]
            if other == j or rival.role == ABSENT or rival.role != CAR_DRIVER:
                continue
            if rival.claimed == zone.other and not (rival.segment == zone.other and rival.along > zone.other_end + 3.0):
                return False
            if driver.halted >= 0 and driver.waited < PATIENCE and other < agents.shape[0] and rival.segment == zone.other:
                left = zone.other_begin - rival.along
                if 0.0 < left < GAP_TIME * agents[other].speed and rival.halted != rival.segment:
                    return False
    # room beyond, so that nobody waits inside
    needed = last + 2.0 * half + max(driver.gap, ROOM)
    rear, speed = leader(board, segment, driver.along if inside else -1.0, j)
    if rear < needed and speed < STANDING:
        return False
    return not (
        needed + REACH_BACK > lanes.length[segment] and _full(lanes, board, segment, needed - lanes.length[segment], j)
    )


@lean
def _full(lanes: Lanes, board: Board, segment: int, needed: float, j: int) -> bool:
    """Whether somebody stands within the needed length of a segment that follows."""
    for edge in range(lanes.network.successor_offsets[segment], lanes.network.successor_offsets[segment + 1]):
        rear, speed = leader(board, lanes.network.successors[edge], -1.0, j)
        if rear < needed and speed < STANDING:
            return True
    return False
