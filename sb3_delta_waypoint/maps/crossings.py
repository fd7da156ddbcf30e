"""Pedestrian crossings: the middle line across a road, from pavement to pavement, and stop lines before it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sb3_delta_waypoint.driving.lanes import Lanes, StopLine

Crossing = tuple[float, float, float, float]
"""Where a crossing begins and ends: x, y, x, y [m]."""
PAVEMENT = 1.5
"""A crossing begins this far beside the outermost lane [m]."""
MEDIAN = 3.0
"""Widest strip between lanes of one road [m]."""
STOP_GAP = 2.5
"""Distance from a stop line to the middle of the crossing behind it [m]."""
SHARED = 8.0
"""A crossing at most this far before a stop line belongs to it: cars stop before both [m]."""


def crossing_over(lanes: Lanes, point: int) -> Crossing:
    """
    Make a crossing straight over the whole road, outside of junctions.

    :param lanes: the lanes of the road
    :param point: point of one of its lanes
    :return: the crossing, from the right-hand side of that lane to the left
    """
    here, (cos, sin) = lanes.network.points[point], lanes.tangents[point]
    away = lanes.network.points - here
    ahead, across = away @ (cos, sin), away @ (-sin, cos)
    along_road = np.abs(lanes.tangents @ (cos, sin)) > 0.9
    beside = (np.abs(ahead) <= 0.6) & along_road & ~lanes.in_junction & (np.abs(across) < 25.0)
    low = high = 0.0
    order = np.flatnonzero(beside)[np.argsort(np.abs(across[beside]), kind="stable")]
    for p in order:
        half = 0.5 * lanes.width[p]
        if low - MEDIAN <= across[p] + half and across[p] - half <= high + MEDIAN:
            low, high = min(low, across[p] - half), max(high, across[p] + half)
    begin, end = here + (low - PAVEMENT) * np.array([-sin, cos]), here + (high + PAVEMENT) * np.array([-sin, cos])
    return float(begin[0]), float(begin[1]), float(end[0]), float(end[1])


def middle_line(lanes: Lanes, outline: NDArray[np.float64]) -> Crossing | None:
    """
    Find the middle line of a crossing, across the road.

    :param lanes: the lanes
    :param outline: float64 ``(N, 2)``, corners of the crossing [m]
    :return: the crossing, or None if it crosses none of the lanes
    """
    middle = outline.mean(axis=0)
    distance = np.hypot(*(lanes.network.points - middle).T)
    nearest = int(distance.argmin())
    cos, sin = lanes.tangents[nearest]
    across = (outline - middle) @ (-sin, cos)
    if distance[nearest] > 0.5 * lanes.width[nearest] + max(across.max(), -across.min()):
        return None
    begin, end = middle + across.min() * np.array([-sin, cos]), middle + across.max() * np.array([-sin, cos])
    return float(begin[0]), float(begin[1]), float(end[0]), float(end[1])


def before_crossings(lanes: Lanes, lines: Sequence[StopLine], crossings: Sequence[Crossing]) -> list[StopLine]:
    """
    Move stop lines back before the crossings that lie just before them, where cars would wait on the crossing.

    :param lanes: the lanes
    :param lines: the stop lines
    :param crossings: the crossings
    :return: the stop lines
    """
    moved = []
    for line in lines:
        first, end = lanes.network.offsets[line.segment], lanes.network.offsets[line.segment + 1]
        along = line.along
        for x, y, to_x, to_y in crossings:
            over = np.array([to_x - x, to_y - y])
            away = lanes.network.points[first:end] - (x, y)
            part = np.clip(away @ over / (over @ over), 0.0, 1.0)
            distance = np.hypot(*(away - part[:, None] * over).T)
            crossed = lanes.along[first + int(distance.argmin())]
            if distance.min() < 1.0 and line.along - SHARED <= crossed <= line.along + 1.0:
                along = min(along, max(crossed - STOP_GAP, 0.0))
        moved.append(line._replace(along=float(along)))
    return moved
