"""What the car sees of its surroundings: other road users, lights, stop signs, speed limits and lanes."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from sb3_delta_waypoint.carla_bridge.ego import Collision, Ego
from sb3_delta_waypoint.carla_bridge.events import EventMonitor
from sb3_delta_waypoint.carla_bridge.signals import FAR, STOP_BEFORE, Signals, may_go
from sb3_delta_waypoint.carla_bridge.traffic import Traffic
from sb3_delta_waypoint.contract import GROUPS, ROUTE_POINTS, ROUTE_SPACING
from sb3_delta_waypoint.driving.frames import Pose
from sb3_delta_waypoint.driving.lanes import Lanes
from sb3_delta_waypoint.driving.measured_drive import MeasuredDrive
from sb3_delta_waypoint.driving.observation import observe_agents
from sb3_delta_waypoint.driving.score import Surroundings
from sb3_delta_waypoint.driving.signals import GREEN, RED, YELLOW
from sb3_delta_waypoint.driving.yielding import HAZARD, find_hazards
from sb3_delta_waypoint.rendering.road import LANE_WIDTH
from sb3_delta_waypoint.rendering.scene import STOP_LINE, STOP_SIGN, CarBox, Scene

STATES = {"Red": RED, "Yellow": YELLOW, "Green": GREEN}
"""States of lights by CARLA's names; a light that is off stops nobody."""


NO_LIMIT = GROUPS["speed_limit"].column("limit").high
"""Observed where there is no speed limit [m/s]."""


class Lookout:
    """
    Other road users, signals, limits and lanes, as observations, as hazards, and for the score.

    :param traffic: the other road users
    :param signals: signals of the map
    :param ego: the car
    :param events: event monitor, which holds the stop lines on the route and where the car has stopped
    :param lanes: the lanes of the map; None for a strip about the route
    """

    def __init__(self, traffic: Traffic, signals: Signals, ego: Ego, events: EventMonitor, lanes: Lanes | None):
        self._traffic, self._signals, self._ego, self._events, self._lanes = traffic, signals, ego, events, lanes

    def begin(self, seed: int, start: Pose, route: np.ndarray, heights: np.ndarray) -> None:
        """Place the other road users of a scenario; see :meth:`~.traffic.Traffic.begin`."""
        self._traffic.begin(seed, start, route, heights)

    def look(self, drive: MeasuredDrive, snapshot: Any) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """
        Observe the surroundings.

        :param drive: the drive of the car, measured at this tick
        :param snapshot: ``carla.WorldSnapshot`` of the same tick
        :return: ``agents``, ``agents_valid``, ``signal`` and ``speed_limit``; and the hazards, records of
            :data:`~.yielding.HAZARD`
        """
        car, traffic = drive.cars[0], self._traffic
        traffic.see(snapshot)
        traffic.walk(float(car["progress"]), float(car["speed"]), self._ego.front)
        agents = traffic.agents[traffic.agents["present"]]
        hazards = np.zeros(len(agents) + 1, HAZARD)
        n = find_hazards(car, drive.routes[0], agents, self._ego.half_width, self._ego.front, hazards)
        left, free = self._next_line(car)
        if not free:
            hazards[n] = (car["progress"] + left - STOP_BEFORE, 0.0)
            n += 1
        signal = np.array([min(max(left, 0.0), FAR), free], np.float32)
        limits = np.minimum(drive.limits(ROUTE_SPACING * np.arange(1, ROUTE_POINTS + 1)), NO_LIMIT).astype(np.float32)
        return observe_agents(agents, car) | {"signal": signal, "speed_limit": limits}, hazards[:n]

    def surroundings(self, drive: MeasuredDrive, progress_before: float, collisions: Iterable[Collision]) -> Surroundings:
        """
        What counts in the score of a step. The contacts of the step are counted.

        :param drive: the drive of the car, measured at the tick of the last :meth:`look`
        :param progress_before: arc length of the car before the step [m]
        :param collisions: collisions reported during the step
        :return: the surroundings of the car
        """
        traffic = self._traffic
        standing = drive.stand(self._lanes)
        touched = {collision.other for collision in collisions}
        drive.touch(traffic.agents, traffic.before, np.array([n in touched for n in traffic.numbers], np.bool_), standing)
        before, now = (float(at) + self._ego.front for at in (progress_before, drive.cars[0]["progress"]))
        crossed = [line for line in self._events.lines if before < line.distance <= now]
        red = any(not line.is_stop_sign and self._signals.state(line) == "Red" for line in crossed)
        return Surroundings(traffic.agents, standing, float(drive.limits()), True, bool(crossed), red)

    def fill(self, scene: Scene, route: np.ndarray) -> Scene:
        """
        Add what the car last saw to the scene of a picture.

        :param scene: scene of the car and its route
        :param route: records of :data:`~.records.ROUTE_POINT`
        :return: the scene with the other road users, those that were hit, the car's outline, and the stop lines on the route
        """
        ego, events, traffic = self._ego, self._events, self._traffic
        present = traffic.agents["present"]
        seen = np.array(traffic.numbers, np.int64)[present].tolist()
        lines = []
        for line in events.lines:
            point = route[int(line.distance)]
            state = STOP_SIGN if line.is_stop_sign else STATES.get(self._signals.state(line), GREEN)
            yaw = np.arctan2(point["sin"], point["cos"])
            lines.append((point["x"], point["y"], yaw, LANE_WIDTH, state, True))
        return scene._replace(
            box=CarBox(2.0 * ego.half_length, 2.0 * ego.half_width, 2.0 * ego.half_length - ego.front),
            agents=traffic.agents[present],
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
