"""The board: who is on which lane, so that a driver finds its leader without looking at everybody."""

from typing import NamedTuple

import numpy as np

from sb3_delta_waypoint.driving.kernels import inlined
from sb3_delta_waypoint.driving.records import Record

ENTRY = np.dtype(
    [("next", "i8"), ("segment", "i8"), ("along", "f8"), ("half", "f8"), ("speed", "f8"), ("owner", "i8")], align=True
)
"""Somebody on a lane: next entry on the segment, segment, middle along it [m], half the length [m], speed [m/s], row."""


class Board(NamedTuple):
    """
    Everybody on the lanes of one world, a linked list for each segment.

    :param heads: int32 ``(S,)``, first entry of each segment, or -1
    :param entries: records of :data:`ENTRY`
    :param found: int64 ``(8,)``, working memory for :func:`~..lanes.lanes_at`
    """

    heads: np.ndarray
    entries: np.ndarray
    found: np.ndarray

    @classmethod
    def empty(cls, n_segments: int, n_entries: int) -> "Board":
        """
        Make an empty board.

        :param n_segments: number of segments
        :param n_entries: room for so many
        :return: the board
        """
        return cls(np.full(n_segments, -1, np.int32), np.empty(n_entries, ENTRY), np.empty(8, np.int64))


@inlined
def put(board: Board, n: int, segment: int, along: float, half: float, speed: float, owner: int) -> int:
    """
    Put somebody on a segment.

    :param board: the board
    :param n: number of entries so far
    :param segment: the segment
    :param along: middle of the box, arc length from the segment's start [m]
    :param half: half the length of the box [m]
    :param speed: along the lane [m/s]
    :param owner: row of its driver
    :return: number of entries
    """
    if n < board.entries.shape[0]:
        entry = board.entries[n]
        entry.next, board.heads[segment] = board.heads[segment], n
        entry.segment, entry.along, entry.half, entry.speed, entry.owner = segment, along, half, speed, owner
        n += 1
    return n


@inlined
def clear(board: Board, n: int) -> None:
    """
    Take everybody off.

    :param board: the board
    :param n: number of entries
    """
    for k in range(n):
        board.heads[board.entries[k].segment] = -1


@inlined
def leader(board: Board, segment: int, beyond: float, owner: int) -> tuple[float, float]:
    """
    Find the first on a segment beyond a place.

    :param board: the board
    :param segment: the segment
    :param beyond: only those whose middle lies beyond this arc length count [m]
    :param owner: row that does not count
    :return: arc length of its rear end [m], ``inf`` if there is nobody, and its speed [m/s]
    """
    rear, speed, first = np.inf, 0.0, np.inf
    k = board.heads[segment]
    while k >= 0:
        entry: Record = board.entries[k]
        if entry.owner != owner and beyond < entry.along < first:
            first = entry.along
            rear, speed = entry.along - entry.half, entry.speed
        k = entry.next
    return rear, speed
