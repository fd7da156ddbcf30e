"""The driving lanes of a ``carla.Map`` as a graph in which routes are searched."""

import math
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from sb3_delta_waypoint.driving.network import polyline_length
from sb3_delta_waypoint.maps.carla_lanes import SAMPLE_SPACING
from sb3_delta_waypoint.maps.lanes import Lane, LaneKey, Points, key_of, meet, read_lanes

STRETCH_LENGTH = 30.0
"""Approximate length of the stretches into which lanes are cut [m]; a lane change takes one stretch."""
MIN_LANE_CHANGE_LENGTH = 20.0
"""Shortest stretch on which a lane change begins [m]: one of 3.5 m to the side over 20 m has a radius of 20 m."""
LANE_CHANGE_COST = 30.0
"""Cost of a lane change, as the length of a detour that would be preferred [m]."""
SNAP_DISTANCE = 5.0
"""Largest distance of a place on the road from a lane [m]; parked cars stand 2.5 m from the nearest lane."""
SNAP_MARGIN = 1.0
"""Lanes at most this much farther away than the nearest one are candidates, too [m]: in junctions lanes overlap."""
BESIDE_DISTANCE = 7.5
"""Lanes at most this much farther away than the nearest one are beside it [m], two lanes to each side."""
PARALLEL_ANGLE = math.radians(30.0)
"""Largest angle between lanes that are beside one another [rad]."""
LEVEL_HEIGHT = 2.5
"""Largest height difference of lanes on the same level [m]; a bridge has 4.5 m below it."""
SNAP_ANGLE = math.radians(60.0)
"""Largest angle between a given heading and a candidate lane [rad]."""


class Place(NamedTuple):
    """
    A place on a lane.

    :param stretch: number of the stretch
    :param along: distance from the start of the stretch [m]
    :param offset: distance between the lane's centre line and the given position [m]
    """

    stretch: int
    along: float
    offset: float


