"""
Events of an episode, such as collisions and red lights run, counted as in CARLA's leaderboard.

The rules are those of ScenarioRunner's ``atomic_criteria`` (CollisionTest, RunningRedLightTest, RunningStopTest,
ActorBlockedTest), which the leaderboard uses. All of them use measurements of the same tick, so that a replay has the same
events.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sb3_delta_waypoint.carla_bridge.ego import Collision
from sb3_delta_waypoint.contract import CONTROL_DT
from sb3_delta_waypoint.driving.frames import Pose
from sb3_delta_waypoint.driving.records import Record
from sb3_delta_waypoint.maps.carla_frame import location_of

EVENTS = ("collision", "lane_invasion", "off_road", "red_light", "stop_sign", "blocked")
"""Names of the events, apart from the outcomes that every env has."""
COLLISION_KINDS = ("vehicle", "pedestrian", "static")

SAME_ACTOR_TIME = 5.0
"""Time within which further contacts with the same actor belong to the same collision [s]."""
SAME_PLACE_RADIUS = 5.0
"""Distance from a collision within which further contacts with anything belong to it [m]."""
FAULTLESS_SPEED = 0.1
"""Speed below which the car is not at fault in a collision [m/s]."""
STOPPED_SPEED = 0.1
"""Speed below which the car counts as standing [m/s]."""
STOP_DISTANCE = 4.0
"""Largest distance from a stop line at which a standing car has stopped at it [m]."""
ROUTE_MARGIN = 0.4
"""Lateral offset up to which a car is surely within its lane, so that the map need not be queried [m]."""


class StopLine(NamedTuple):
    """A stop line on the route, of a traffic light or a stop sign."""

    distance: float
    """Arc length on the route [m]."""
    name: str
    """Name of its light or sign, which counts as one event at most."""
    is_stop_sign: bool


class EventMonitor:
    """
    A monitor that detects the events of an episode.

    :param road_map: ``carla.Map``
    :param half_width: half the width of the car [m]
    :param wheelbase: wheelbase of the car [m]
    :param front: distance from the rear axle to the front bumper [m]
    :param blocked_time: seconds of standstill after which the car counts as blocked
    """

    def __init__(self, road_map: Any, half_width: float, wheelbase: float, front: float, blocked_time: float):
        self._map = road_map
        self._half_width, self._wheelbase, self._front = half_width, wheelbase, front
        self._blocked_time = blocked_time
        self.reset(())

    def reset(self, lines: Sequence[StopLine]) -> None:
        """
        Begin an episode.

        :param lines: stop lines on its route
        """
        self.counts = dict.fromkeys((*EVENTS, *(f"collision_{kind}" for kind in COLLISION_KINDS)), 0)
        self.lines = lines
        self._seconds = 0.0
        self._standing = 0.0
        self._last_other: int | None = None
        self._last_time = 0.0
        self._last_place: Pose | None = None
        self._off_road = self._out_of_lane = False
        self.touched: dict[int, bool] = {}
        """Actors that the car has touched, by id, and whether it was at fault at the first contact."""
        self._passed: set[str] = set()
        self._stopped: set[str] = set()

    def stopped_at(self, line: StopLine) -> bool:
        """Whether the car has stopped at a line."""
        return line.name in self._stopped

    def update(
        self,
        car: Record,
        height: float,
        tangent: Record,
        progress_before: float,
        collisions: Iterable[Collision],
        red: set[str],
    ) -> list[str]:
        """
        Detect the events of one control step.

        :param car: record of :data:`~.records.CAR`, measured after the step
        :param height: measured height of the car [m]
        :param tangent: record of :data:`~.records.ROUTE_POINT`, the route point at the car
        :param progress_before: arc length of the car before the step [m]
        :param collisions: collisions reported during the step
        :param red: names of the lines whose light was red
        :return: names of the new events
        """
        self._seconds += CONTROL_DT
        new = [name for collision in collisions for name in self._collision(collision, car)]
        new += self._leaving(car, height, tangent)
        new += self._lines_crossed(car, progress_before, red)
        self._standing = self._standing + CONTROL_DT if car["speed"] < STOPPED_SPEED else 0.0
        if self._standing >= self._blocked_time:
            new.append("blocked")
            self._standing = 0.0
        for name in new:
            self.counts[name] += 1
        return new

    def _collision(self, collision: Collision, car: Record) -> list[str]:
        here = (float(car["x"]), float(car["y"]), 0.0)
        if self._last_place is not None and math.dist(here, self._last_place) > SAME_PLACE_RADIUS:
            self._last_place = None
        if self._seconds - self._last_time > SAME_ACTOR_TIME:
            self._last_other = None
        faultless = bool(car["speed"] - CONTROL_DT * car["acceleration"] < FAULTLESS_SPEED)
        self.touched.setdefault(collision.other, not faultless)
        if collision.other == self._last_other or self._last_place is not None or faultless:
            return []
        self._last_other, self._last_time, self._last_place = collision.other, self._seconds, here
        return ["collision", f"collision_{collision.kind}"]

    def _leaving(self, car: Record, height: float, tangent: Record) -> list[str]:
        """Events of wheels crossing the edge of the lane, and of the car leaving the driving lanes, once each time."""
        turned = math.sin(car["yaw"]) * tangent["cos"] - math.cos(car["yaw"]) * tangent["sin"]
        deviation = max(abs(car["lateral"]), abs(car["lateral"] + self._wheelbase * turned))
        if deviation < ROUTE_MARGIN:
            self._off_road = self._out_of_lane = False
            return []
        location = location_of(float(car["x"]), float(car["y"]), height)
        waypoint = self._map.get_waypoint(location, project_to_road=False)
        off_road = waypoint is None
        out_of_lane = off_road or (not waypoint.is_junction and deviation + self._half_width > 0.5 * waypoint.lane_width)
        new = []
        if out_of_lane and not self._out_of_lane:
            new.append("lane_invasion")
        if off_road and not self._off_road:
            new.append("off_road")
        self._off_road, self._out_of_lane = off_road, out_of_lane
        return new

    def _lines_crossed(self, car: Record, progress_before: float, red: set[str]) -> list[str]:
        """Events of the rear axle crossing a line whose light is red, or a stop line without a stop."""
        new = []
        for line in self.lines:
            if (
                line.is_stop_sign
                and car["speed"] < STOPPED_SPEED
                and -1.0 < line.distance - car["progress"] - self._front < STOP_DISTANCE
            ):
                self._stopped.add(line.name)
            if line.name in self._passed or not progress_before < line.distance <= car["progress"]:
                continue
            self._passed.add(line.name)
            if line.is_stop_sign and line.name not in self._stopped:
                new.append("stop_sign")
            elif not line.is_stop_sign and line.name in red:
                new.append("red_light")
        return new
