"""Traffic lights and stop signs on a route."""

import math
from collections.abc import Iterable

import numpy as np

from sb3_delta_waypoint.carla_bridge.connection import Session
from sb3_delta_waypoint.carla_bridge.events import StopLine
from sb3_delta_waypoint.contract import POSITION_BOUND
from sb3_delta_waypoint.driving.agents.vehicles import YELLOW_BRAKING
from sb3_delta_waypoint.driving.frames import Pose, wrap
from sb3_delta_waypoint.maps.signals import STOP_SIGN, TRAFFIC_LIGHT, read_signals

NEAR_ROUTE = 2.0
"""Largest distance of a stop line that is on the route [m]."""
SAME_DIRECTION = math.radians(60.0)
"""A stop line for another direction than this is not for the route [rad]."""
FAR = POSITION_BOUND
"""What is observed where there is no line [m]."""
STOP_BEFORE = 1.0
"""Distance from the bumper to the line at a stop [m]."""


class Signals:
    """
    The lights and stop signs of a map.

    :param session: a connected session
    :param frozen: whether all lights are held at green
    """

    def __init__(self, session: Session, frozen: bool):
        import carla

        self._session, self._frozen = session, frozen
        self._places: list[tuple[Pose, float, str, bool]] = []  # pose, height, name, whether it is a stop sign
        with session.calls():
            for kind in (TRAFFIC_LIGHT, STOP_SIGN):
                for signal in read_signals(session.map, kind):
                    self._places += [(pose, height, signal.name, kind == STOP_SIGN) for pose, height in signal.stops]
            for name in sorted({name for _, _, name, is_stop_sign in self._places if not is_stop_sign}):
                light = session.world.get_traffic_light_from_opendrive_id(name)
                if light is not None:
                    session.lights[name] = light
                    if frozen:
                        light.set_state(carla.TrafficLightState.Green)
            session.world.freeze_all_traffic_lights(frozen)

    def begin(self, route: np.ndarray, heights: np.ndarray) -> tuple[StopLine, ...]:
        """
        Begin an episode; lights that are not frozen restart their cycle.

        :param route: records of :data:`~.records.ROUTE_POINT`
        :param heights: heights of these points [m]
        :return: the lines on the route, in its order
        """
        with self._session.calls():
            if self._session.lights and not self._frozen:
                self._session.world.reset_all_traffic_lights()
        lines = {}
        for (x, y, yaw), z, name, is_stop_sign in self._places:
            away = np.hypot(np.hypot(route["x"] - x, route["y"] - y), heights - z)
            nearest = int(away.argmin())
            heading = math.atan2(route["sin"][nearest], route["cos"][nearest])
            if away[nearest] <= NEAR_ROUTE and abs(wrap(heading - yaw)) <= SAME_DIRECTION:
                lines[name] = StopLine(float(nearest), name, is_stop_sign)
        return tuple(sorted(lines.values()))

    def state(self, line: StopLine) -> str:
        """
        State of the light at a line.

        :param line: a line on the route
        :return: ``Red``, ``Yellow``, ``Green`` … in the last snapshot; ``Green`` if there is no light
        """
        light = self._session.lights.get(line.name)
        return "Green" if light is None else str(light.state)

    def red(self, lines: Iterable[StopLine]) -> set[str]:
        """
        Find the lines whose light is red.

        :param lines: lines on the route
        :return: names of those whose light is red
        """
        return {line.name for line in lines if self.state(line) == "Red"}


def may_go(line: StopLine, state: str, stopped: bool, left: float, speed: float) -> bool:
    """
    Whether a car may drive over a line.

    :param line: the line
    :param state: state of its light, ``Red``, ``Yellow``, ``Green`` …
    :param stopped: whether the car has stopped at it
    :param left: distance from the bumper to the line [m]
    :param speed: speed of the car [m/s]
    :return: whether it may
    """
    if line.is_stop_sign:
        return stopped
    if state == "Yellow":
        return speed * speed > 2.0 * YELLOW_BRAKING * max(left, 0.0)
    return state != "Red"
