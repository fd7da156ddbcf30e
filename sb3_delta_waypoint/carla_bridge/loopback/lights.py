"""Traffic lights: one actor for each signal of the map. Green and frozen until a client lets them change."""

import math
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sb3_delta_waypoint.carla_bridge.loopback import wire
from sb3_delta_waypoint.driving.network import RoadNetwork

if TYPE_CHECKING:
    from sb3_delta_waypoint.carla_bridge.loopback.world import World

NAME = "traffic.traffic_light"
SIGNAL_TYPE = "1000001"
"""A traffic light in the catalogue of OpenDRIVE 1.4."""
RED, YELLOW, GREEN = 0, 1, 2
GREEN_SECONDS, YELLOW_SECONDS, RED_SECONDS = 10.0, 3.0, 2.0
"""Defaults of CARLA: each light of a junction has its turn; red is what follows its yellow before the next turn."""
STOP_REACH = 0.75
"""A lane that passes a signal's stop line as near as this, in its direction, is governed by it [m]."""
ROW = struct.Struct("<32s4fIBB")
"""What a snapshot tells of a light: name, seconds of green, yellow, red, elapsed, pole, whether frozen, state."""
ROW_OFFSET = wire.ACTOR_ROW.fields["throttle"][1]  # type: ignore[index]


class Signal(NamedTuple):
    """A light in the map."""

    name: str
    """Its id in OpenDRIVE."""
    transform: list[list[float]]
    junction: str
    """The lights of a junction take turns; a light of none is on its own."""
    stops: list[tuple[float, float, float]]
    """Where cars wait: x, y [m], heading [rad] in the package's frame."""


def read_signals(text: str, road_map: Any) -> list[Signal]:
    """
    :param text: OpenDRIVE
    :param road_map: the same as ``carla.Map``
    :return: its traffic lights
    """
    import defusedxml.ElementTree  # type: ignore[import-untyped]

    root = defusedxml.ElementTree.fromstring(text.encode())
    junction_of_controller = {
        controller.get("id"): junction.get("id")
        for junction in root.iter("junction")
        for controller in junction.iter("controller")
    }
    junction_of_signal = {
        control.get("signalId"): junction_of_controller.get(controller.get("id"))
        for controller in root.findall("controller")
        for control in controller.iter("control")
    }
    signals: dict[str, Signal] = {}
    for landmark in road_map.get_all_landmarks_of_type(SIGNAL_TYPE):
        place, turn = landmark.transform.location, landmark.transform.rotation
        transform = [[place.x, place.y, place.z], [turn.pitch, turn.yaw, turn.roll]]
        junction = junction_of_signal.get(landmark.id) or f"none ({landmark.id})"
        signal = signals.setdefault(landmark.id, Signal(landmark.id, transform, junction, []))
        for first, last in landmark.get_lane_validities():
            for lane in range(min(first, last), max(first, last) + 1):
                waypoint = road_map.get_waypoint_xodr(landmark.road_id, lane, landmark.s) if lane else None
                if waypoint is not None:
                    place, yaw = waypoint.transform.location, waypoint.transform.rotation.yaw
                    signal.stops.append((place.x, -place.y, -math.radians(yaw)))
    return list(signals.values())


def governed_points(network: RoadNetwork, signals: list[Signal]) -> NDArray[np.int64]:
    """
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
        for x, y, yaw in signal.stops:
            near = np.hypot(points[:, 0] - x, points[:, 1] - y) < STOP_REACH
            governed[near & (np.cos(heading - yaw) > 0.7)] = number
    return governed


class TrafficLights:
    """
    The lights of one episode.

    :param world: it has just begun; the lights are its first actors
    """

    def __init__(self, world: "World"):
        self.world = world
        self.signals = world.road_map.signals
        self.state = np.full(len(self.signals), GREEN, np.int64)
        self.frozen = True
        self.seconds = 0.0
        self.changed = True
        # of green, yellow and red for each light
        self.times = np.tile([GREEN_SECONDS, YELLOW_SECONDS, RED_SECONDS], (len(self.signals), 1))
        groups: dict[str, list[int]] = {}
        for index, signal in enumerate(self.signals):
            groups.setdefault(signal.junction, []).append(index)
        self.groups = list(groups.values())
        self.number: dict[int, int] = {}
        for index, signal in enumerate(self.signals):
            self.number[world.add_light(signal.transform).id] = index

    def step(self, dt: float) -> None:
        """Let time pass, and write the states into the snapshot."""
        if self.frozen and not self.changed:
            return
        self.changed = False
        if not self.frozen:
            self.seconds += dt
            for group in self.groups:
                self._take_turns(group)
        for index, (actor_id, signal) in enumerate(zip(self.number, self.signals, strict=True)):
            row = self.world.actors[actor_id].row * wire.ACTOR_ROW.itemsize + wire.FIRST_ROW + ROW_OFFSET
            ROW.pack_into(
                self.world.message,
                row,
                signal.name.encode()[:32],
                *self.times[index],
                self.seconds,
                0,
                self.frozen,
                self.state[index],
            )

    def _take_turns(self, group: list[int]) -> None:
        round_trip = self.times[group].sum()
        now = self.seconds % round_trip if round_trip > 0.0 else 0.0
        for index in group:
            green, yellow, red = self.times[index]
            if 0.0 <= now < green:
                self.state[index] = GREEN
            else:
                self.state[index] = YELLOW if green <= now < green + yellow else RED
            now -= green + yellow + red

    def set_state(self, actor_id: int, state: int) -> None:
        """Holds until its next turn, or for good while they are frozen."""
        self.state[self.number[actor_id]] = state
        self.changed = True

    def freeze(self, frozen: bool) -> None:
        """Stop the turns, or let them go on."""
        self.frozen = frozen
        self.changed = True

    def set_time(self, actor_id: int, state: int, seconds: float) -> None:
        """How long it is red, yellow or green when its turn comes [s]."""
        self.times[self.number[actor_id], GREEN - state] = seconds
        self.changed = True

    def group_of(self, actor_id: int) -> list[int]:
        """Ids of the lights that take turns with this one."""
        group = next(group for group in self.groups if self.number[actor_id] in group)
        ids = list(self.number)
        return [ids[index] for index in group]
