"""
Lanes of an OpenDRIVE map: how ``carla.Map`` gives them, how fast one may drive on them, and which lead into which.

:mod:`~.opendrive` has maps that nobody vouches for sampled in a process of its own, without heights and lane changes;
:mod:`~.lane_graph` takes the map of a server as it is. What lanes are is the same for both, and here.
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
"""Lanes that meet at a sharper angle than this are not connected: no car can follow."""
SPEED_UNITS = {"m/s": 1.0, "km/h": 1 / 3.6, "mph": 0.44704}
"""ASAM OpenDRIVE 1.4, 5.3.1: units of a road's speed limit, in m/s."""

LaneKey = tuple[int, int, int]
"""Road, lane section and lane."""
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
    Let the elements of a map have the same names with and without an XML namespace, as OpenDRIVE 1.4 and later may have one.

    :param root: changed
    """
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]


def speed_limits(road: Element) -> tuple[list[float], NDArray[np.float64]]:
    """
    The speed limits along a road.

    :param road: ``<road>`` of an OpenDRIVE file
    :return: where each limit begins, s [m], and the limits [m/s], ``inf`` where there is none: one more than there are
        beginnings, the first one holding before all of them
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
    Whether a car can follow from one lane to another: their ends meet, without a kink or a turn on the spot.

    :param before: float64 ``(N, 2)``, the one
    :param after: float64 ``(M, 2)``, the other
    :return: yes or no
    """
    one, other = before[-1] - before[-2], after[1] - after[0]
    angle = math.atan2(one[0] * other[1] - one[1] * other[0], one @ other)
    return math.dist(before[-1], after[0]) <= JOINT_TOLERANCE and abs(angle) <= MAX_JOINT_ANGLE


def key_of(waypoint: Any) -> LaneKey:
    """
    :param waypoint: ``carla.Waypoint``
    :return: which lane it is on
    """
    return waypoint.road_id, waypoint.section_id, waypoint.lane_id


def read_lanes(carla_map: Any) -> tuple[dict[LaneKey, Lane], set[tuple[LaneKey, LaneKey]]]:
    """
    :param carla_map: ``carla.Map``
    :return: its driving lanes, and which follows which
    """
    topology = carla_map.get_topology()
    limits = _limits_by_road(carla_map.to_opendrive())
    sampled = {key: _sample(waypoints, limits) for key, waypoints in _waypoints_by_lane(carla_map, topology).items()}
    lanes = {key: lane for key, lane in sampled.items() if lane is not None}
    return lanes, _joints(topology, lanes)


def _waypoints_by_lane(carla_map: Any, topology: list[tuple[Any, Any]]) -> dict[LaneKey, list[Any]]:
    """
    Waypoints along each driving lane of each section, in driving direction. From lane to lane along the road: projecting a
    position on a lane, as ``carla.Map.get_waypoint`` does, is off by centimetres in bends.
    """
    by_lane: dict[LaneKey, list[Any]] = {}
    # the lanes that lead on, and then those that only follow
    for start in (*(end for end, _ in topology), *(start for _, start in topology)):
        if (key := key_of(start)) not in by_lane:
            # where a road has several lane sections, CARLA goes on to the end of the road
            by_lane[key] = [w for w in (start, *start.next_until_lane_end(SAMPLE_SPACING)) if key_of(w) == key]
    # the topology forgets roads that nothing joins; a distance longer than any lane gives one waypoint of each
    forgotten = {key_of(waypoint) for waypoint in carla_map.generate_waypoints(1e6)} - set(by_lane)
    if forgotten:
        for waypoint in carla_map.generate_waypoints(SAMPLE_SPACING):
            if (key := key_of(waypoint)) in forgotten:
                by_lane.setdefault(key, []).append(waypoint)
    for key in forgotten:
        by_lane[key].sort(key=lambda waypoint: waypoint.s, reverse=against_the_road(by_lane[key][0]))
    return by_lane


def _sample(waypoints: list[Any], limits: dict[int, Any]) -> Lane | None:
    """Where a lane runs and how fast one may drive; None for a sliver between lane sections, which has no direction."""
    points = np.array([pose_of(waypoint.transform)[:2] for waypoint in waypoints])
    if polyline_length(points) < 0.5 * SAMPLE_SPACING:
        return None
    # the step to the lane's end is as short as is left
    keep = np.append(np.linalg.norm(np.diff(points, axis=0), axis=1) > 0.1 * SAMPLE_SPACING, True)
    waypoints = [waypoint for waypoint, kept in zip(waypoints, keep, strict=True) if kept]
    begins, values = limits.get(waypoints[0].road_id, ([], np.array([math.inf])))
    return Lane(waypoints, points[keep], values[np.searchsorted(begins, [w.s for w in waypoints], side="right")])


def _joints(topology: list[tuple[Any, Any]], lanes: dict[LaneKey, Lane]) -> set[tuple[LaneKey, LaneKey]]:
    """Which lane follows which, past slivers that are not among the lanes."""
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
