"""
Lanes: a road network with what others on the road and the rules of driving need to know about it.

Everything is an array, so that kernels read it. :func:`make_lanes` computes what follows from the centre lines and widths.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sb3_delta_waypoint.driving.kernels import kernel, lean
from sb3_delta_waypoint.driving.network import POINT_SPACING, RoadNetwork, segment_lengths

LIGHT = np.dtype([("junction", "i8"), ("turn", "i8"), ("turns", "i8"), ("held", "i8")], align=True)
"""
A traffic light: its junction, its turn in the junction's cycle, how many lights take turns there, and the state in which
somebody holds it, -1 for a light that takes turns.
"""

WAY = np.dtype(
    [
        ("first", "i4"),
        ("last", "i4"),
        ("first_successor", "i4"),
        ("end_successor", "i4"),
        ("first_conflict", "i4"),
        ("end_conflict", "i4"),
        ("stop_light", "i4"),
        ("length", "f8"),
        ("spacing", "f8"),
        ("stop_at", "f8"),
        ("pace", "f8"),
    ],
    align=True,
)
"""What others look up of a segment, in one cache line: its points, and what :class:`Lanes` says; the pace is at its start."""

LINE_POINT = np.dtype([("x", "f8"), ("y", "f8"), ("cos", "f8"), ("sin", "f8"), ("pace", "f8")], align=True)
"""What others look up of a point of a lane: position [m], unit tangent, pace [m/s]."""

CROSSING = np.dtype([("x", "f8"), ("y", "f8"), ("to_x", "f8"), ("to_y", "f8")], align=True)
"""A pedestrian crossing: where it begins and ends, on the pavements [m]."""

CONFLICT = np.dtype(
    [("other", "i8"), ("begin", "f8"), ("end", "f8"), ("other_begin", "f8"), ("other_end", "f8"), ("fork", "?")], align=True
)
"""
A stretch of a segment that another segment crosses, merges into or forks from: the other segment, and where the stretch begins
and ends on either, as arc length from the segment's start [m]. Two cars do not fit there side by side.
"""

CONFLICT_DISTANCE = 2.5
"""Lanes that come closer to each other than this conflict: two vehicles cannot pass there [m]."""
SAME_PLACE = 0.5
"""Largest distance between ends of lanes that meet [m]."""
DEFAULT_LIMIT = 50.0 / 3.6
"""Speed limit where the map has none [m/s]."""
LATERAL_ACCELERATION, BRAKING = 2.0, 2.0
"""What others on the road accept in bends and when they slow down for them [m/s²]."""
CELL = 4.0
"""Side of the cells of the spatial index [m]."""
END_SLACK = 0.3
"""On the outside of bends a place is farther along its lane from the nearest point than half their distance, by this [m]."""
AREA_MARGIN = 0.3
"""A place this far beside a lane is indexed with it, so that the drivable area's tolerance can be decided [m]."""


class Grid(NamedTuple):
    """
    Spatial index of points of lanes in square cells.

    :param x: left edge [m]
    :param y: lower edge [m]
    :param n_x: number of cells along x
    :param n_y: number of cells along y
    :param offsets: int64 ``(n_x * n_y + 1,)``; cell ``column + n_x * row`` holds ``points[offsets[cell]:offsets[cell + 1]]``
    :param points: int64, the points whose lane reaches into the cell
    """

    x: float
    y: float
    n_x: int
    n_y: int
    offsets: NDArray[np.int64]
    points: NDArray[np.int64]