class LaneGraph:
    """
    The graph of a map's driving lanes, in the package's right-handed frame (y opposite to CARLA's).

    Lanes are cut into stretches, which are joined where one follows the other. Where the road markings allow it, additional
    stretches lead to the lane beside.

    :param carla_map: ``carla.Map`` of ``carla.World.get_map()``, or ``carla.Map(name, opendrive_text)`` without a server
    :raises ValueError: if no lane of the map has any length
    """

    def __init__(self, carla_map: Any) -> None:
        self.town: str = carla_map.name.rpartition("/")[2].removesuffix("_Opt")
        """Name of the map without its folder and without ``_Opt``, since ``_Opt`` towns have the same roads."""
        self.points: list[Points] = []
        """Centre line of each stretch, ``(N, 2)`` [m]; joined stretches are at most 0.5 m apart."""
        self.heights: list[NDArray[np.float64]] = []
        """Height of each of these points, ``(N,)`` [m]."""
        self.speeds: list[NDArray[np.float64]] = []
        """Speed limit at each of these points, ``(N,)`` [m/s], ``inf`` where the road has none."""
        self.graph = nx.DiGraph()
        """Graph with stretches as nodes; the weight of an edge is the cost of the stretch that it leaves [m]."""
        lanes, joints = read_lanes(carla_map)
        stretches = {key: self._cut(lane) for key, lane in lanes.items()}
        self.n_lane_stretches = len(self.points)
        """Number of stretches that follow a lane; those with higher numbers are lane changes."""
        if not self.n_lane_stretches:
            raise ValueError(f"map {self.town}: no lane leads anywhere, so there are no routes")
        following: dict[int, set[int]] = {stretch: set() for stretch in range(self.n_lane_stretches)}
        for of_lane in stretches.values():
            for stretch, after in pairwise(of_lane):
                following[stretch].add(after)
        for end, start in joints:
            if meet(self.points[stretches[end][-1]], self.points[stretches[start][0]]):
                following[stretches[end][-1]].add(stretches[start][0])
        self._connect(following, self._lane_changes(lanes, stretches))
        self._index_points()
        self._ways = lru_cache(maxsize=256)(self._search)
        self.locate = lru_cache(maxsize=4096)(self._locate)

    def length(self, stretch: int) -> float:
        """
        Length of a stretch.

        :param stretch: number of the stretch
        :return: its length [m]
        """
        return float(self._along[stretch][-1])

    def cost(self, stretch: int) -> float:
        """
        Cost of a stretch in the search for routes.

        :param stretch: number of the stretch
        :return: cost of driving along all of it [m]
        """
        return self.length(stretch) + LANE_CHANGE_COST * (stretch >= self.n_lane_stretches)

    def height(self, place: Place) -> float:
        """
        Height of a place.

        :param place: a place on a lane
        :return: its height [m]
        """
        return float(np.interp(place.along, self._along[place.stretch], self.heights[place.stretch]))

    def between(self, stretch: int, first: float, last: float) -> tuple[Points, NDArray[np.float64]]:
        """
        Get part of a stretch.

        :param stretch: number of the stretch
        :param first: start of the part, from the start of the stretch [m]
        :param last: end of the part, from the start of the stretch [m]
        :return: x, y and height of its points ``(N, 3)`` [m], and speed limits ``(N,)`` [m/s]
        """
        along = self._along[stretch]
        at = np.concatenate(([first], along[(along > first) & (along < last)], [last]))
        columns = (*self.points[stretch].T, self.heights[stretch])
        points = np.column_stack([np.interp(at, along, column) for column in columns])
        return points, self.speeds[stretch][np.searchsorted(along, at, side="right").clip(1, len(along)) - 1]

    def way(self, start: int, goal: int) -> list[int]:
        """
        Find the cheapest way between two stretches.

        :param start: number of the first stretch
        :param goal: number of the last stretch, which can be reached from the first
        :return: the stretches of the way, both included
        """
        way, before = [goal], self._ways(start)[1]
        while way[-1] != start:
            way.append(before[way[-1]][0])
        return way[::-1]

    def costs(self, start: int) -> dict[int, float]:
        """
        Costs of the cheapest ways from a stretch.

        :param start: number of the stretch
        :return: for each stretch that can be reached, the cost from start to start [m]
        """
        return self._ways(start)[0]

    def _search(self, start: int) -> tuple[dict[int, float], dict[int, list[int]]]:
        """Search from a stretch: for each stretch reached, the cost of the cheapest way and its predecessors on it."""
        before, costs = nx.dijkstra_predecessor_and_distance(self.graph, start)
        return costs, before

    def _locate(
        self, x: float, y: float, yaw: float | None = None, beside: bool = False, z: float | None = None
    ) -> tuple[Place, ...]:
        """
        Find the places on lanes at a position.

        :param x: [m]
        :param y: [m]
        :param yaw: heading [rad]; None accepts lanes of any direction
        :param beside: whether to include the lanes beside of the same direction, and the lane changes between them
        :param z: height [m], which selects the nearest level where lanes are above one another; None accepts all levels
        :return: the nearest place and those hardly farther away, nearest first; empty if there is none
        """
        n_points, n_stretches = (None, None) if beside else (self._offsets[self.n_lane_stretches], self.n_lane_stretches)
        away = np.hypot(self._all_points[:n_points, 0] - x, self._all_points[:n_points, 1] - y)
        nearest = np.minimum.reduceat(away, self._offsets[:-1][:n_stretches])
        reach = BESIDE_DISTANCE if beside else SNAP_MARGIN
        found = []
        for stretch in np.flatnonzero(nearest <= SNAP_DISTANCE + reach + SAMPLE_SPACING):
            index = int(away[self._offsets[stretch] : self._offsets[stretch + 1]].argmin())
            place, heading = self._project(int(stretch), index, x, y)
            if yaw is None or _angle(heading, yaw) <= SNAP_ANGLE:
                found.append((place, heading))
        if z is not None and found:
            above = [abs(self.height(place) - z) for place, _ in found]
            found = [item for item, gap in zip(found, above, strict=True) if gap <= min(above) + LEVEL_HEIGHT]
        found.sort(key=lambda item: (item[0].offset, item[0].stretch))
        if not found or found[0][0].offset > SNAP_DISTANCE:
            return ()
        meant = [item for item in found if item[0].offset <= found[0][0].offset + SNAP_MARGIN]
        parallel = [
            item
            for item in found[len(meant) :]
            if beside
            and item[0].offset <= found[0][0].offset + reach
            and min(_angle(item[1], heading) for _, heading in meant) <= PARALLEL_ANGLE
        ]
        return tuple(place for place, _ in meant + parallel)

    def _project(self, stretch: int, index: int, x: float, y: float) -> tuple[Place, float]:
        """The place on a stretch that is nearest to a position, given the nearest sample, and the heading there."""
        points, along = self.points[stretch], self._along[stretch]
        best = Place(stretch, 0.0, math.inf), 0.0
        for start in {max(index - 1, 0), min(index, len(points) - 2)}:
            chord = points[start + 1] - points[start]
            part = float(np.clip((np.array([x, y]) - points[start]) @ chord / (chord @ chord), 0.0, 1.0))
            offset = float(np.hypot(*(points[start] + part * chord - (x, y))))
            if offset < best[0].offset:
                at = float(along[start] + part * (along[start + 1] - along[start]))
                best = Place(stretch, at, offset), math.atan2(chord[1], chord[0])
        return best

    def _cut(self, lane: Lane) -> list[int]:
        """Cut a lane into stretches, whose number is the same for all lanes of a section."""
        n_stretches = max(1, round((len(lane.points) - 1) * SAMPLE_SPACING / STRETCH_LENGTH))
        ends = np.linspace(0, len(lane.points) - 1, n_stretches + 1).round().astype(int)
        for first, last in pairwise(ends):
            self.points.append(lane.points[first : last + 1])
            self.heights.append(np.array([w.transform.location.z for w in lane.waypoints[first : last + 1]]))
            self.speeds.append(lane.speeds[first : last + 1])
        return list(range(len(self.points) - n_stretches, len(self.points)))

    def _lane_changes(self, lanes: dict[LaneKey, Lane], stretches: dict[LaneKey, list[int]]) -> dict[int, tuple[int, int]]:
        """Add a stretch for each lane change; return, by its number, the stretches that it leaves and arrives at."""
        changes = {}
        for key, lane in lanes.items():
            for number, stretch in enumerate(stretches[key]):
                if polyline_length(self.points[stretch]) < MIN_LANE_CHANGE_LENGTH:
                    continue
                middle = lane.waypoints[round((number + 0.5) / len(stretches[key]) * (len(lane.waypoints) - 1))]
                for side, neighbour in (("Left", middle.get_left_lane), ("Right", middle.get_right_lane)):
                    if str(middle.lane_change) not in (side, "Both") or (beside := neighbour()) is None:
                        continue
                    others = stretches.get(key_of(beside), [])
                    if beside.lane_id * middle.lane_id > 0 and len(others) == len(stretches[key]):
                        changes[len(self.points)] = stretch, others[number]
                        here, there = (
                            np.column_stack((self.points[each], self.heights[each])) for each in (stretch, others[number])
                        )
                        line, speeds = _blend(here, there, self.speeds[stretch], self.speeds[others[number]])
                        self.points.append(line[:, :2])
                        self.heights.append(line[:, 2])
                        self.speeds.append(speeds)
        return changes

    def _connect(self, following: dict[int, set[int]], changes: dict[int, tuple[int, int]]) -> None:
        self._along = [np.append(0.0, np.cumsum(np.linalg.norm(np.diff(p, axis=0), axis=1))) for p in self.points]
        self.graph.add_nodes_from(range(len(self.points)))
        leaving: dict[int, list[int]] = {}
        for change, (left, _) in changes.items():
            leaving.setdefault(left, []).append(change)
        for stretch in range(len(self.points)):
            # after a lane change the road goes on as after the lane that it leads to
            for after in sorted(following[changes[stretch][1] if stretch in changes else stretch]):
                for entered in (after, *leaving.get(after, [])):
                    self.graph.add_edge(stretch, entered, weight=self.cost(stretch))

    def _index_points(self) -> None:
        self._all_points = np.concatenate(self.points)
        self._offsets = np.cumsum([0, *map(len, self.points)])


def _angle(one: float, other: float) -> float:
    """Angle between two headings [rad], from 0 to π."""
    return abs(math.remainder(one - other, math.tau))


def _blend(here: Points, there: Points, *speeds: NDArray[np.float64]) -> tuple[Points, NDArray[np.float64]]:
    """Smooth line from the start of one line to the end of another beside it, and the lower of their speed limits."""
    n_points = max(len(here), len(there))
    t = np.linspace(0.0, 1.0, n_points)
    # the quintic without curvature at its ends
    weight = (t**3 * (10.0 - 15.0 * t + 6.0 * t**2))[:, None]
    lines = [
        np.column_stack([np.interp(t, np.linspace(0.0, 1.0, len(line)), column) for column in line.T])
        for line in (here, there)
    ]
    limits = [limit[np.linspace(0, len(limit) - 1, n_points).round().astype(int)] for limit in speeds]
    return (1.0 - weight) * lines[0] + weight * lines[1], np.minimum(*limits)
