"""Signals of a map: traffic lights and stop signs, with their stop lines."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sb3_delta_waypoint.driving.frames import Pose
from sb3_delta_waypoint.driving.network import RoadNetwork
from sb3_delta_waypoint.maps.carla_frame import pose_of

TRAFFIC_LIGHT, STOP_SIGN = "1000001", "206"
"""OpenDRIVE's signal types, after the German catalogue."""
STOP_REACH = 0.75
"""Largest distance from a signal's stop line to a lane of its direction that it governs [m]."""


class Signal(NamedTuple):
    """A traffic light or a stop sign of the map."""

    name: str
    """Id of the signal in OpenDRIVE."""
    transform: Any
    """``carla.Transform`` of its pole."""
    stops: list[tuple[Pose, float]]
    """Pose and height [m] of the stop line on each lane that the signal governs."""


def read_signals(road_map: Any, kind: str) -> list[Signal]:
    """
    Read the signals of a map.

    :param road_map: ``carla.Map``
    :param kind: OpenDRIVE's type, such as :data:`TRAFFIC_LIGHT`
    :return: the signals of this kind
    """
    signals: dict[str, Signal] = {}
    for landmark in road_map.get_all_landmarks_of_type(kind):
        signal = signals.setdefault(landmark.id, Signal(landmark.id, landmark.transform, []))
        for first, last in landmark.get_lane_validities():
            for lane in range(min(first, last), max(first, last) + 1):
                waypoint = road_map.get_waypoint_xodr(landmark.road_id, lane, landmark.s) if lane else None
                if waypoint is not None:
                    signal.stops.append((pose_of(waypoint.transform), waypoint.transform.location.z))
    return list(signals.values())


def junctions_of_signals(text: str) -> dict[str, str]:
    """
    Read which junctions control which signals.

    :param text: OpenDRIVE text
    :return: id of the junction by the id of each signal that a junction controls
    """
    import defusedxml.ElementTree  # type: ignore[import-untyped]

    root = defusedxml.ElementTree.fromstring(text.encode())
    junction_of_controller = {
        controller.get("id"): junction.get("id")
        for junction in root.iter("junction")
        for controller in junction.iter("controller")
    }
    return {
        control.get("signalId"): junction
        for controller in root.findall("controller")
        for control in controller.iter("control")
        if (junction := junction_of_controller.get(controller.get("id")))
    }


def governed_points(network: RoadNetwork, signals: list[Signal]) -> NDArray[np.int64]:
    """
    Find the points of lanes at which traffic lights stop cars.

    :param network: the lanes
    :param signals: the lights
    :return: int64 ``(P,)``; for each point of the network the number of the light that stops cars there, or -1
    """
    points = network.points
    ahead = np.diff(points, axis=0, append=points[-1:])
    ends = network.offsets[1:] - 1
    ahead[ends] = ahead[ends - 1]
    heading = np.arctan2(ahead[:, 1], ahead[:, 0])
    governed = np.full(len(points), -1)
    for number, signal in enumerate(signals):
        for (x, y, yaw), _ in signal.stops:
            near = np.hypot(points[:, 0] - x, points[:, 1] - y) < STOP_REACH
            governed[near & (np.cos(heading - yaw) > 0.7)] = number
    return governed
