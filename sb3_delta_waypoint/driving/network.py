"""Road networks: centre lines in driving direction and how they join, as arrays that a numba kernel can read."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

POINT_SPACING = 1.0
"""Largest distance between neighbouring points of a segment [m]."""
JOINT_TOLERANCE = 1.5
"""Largest distance between the end of a segment and the start of one that follows it [m]."""
MAX_LENGTH = 1e6
"""Longest path that is accepted [m]."""
MAX_COORDINATE = 1e9
"""Largest accepted coordinate: nothing on Earth lies farther away [m]."""

MIN_SEGMENT_LENGTH = 0.01
"""Shorter paths are omitted [m]."""


class RoadNetwork(NamedTuple):
    """
    Segments (stretches of road between forks) from which routes are drawn.

    A route runs along a segment to its end, goes on at the first point of one of its successors, and so on. World frame:
    metres, x and y right-handed, headings counter-clockwise.

    :param points: float64 ``(P, 2)``, metres; the points of all segments, one segment after another, in driving order
    :param speeds: float64 ``(P,)``, m/s; speed limit or recorded speed at each point, ``inf`` where there is none
    :param offsets: int64 ``(S + 1,)``; segment ``s`` owns ``points[offsets[s]:offsets[s + 1]]``
    :param successor_offsets: int64 ``(S + 1,)``; segment ``s`` is followed by any of
        ``successors[successor_offsets[s]:successor_offsets[s + 1]]``
    :param successors: int64 ``(E,)``, segment numbers
    """

    points: NDArray[np.float64]
    speeds: NDArray[np.float64]
    offsets: NDArray[np.int64]
    successor_offsets: NDArray[np.int64]
    successors: NDArray[np.int64]

    @property
    def n_segments(self) -> int:
        """Number of segments ``S``."""
        return len(self.offsets) - 1


class MapShares(NamedTuple):
    """
    The maps of a network that consists of several, and how often routes are drawn from each.

    :param names: their names, for messages
    :param weights: how often each is drawn, in any unit
    :param segments: one more than there are maps; map ``m`` has the segments from ``segments[m]`` to ``segments[m + 1]``
    """

    names: tuple[str, ...]
    weights: tuple[float, ...]
    segments: tuple[int, ...]


def from_segments(
    segments: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]], successors: Sequence[Sequence[int]]
) -> RoadNetwork:
    """
    Pack segments into a network.

    :param segments: for each segment its points ``(N, 2)`` [m] and speeds ``(N,)`` [m/s]
    :param successors: for each segment the numbers of the segments that follow it
    :return: the network, validated
    :raises ValueError: if it breaks a rule of :func:`validate_network`
    """
    network = RoadNetwork(
        points=np.concatenate([points for points, _ in segments]) if segments else np.empty((0, 2)),
        speeds=np.concatenate([speeds for _, speeds in segments]) if segments else np.empty(0),
        offsets=_offsets([len(points) for points, _ in segments]),
        successor_offsets=_offsets([len(following) for following in successors]),
        successors=np.array([number for following in successors for number in following], dtype=np.int64),
    )
    validate_network(network)
    return network


def from_paths(paths: Sequence[tuple[ArrayLike, ArrayLike]]) -> RoadNetwork:
    """
    Make a network of separate paths: each becomes one segment without successors.

    :param paths: for each path its points ``(N, 2)`` [m], in driving order, and speeds ``(N,)`` [m/s] or ``inf``; a path
        without length (a car at rest) is omitted
    :return: the network, its points at most 1 m apart
    :raises ValueError: if no path has any length, or one has other shapes, a position that is not finite, a speed below 0 or
        a length of more than 1,000 km
    """
    segments = []
    for index, (path, path_speeds) in enumerate(paths):
        points, speeds = np.asarray(path, dtype=np.float64), np.asarray(path_speeds, dtype=np.float64)
        if points.ndim != 2 or points.shape[1] != 2 or speeds.shape != points.shape[:1]:
            raise ValueError(f"path {index}: points must be (N, 2) and speeds (N,), not {points.shape} and {speeds.shape}")
        if (wrong := np.any(~(np.abs(points) <= MAX_COORDINATE), axis=1)).any():
            where = f"path {index}, point {_first(wrong)}: {points[wrong][0]}"
            raise ValueError(f"{where} is not a finite position, at most {MAX_COORDINATE:g} m away")
        if (wrong := ~(speeds >= 0)).any():
            raise ValueError(
                f"path {index}, point {_first(wrong)}: {speeds[wrong][0]} m/s is not a speed; it must be at least 0"
            )
        if (length := polyline_length(points)) > MAX_LENGTH:
            raise ValueError(f"path {index} is {length:g} m long; at most {MAX_LENGTH:g} m are sampled")
        if length > MIN_SEGMENT_LENGTH:
            segments.append(resample(points, speeds))
    if not segments:
        raise ValueError(f"none of the {len(paths)} paths leads anywhere; each spans less than {MIN_SEGMENT_LENGTH} m")
    return from_segments(segments, [()] * len(segments))


def resample(points: NDArray[np.float64], speeds: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """
    Resample a polyline at equal distances of at most 1 m. Its first and last points stay as they are.

    :param points: ``(N, 2)`` [m], finite, of non-zero length; repeated points (a car at rest) count once
    :param speeds: ``(N,)`` [m/s], interpolated between points, except where a limit begins or ends (``inf`` on one side)
    :return: points ``(M, 2)`` [m] and speeds ``(M,)`` [m/s]
    """
    moved = np.append(True, np.linalg.norm(np.diff(points, axis=0), axis=1) > 1e-6)
    points, speeds = points[moved], speeds[moved]
    distance = np.append(0.0, np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1)))
    # the tolerance keeps a length of 100.0000001 m at 100 intervals
    at = np.linspace(0.0, distance[-1], max(1, math.ceil(distance[-1] / POINT_SPACING - 1e-3)) + 1)
    held = speeds[np.searchsorted(distance, at, side="right") - 1]
    with np.errstate(invalid="ignore"):
        between = np.interp(at, distance, speeds)
    return (
        np.column_stack([np.interp(at, distance, points[:, 0]), np.interp(at, distance, points[:, 1])]),
        np.where(np.isfinite(between), between, held),
    )


def polyline_length(points: NDArray[np.float64]) -> float:
    """
    Length of a polyline.

    :param points: ``(N, 2)`` [m]
    :return: length of the line through the points [m]
    """
    return float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())


def validate_network(network: RoadNetwork) -> None:
    """
    Check that a network is well-formed.

    :param network: the network
    :raises ValueError: naming the segment and the value, if there is no segment, an array has another shape than documented, a
        segment has fewer than two points or points that are not finite, that coincide or lie more than 1 m apart, a speed is
        negative or NaN, a successor does not exist or starts more than 1.5 m from the end of its predecessor
    """
    points, speeds, offsets, successor_offsets, successors = network
    for name, array, kind in zip(network._fields, network, (float, float, int, int, int), strict=True):
        if not isinstance(array, np.ndarray) or array.dtype != kind or array.ndim != 1 + (name == "points"):
            raise ValueError(f"{name} must be an array of {np.dtype(kind)}, {1 + (name == 'points')}-dimensional")
    if points.ndim != 2 or points.shape[1] != 2 or speeds.shape != points.shape[:1]:
        raise ValueError(f"points must be (P, 2) and speeds (P,), not {points.shape} and {speeds.shape}")
    if len(offsets) < 2:
        raise ValueError("the road network has no segments; there must be at least one")
    if len(successor_offsets) != len(offsets):
        raise ValueError(f"successor_offsets has {len(successor_offsets)} entries, offsets {len(offsets)}; they must match")
    for name, pointer, end in (("offsets", offsets, len(points)), ("successor_offsets", successor_offsets, len(successors))):
        if pointer[0] != 0 or pointer[-1] != end or (np.diff(pointer) < 0).any():
            raise ValueError(f"{name} must rise from 0 to {end}, not from {pointer[0]} to {pointer[-1]} or back and forth")
    if (counts := np.diff(offsets)).min() < 2:
        raise ValueError(f"segment {_first(counts < 2)} has {counts[counts < 2][0]} points; it needs at least 2")

    segment_of_point = np.repeat(np.arange(network.n_segments), counts)

    def refuse_point(wrong: np.ndarray, values: np.ndarray, what: str) -> None:
        if wrong.any():
            index = _first(wrong)
            segment = segment_of_point[index]
            raise ValueError(f"segment {segment}, point {index - offsets[segment]}: {values[index]} {what}")

    refuse_point(np.any(~np.isfinite(points), axis=1), points, "is not a finite position")
    refuse_point(~(speeds >= 0), speeds, "m/s is not a speed; it must be at least 0, or inf for no limit")
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    inside = np.diff(segment_of_point) == 0
    refuse_point(inside & (steps < 1e-6), steps, "m to the next point; points must not coincide")
    refuse_point(inside & (steps > POINT_SPACING * 1.01), steps, f"m to the next point; at most {POINT_SPACING} m is allowed")

    sources = _sources(network)
    if (unknown := (successors < 0) | (successors >= network.n_segments)).any():
        wrong = _first(unknown)
        raise ValueError(
            f"segment {sources[wrong]}: there is no successor {successors[wrong]}, only segments 0 to {network.n_segments - 1}"
        )
    gaps = np.linalg.norm(points[offsets[successors]] - points[offsets[sources + 1] - 1], axis=1)
    if (gaps > JOINT_TOLERANCE).any():
        wrong = _first(gaps > JOINT_TOLERANCE)
        raise ValueError(
            f"segment {sources[wrong]} ends {gaps[wrong]:.2f} m from the start of its successor {successors[wrong]}; "
            f"at most {JOINT_TOLERANCE} m is allowed"
        )


def segment_lengths(network: RoadNetwork) -> NDArray[np.float64]:
    """
    Length of each segment.

    :param network: the network
    :return: float64 ``(S,)``, metres from the first to the last point, along the points
    """
    along = np.append(0.0, np.cumsum(np.linalg.norm(np.diff(network.points, axis=0), axis=1)))
    return along[network.offsets[1:] - 1] - along[network.offsets[:-1]]


def reachable_length(network: RoadNetwork, cap: float) -> NDArray[np.float64]:
    """
    Longest distance that a car can drive from the start of each segment.

    A route of at most ``cap`` metres never meets a dead end if every segment that it enters reaches as far as its remaining
    length.

    :param network: the network
    :param cap: largest distance to report [m], also reported where the road runs in a circle
    :return: float64 ``(S,)``, metres, at most ``cap``
    :raises ValueError: if ``cap`` is not finite and positive
    """
    if not 0 < cap < math.inf:
        raise ValueError(f"cap is {cap}; it must be finite and positive (metres)")
    lengths, sources = segment_lengths(network), _sources(network)
    reachable = np.minimum(lengths, cap)
    while True:
        beyond = np.zeros_like(reachable)
        np.maximum.at(beyond, sources, reachable[network.successors])
        longer = np.minimum(lengths + beyond, cap)
        if np.array_equal(longer, reachable):
            return reachable
        reachable = longer


def _offsets(counts: Sequence[int]) -> NDArray[np.int64]:
    return np.concatenate(([0], np.cumsum(counts, dtype=np.int64))).astype(np.int64)


def _sources(network: RoadNetwork) -> NDArray[np.int64]:
    """The segment that each successor follows: int64 ``(E,)``."""
    return np.repeat(np.arange(network.n_segments), np.diff(network.successor_offsets))


def _first(mask: np.ndarray) -> int:
    return int(np.argmax(mask))
