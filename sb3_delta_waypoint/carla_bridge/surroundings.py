"""The surroundings of the car, to which it must yield: other road users, lights and stop signs."""

from typing import Any

import numpy as np

from sb3_delta_waypoint.carla_bridge.ego import Ego
from sb3_delta_waypoint.carla_bridge.events import EventMonitor
from sb3_delta_waypoint.carla_bridge.signals import FAR, STOP_BEFORE, Signals, may_go
from sb3_delta_waypoint.carla_bridge.traffic import Traffic
from sb3_delta_waypoint.driving.frames import Pose
from sb3_delta_waypoint.driving.measured_drive import MeasuredDrive
from sb3_delta_waypoint.driving.observation import observe_agents
from sb3_delta_waypoint.driving.records import AGENT
from sb3_delta_waypoint.driving.signals import GREEN, RED, YELLOW
from sb3_delta_waypoint.driving.yielding import HAZARD, find_hazards
from sb3_delta_waypoint.rendering.road import LANE_WIDTH
from sb3_delta_waypoint.rendering.scene import STOP_LINE, STOP_SIGN, CarBox, Scene

STATES = {"Red": RED, "Yellow": YELLOW, "Green": GREEN}
"""States of lights by CARLA's names; a light that is off stops nobody."""


class Surroundings:
    """
    Other road users and signals, as observations and as hazards.

    :param traffic: the other road users
    :param signals: signals of the map
    :param ego: the car
    :param events: event monitor, which holds the stop lines on the route and where the car has stopped
    """

    def __init__(self, traffic: Traffic, signals: Signals, ego: Ego, events: EventMonitor):
        self._traffic, self._signals, self._ego, self._events = traffic, signals, ego, events

    def begin(self, seed: int, start: Pose, route: np.ndarray, heights: np.ndarray) -> None:
        """Place the other road users of a scenario; see :meth:`~.traffic.Traffic.begin`."""
        self._traffic.begin(seed, start, route, heights)

    def look(self, drive: MeasuredDrive, snapshot: Any) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """
        Observe the surroundings.

        :param drive: the drive of the car, measured at this tick
        :param snapshot: ``carla.WorldSnapshot`` of the same tick
        :return: ``agents``, ``agents_valid`` and ``signal``; and the hazards, records of :data:`~.yielding.HAZARD`
        """
        car = drive.cars[0]
        self._traffic.walk(float(car["progress"]))
        agents = self._traffic.agents(snapshot)
        hazards = np.zeros(len(agents) + 1, HAZARD)
        n = find_hazards(car, drive.routes[0], agents, self._ego.half_width, self._ego.front, hazards)
        left, free = self._next_line(car)
        if not free:
            hazards[n] = (car["progress"] + left - STOP_BEFORE, 0.0)
            n += 1
        signal = np.array([min(max(left, 0.0), FAR), free], np.float32)
        return observe_agents(agents, car) | {"signal": signal}, hazards[:n]

    def fill(self, scene: Scene, route: np.ndarray) -> Scene:
        """
        Add what the car last saw to the scene of a picture.

        :param scene: scene of the car and its route
        :param route: records of :data:`~.records.ROUTE_POINT`
        :return: the scene with the other road users, those that were hit, the car's outline, and the stop lines on the route
        """
        ego, events, seen = self._ego, self._events, self._traffic.seen
        lines = []
        for line in events.lines:
            point = route[int(line.distance)]
            state = STOP_SIGN if line.is_stop_sign else STATES.get(self._signals.state(line), GREEN)
            yaw = np.arctan2(point["sin"], point["cos"])
            lines.append((point["x"], point["y"], yaw, LANE_WIDTH, state, True))
        return scene._replace(
            box=CarBox(2.0 * ego.half_length, 2.0 * ego.half_width, 2.0 * ego.half_length - ego.front),
            agents=np.array(list(seen.values()), AGENT),
            faults={row: events.touched[number] for row, number in enumerate(seen) if number in events.touched},
            stop_lines=np.array(lines, STOP_LINE),
        )

    def _next_line(self, car: Any) -> tuple[float, bool]:
        """Distance from the bumper to the next stop line [m], and whether the car may drive over it."""
        for line in self._events.lines:
            left = line.distance - float(car["progress"]) - self._ego.front
            # once the bumper is beyond the line by this distance, the car goes on
            if left < -STOP_BEFORE:
                continue
            state = self._signals.state(line)
            return left, may_go(line, state, self._events.stopped_at(line), left, float(car["speed"]))
        return FAR, True
