"""
Lanes of an OpenDRIVE map, as ``carla.Map`` gives them: their centre lines, speed limits and connections.

:mod:`~.opendrive` samples untrusted maps in a separate process, without heights and lane changes. :mod:`~.lane_graph` uses the
map of a server directly. This module holds what both share.
"""

import math
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from sb3_delta_waypoint.driving.network import JOINT_TOLERANCE, polyline_length
from sb3_delta_waypoint.maps.carla_frame import pose_of
from sb3_delta_waypoint.maps.carla_lanes import SAMPLE_SPACING, against_the_road

MAX_JOINT_ANGLE = math.radians(60.0)
"""Largest angle between connected lanes [rad]: no car can follow a sharper one."""
SPEED_UNITS = {"m/s": 1.0, "km/h": 1 / 3.6, "mph": 0.44704}
"""Units of a road's speed limit, in m/s (ASAM OpenDRIVE 1.4, 5.3.1)."""

LaneKey = tuple[int, int, int]
"""Ids that identify a lane: road, lane section and lane."""
Points = NDArray[np.float64]


class Lane(NamedTuple):
    """
    A driving lane of a lane section, in driving direction.

    :param waypoints: ``carla.Waypoint`` of each sample
    :param points: float64 ``(N, 2)`` metres, of the samples
    :param speeds: float64 ``(N,)``, their speed limits [m/s], ``inf`` where there is none
    """

    waypoints: list[Any]
    points: Points
    speeds: NDArray[np.float64]


def strip_namespaces(root: Element) -> None:
    """
    Remove XML namespaces, which OpenDRIVE 1.4 and later may have, from the names of a map's elements.

    :param root: root element, changed in place
    """
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]


def speed_limits(road: Element) -> tuple[list[float], NDArray[np.float64]]:
    """
    Read the speed limits along a road.

    :param road: ``<road>`` of an OpenDRIVE file
    :return: positions s where limits begin [m], and the limits [m/s], ``inf`` for none; there is one more limit than
        positions, since the first holds before all of them
    :raises KeyError: if an attribute is missing
    :raises ValueError: if an attribute is not a number
    """
    begin, limit = [], [math.inf]
    for kind in road.findall("type"):
        speed = kind.find("speed")
        begin.append(float(kind.attrib["s"]))
        if speed is None or speed.attrib["max"] in ("no limit", "undefined"):
            limit.append(math.inf)
        else:
            limit.append(float(speed.attrib["max"]) * SPEED_UNITS[speed.get("unit", "m/s")])
    return begin, np.array(limit)


def meet(before: Points, after: Points) -> bool:
    """
    Whether a car can drive from one lane to another: their ends meet without a kink or a turn on the spot.

    :param before: float64 ``(N, 2)`` [m], the first lane
    :param after: float64 ``(M, 2)`` [m], the second lane
    :return: whether it can
    """
    one, other = before[-1] - before[-2], after[1] - after[0]
    angle = math.atan2(one[0] * other[1] - one[1] * other[0], one @ other)
    return math.dist(before[-1], after[0]) <= JOINT_TOLERANCE and abs(angle) <= MAX_JOINT_ANGLE


def key_of(waypoint: Any) -> LaneKey:
    """
    Key of a waypoint's lane.

    :param waypoint: ``carla.Waypoint``
    :return: ids of road, lane section and lane
    """
    return waypoint.road_id, waypoint.section_id, waypoint.lane_id


def read_lanes(carla_map: Any) -> tuple[dict[LaneKey, Lane], set[tuple[LaneKey, LaneKey]]]:
    """
    Read the driving lanes of a map.

    :param carla_map: ``carla.Map``
    :return: the lanes by their keys, and the pairs of keys of lanes that follow each other
    """
    topology = carla_map.get_topology()
    limits = _limits_by_road(carla_map.to_opendrive())
    sampled = {key: _sample(waypoints, limits) for key, waypoints in _waypoints_by_lane(carla_map, topology).items()}
    lanes = {key: lane for key, lane in sampled.items() if lane is not None}
    return lanes, _joints(topology, lanes)


def _waypoints_by_lane(carla_map: Any, topology: list[tuple[Any, Any]]) -> dict[LaneKey, list[Any]]:
    """
    Waypoints along each driving lane of each section, in driving direction.

    They are found by following the lanes: projecting a position on a lane, as ``carla.Map.get_waypoint`` does, is off by
    centimetres in bends.
    """
    by_lane: dict[LaneKey, list[Any]] = {}
    # first the lanes that lead to others, then those that only follow others
    for start in (*(end for end, _ in topology), *(start for _, start in topology)):
        if (key := key_of(start)) not in by_lane:
            # CARLA continues to the end of the road, beyond this lane section
            by_lane[key] = [w for w in (start, *start.next_until_lane_end(SAMPLE_SPACING)) if key_of(w) == key]
    # the topology omits isolated roads; a distance longer than any lane gives one waypoint of each lane
    forgotten = {key_of(waypoint) for waypoint in carla_map.generate_waypoints(1e6)} - set(by_lane)
    if forgotten:
        for waypoint in carla_map.generate_waypoints(SAMPLE_SPACING):
            if (key := key_of(waypoint)) in forgotten:
                by_lane.setdefault(key, []).append(waypoint)
    for key in forgotten:
        by_lane[key].sort(key=lambda waypoint: waypoint.s, reverse=against_the_road(by_lane[key][0]))
    return by_lane


def _sample(waypoints: list[Any], limits: dict[int, Any]) -> Lane | None:
    """Centre line and speed limits of a lane; None for a sliver between lane sections, which has no direction."""
    points = np.array([pose_of(waypoint.transform)[:2] for waypoint in waypoints])
    if polyline_length(points) < 0.5 * SAMPLE_SPACING:
        return None
    # the last step may be arbitrarily short
    keep = np.append(np.linalg.norm(np.diff(points, axis=0), axis=1) > 0.1 * SAMPLE_SPACING, True)
    waypoints = [waypoint for waypoint, kept in zip(waypoints, keep, strict=True) if kept]
    begins, values = limits.get(waypoints[0].road_id, ([], np.array([math.inf])))
    return Lane(waypoints, points[keep], values[np.searchsorted(begins, [w.s for w in waypoints], side="right")])


def _joints(topology: list[tuple[Any, Any]], lanes: dict[LaneKey, Lane]) -> set[tuple[LaneKey, LaneKey]]:
    """Pairs of lanes that follow each other, skipping slivers that are not among the lanes."""
    successors: dict[LaneKey, set[LaneKey]] = {}
    for end, start in topology:
        successors.setdefault(key_of(end), set()).add(key_of(start))
    joints = set()
    for lane in lanes:
        open_ends, seen = [lane], {lane}
        while open_ends:
            for after in successors.get(open_ends.pop(), set()):
                if after in lanes:
                    joints.add((lane, after))
                elif after not in seen:
                    seen.add(after)
                    open_ends.append(after)
    return joints


def _limits_by_road(text: str) -> dict[int, Any]:
    import defusedxml.ElementTree  # type: ignore[import-untyped]

    root = defusedxml.ElementTree.fromstring(text)
    strip_namespaces(root)
    return {int(road.attrib["id"]): speed_limits(road) for road in root.findall("road")}