class Lanes(NamedTuple):
    """
    The lanes of a road network; ``P`` points and ``S`` segments as in :class:`~.network.RoadNetwork`.

    :param network: centre lines in driving direction, speed limits and successors
    :param segment_of: int64 ``(P,)``, the segment of each point
    :param along: float64 ``(P,)``, arc length from the start of the segment [m]
    :param length: float64 ``(S,)``, length of each segment [m]
    :param spacing: float64 ``(S,)``, distance between the points of a segment [m]: point ``k`` is ``k * spacing`` along it
    :param tangents: float64 ``(P, 2)``, unit vectors in driving direction
    :param width: float64 ``(P,)``, of the lane [m]
    :param pace: float64 ``(P,)``, speed at which others drive there: the limit, less in bends and before them [m/s];
        at the end of a segment the braking is for the fastest successor, since the slower ones may not be taken
    :param left: int64 ``(P,)``, nearest point of the lane on the left that runs the same way, -1 where there is none
    :param right: int64 ``(P,)``, the same on the right
    :param in_junction: bool ``(P,)``, whether the point lies in a junction
    :param stop_at: float64 ``(S,)``, arc length of the segment's stop line [m], ``inf`` where there is none
    :param stop_light: int64 ``(S,)``, the light that governs this stop line, -1 for none
    :param stop_sign: bool ``(S,)``, whether a stop sign does
    :param lights: records of :data:`LIGHT`
    :param crossings: records of :data:`CROSSING`
    :param conflict_offsets: int64 ``(S + 1,)``; segment ``s`` has ``conflicts[conflict_offsets[s]:conflict_offsets[s + 1]]``
    :param conflicts: records of :data:`CONFLICT`, by segment and then by where they begin
    :param grid: spatial index of the points
    :param ways: records of :data:`WAY` ``(S,)``, the same numbers side by side
    :param line: records of :data:`LINE_POINT` ``(P,)``, the same numbers side by side
    """

    network: RoadNetwork
    segment_of: NDArray[np.int64]
    along: NDArray[np.float64]
    length: NDArray[np.float64]
    spacing: NDArray[np.float64]
    tangents: NDArray[np.float64]
    width: NDArray[np.float64]
    pace: NDArray[np.float64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    in_junction: NDArray[np.bool_]
    stop_at: NDArray[np.float64]
    stop_light: NDArray[np.int64]
    stop_sign: NDArray[np.bool_]
    lights: np.ndarray
    crossings: np.ndarray
    conflict_offsets: NDArray[np.int64]
    conflicts: np.ndarray
    grid: Grid
    ways: np.ndarray
    line: np.ndarray


class StopLine(NamedTuple):
    """A stop line: its segment, the arc length [m] at which it lies, and its light, or -1 for a stop sign."""

    segment: int
    along: float
    light: int


def make_lanes(
    network: RoadNetwork,
    width: ArrayLike,
    left: ArrayLike = -1,
    right: ArrayLike = -1,
    in_junction: ArrayLike = False,
    stop_lines: Sequence[StopLine] = (),
    lights: Sequence[tuple[int, int, int]] = (),
    crossings: Sequence[tuple[float, float, float, float]] = (),
) -> Lanes:
    """
    Make lanes from their centre lines.

    :param network: centre lines, in driving direction
    :param width: ``(P,)`` or one number, width of the lane at each point [m]
    :param left: ``(P,)``, nearest point of the lane on the left that runs the same way, -1 where there is none
    :param right: ``(P,)``, the same on the right
    :param in_junction: ``(P,)``, whether a point lies in a junction
    :param stop_lines: the stop lines, at most one on a segment (the first counts)
    :param lights: junction, turn and number of turns of the traffic lights, as in :data:`LIGHT`
    :param crossings: the pedestrian crossings, as :data:`CROSSING`
    :return: the lanes
    :raises ValueError: if a width is not positive and finite, or an array has another length
    """
    n_points, n_segments = len(network.points), network.n_segments
    widths = _by_point("width", width, n_points, np.float64)
    if not (np.isfinite(widths) & (widths > 0.0)).all():
        raise ValueError(f"width: {widths[~(np.isfinite(widths) & (widths > 0.0))][0]} m is no width of a lane")
    segment_of = np.repeat(np.arange(n_segments), np.diff(network.offsets))
    length = segment_lengths(network)
    spacing = length / (np.diff(network.offsets) - 1)
    along = (np.arange(n_points) - network.offsets[segment_of]) * spacing[segment_of]
    tangents = _tangents(network)
    stop_at, stop_light = np.full(n_segments, np.inf), np.full(n_segments, -1)
    stop_sign = np.zeros(n_segments, np.bool_)
    for line in stop_lines:
        if stop_at[line.segment] == np.inf:
            stop_at[line.segment], stop_light[line.segment] = line.along, line.light
            stop_sign[line.segment] = line.light < 0
    conflict_offsets, conflicts = _conflicts(network, along, length)
    return indexed(
        network,
        segment_of=segment_of,
        along=along,
        length=length,
        spacing=spacing,
        tangents=tangents,
        width=widths,
        pace=_pace(network, tangents, spacing),
        left=_by_point("left", left, n_points, np.int64),
        right=_by_point("right", right, n_points, np.int64),
        in_junction=_by_point("in_junction", in_junction, n_points, np.bool_),
        stop_at=stop_at,
        stop_light=stop_light,
        stop_sign=stop_sign,
        lights=np.array([(*light, -1) for light in lights], LIGHT),
        crossings=np.array([tuple(crossing) for crossing in crossings], CROSSING),
        conflict_offsets=conflict_offsets,
        conflicts=conflicts,
    )


DERIVED = ("grid", "ways", "line")
"""Fields of :class:`Lanes` that follow from the others."""


def indexed(network: RoadNetwork, **arrays: np.ndarray) -> Lanes:
    """
    Make lanes of their arrays, with the tables that follow from them.

    :param network: the network
    :param arrays: all other fields of :class:`Lanes` by name, but for :data:`DERIVED`
    :return: the lanes
    """
    ways, line = np.zeros(network.n_segments, WAY), np.zeros(len(network.points), LINE_POINT)
    ways["first"], ways["last"] = network.offsets[:-1], network.offsets[1:] - 1
    ways["first_successor"], ways["end_successor"] = network.successor_offsets[:-1], network.successor_offsets[1:]
    ways["first_conflict"], ways["end_conflict"] = arrays["conflict_offsets"][:-1], arrays["conflict_offsets"][1:]
    for name in ("stop_light", "length", "spacing", "stop_at"):
        ways[name] = arrays[name]
    ways["pace"], line["pace"] = arrays["pace"][network.offsets[:-1]], arrays["pace"]
    line["x"], line["y"] = network.points.T
    line["cos"], line["sin"] = arrays["tangents"].T
    return Lanes(network=network, grid=index_points(network.points, arrays["width"]), ways=ways, line=line, **arrays)


def _by_point(name: str, values: ArrayLike, n_points: int, kind: type) -> np.ndarray:
    array: np.ndarray = np.asarray(values, kind)
    if array.shape not in ((), (n_points,)):
        raise ValueError(f"{name} has the shape {array.shape}; expected one value, or one for each of {n_points} points")
    # a copy, since kernels are compiled anew for arrays that are read only
    return np.array(np.broadcast_to(array, n_points))


def _tangents(network: RoadNetwork) -> NDArray[np.float64]:
    """Unit tangents at the points, by differences of second order within each segment."""
    tangents = np.empty_like(network.points)
    for first, end in zip(network.offsets[:-1], network.offsets[1:], strict=True):
        steps = np.gradient(network.points[first:end], axis=0, edge_order=2 if end - first > 2 else 1)
        tangents[first:end] = steps / np.maximum(np.linalg.norm(steps, axis=1, keepdims=True), 1e-9)
    return tangents


def _pace(network: RoadNetwork, tangents: NDArray[np.float64], spacing: NDArray[np.float64]) -> NDArray[np.float64]:
    pace = np.empty(len(network.points))
    for segment, (first, end) in enumerate(zip(network.offsets[:-1], network.offsets[1:], strict=True)):
        cos, sin = tangents[first:end].T
        turn = np.abs(np.gradient(np.unwrap(np.arctan2(sin, cos)))) / spacing[segment]
        limit = network.speeds[first:end]
        bend = np.sqrt(LATERAL_ACCELERATION / (turn + 1e-9))
        pace[first:end] = np.minimum(np.where(np.isfinite(limit), limit, DEFAULT_LIMIT), bend)
    _brake(pace, network.offsets, spacing, network.successor_offsets, network.successors)
    return pace


@kernel
def _brake(
    pace: np.ndarray, offsets: np.ndarray, spacing: np.ndarray, successor_offsets: np.ndarray, successors: np.ndarray
) -> None:
    """Lower the pace so that braking reaches what comes after, also beyond a segment's end: there, the fastest successor."""
    changed = True
    while changed:
        changed = False
        for segment in range(len(spacing)):
            after = 0.0
            for edge in range(successor_offsets[segment], successor_offsets[segment + 1]):
                after = max(after, pace[offsets[successors[edge]]])
            if successor_offsets[segment] == successor_offsets[segment + 1]:
                after = np.inf
            for point in range(offsets[segment + 1] - 1, offsets[segment] - 1, -1):
                if after < pace[point]:
                    pace[point] = after
                    changed = True
                after = math.sqrt(pace[point] * pace[point] + 2.0 * BRAKING * spacing[segment])


def _conflicts(
    network: RoadNetwork, along: NDArray[np.float64], length: NDArray[np.float64]
) -> tuple[NDArray[np.int64], np.ndarray]:
    follows = np.zeros((network.n_segments, network.n_segments), np.bool_)
    sources = np.repeat(np.arange(network.n_segments), np.diff(network.successor_offsets))
    follows[sources, network.successors] = True
    low = np.minimum.reduceat(network.points, network.offsets[:-1]) - CONFLICT_DISTANCE
    high = np.maximum.reduceat(network.points, network.offsets[:-1])
    room = np.zeros(64 * network.n_segments + 64, CONFLICT)
    while True:
        counts = np.zeros(network.n_segments, np.int64)
        found = _find_conflicts(network.points, network.offsets, along, low, high, follows, room, counts)
        if found <= len(room):
            return np.append(0, np.cumsum(counts)), room[:found].copy()
        room = np.zeros(found, CONFLICT)


@kernel
def _find_conflicts(
    points: np.ndarray,
    offsets: np.ndarray,
    along: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    follows: np.ndarray,
    room: np.ndarray,
    counts: np.ndarray,
) -> int:
    """Write the conflicts of all segments, as far as there is room; return their number."""
    found = 0
    for a in range(len(low)):
        first_of_segment = found
        for b in range(len(low)):
            if a == b or follows[a, b] or follows[b, a] or (low[a] > high[b]).any() or (low[b] > high[a]).any():
                continue
            begin, end, other_begin, other_end = -1, -1, 0, 0
            for p in range(offsets[a], offsets[a + 1]):
                near = False
                for q in range(offsets[b], offsets[b + 1]):
                    dx, dy = points[p, 0] - points[q, 0], points[p, 1] - points[q, 1]
                    if dx * dx + dy * dy < CONFLICT_DISTANCE * CONFLICT_DISTANCE:
                        if begin < 0:
                            begin, other_begin, other_end = p, q, q
                        near = True
                        other_begin, other_end = min(other_begin, q), max(other_end, q)
                if near:
                    end = p
                if begin >= 0 and (not near or p == offsets[a + 1] - 1):
                    if found < len(room):
                        zone = room[found]
                        zone.other = b
                        zone.begin, zone.end = along[begin], along[end]
                        zone.other_begin, zone.other_end = along[other_begin], along[other_end]
                        dx, dy = points[offsets[a], 0] - points[offsets[b], 0], points[offsets[a], 1] - points[offsets[b], 1]
                        zone.fork = begin == offsets[a] and dx * dx + dy * dy < SAME_PLACE * SAME_PLACE
                    found += 1
                    begin = -1
        # a segment has few conflicts: sort them by insertion
        for k in range(first_of_segment + 1, min(found, len(room))):
            m = k
            while m > first_of_segment and room[m].begin < room[m - 1].begin:
                held = room[m - 1 : m].copy()
                room[m - 1] = room[m]
                room[m] = held[0]
                m -= 1
        counts[a] = found - first_of_segment
    return found


def index_points(points: NDArray[np.float64], width: NDArray[np.float64]) -> Grid:
    """
    Make the spatial index of points of lanes.

    :param points: float64 ``(P, 2)`` [m]
    :param width: float64 ``(P,)``, width of the lane at each point [m]
    :return: the index
    """
    # a lane's point stands for the stretch of half a metre before and behind it
    reach = float(np.hypot(0.5 * width.max() + AREA_MARGIN, 0.5 * POINT_SPACING + END_SLACK)) + 0.01
    x, y = points.min(axis=0) - reach
    n_x, n_y = (np.ceil((points.max(axis=0) + reach - (x, y)) / CELL).astype(int)).tolist()
    n = int(math.ceil(reach / CELL))
    columns, rows = np.floor((points - (x, y)) / CELL).astype(np.int64).T
    cells, members = [], []
    for across in range(-n, n + 1):
        for up in range(-n, n + 1):
            column, row = columns + across, rows + up
            # distance from the point to the cell
            dx = np.maximum(np.maximum(x + column * CELL - points[:, 0], points[:, 0] - x - (column + 1) * CELL), 0.0)
            dy = np.maximum(np.maximum(y + row * CELL - points[:, 1], points[:, 1] - y - (row + 1) * CELL), 0.0)
            inside = (column >= 0) & (column < n_x) & (row >= 0) & (row < n_y) & (np.hypot(dx, dy) <= reach)
            cells.append((column + n_x * row)[inside])
            members.append(np.flatnonzero(inside))
    cell, member = np.concatenate(cells), np.concatenate(members)
    order = np.lexsort((member, cell))
    offsets = np.append(0, np.cumsum(np.bincount(cell, minlength=n_x * n_y)))
    return Grid(float(x), float(y), n_x, n_y, offsets.astype(np.int64), member[order])


@lean
def lanes_at(lanes: Lanes, x: float, y: float, margin: float, found: np.ndarray) -> int:
    """
    Find the lanes on which a place lies.

    :param lanes: the lanes
    :param x: [m], world frame
    :param y: [m]
    :param margin: places this far beside a lane count as on it [m], at most :data:`AREA_MARGIN`
    :param found: int64, written: the nearest point of each segment on whose lane the place lies
    :return: number of points written, at most ``len(found)``
    """
    grid = lanes.grid
    column, row = int(math.floor((x - grid.x) / CELL)), int(math.floor((y - grid.y) / CELL))
    if column < 0 or column >= grid.n_x or row < 0 or row >= grid.n_y:
        return 0
    cell, n = column + grid.n_x * row, 0
    nearest, squared, segment = -1, np.inf, -1
    # the points of a segment are together
    for k in range(grid.offsets[cell], grid.offsets[cell + 1] + 1):
        last = k == grid.offsets[cell + 1]
        p = -1 if last else grid.points[k]
        if nearest >= 0 and (last or lanes.segment_of[p] != segment):
            dx, dy = x - lanes.network.points[nearest, 0], y - lanes.network.points[nearest, 1]
            across = abs(dy * lanes.tangents[nearest, 0] - dx * lanes.tangents[nearest, 1])
            ahead = abs(dx * lanes.tangents[nearest, 0] + dy * lanes.tangents[nearest, 1])
            beside = across > 0.5 * lanes.width[nearest] + margin
            if not beside and ahead <= 0.5 * lanes.spacing[segment] + END_SLACK and n < len(found):
                found[n] = nearest
                n += 1
            nearest, squared = -1, np.inf
        if last:
            break
        segment = lanes.segment_of[p]
        dx, dy = x - lanes.network.points[p, 0], y - lanes.network.points[p, 1]
        if dx * dx + dy * dy < squared:
            nearest, squared = p, dx * dx + dy * dy
    return n
