"""
What happens on the way, counted as CARLA's leaderboard counts it.

The rules are those of ScenarioRunner's ``atomic_criteria`` (CollisionTest, RunningRedLightTest, RunningStopTest,
ActorBlockedTest), which the leaderboard uses. All of them look at measurements of the same tick, so an episode has the same
events each time.
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
"""What can happen, apart from the outcomes that each episode has."""
COLLISION_KINDS = ("vehicle", "pedestrian", "static")

SAME_ACTOR_TIME = 5.0
"""Hitting the same actor again within this time [s] is the same collision …"""
SAME_PLACE_RADIUS = 5.0
"""… and so is hitting anything else within this distance of where it happened [m]."""
FAULTLESS_SPEED = 0.1
"""A car slower than this was run into [m/s]."""
STOPPED_SPEED = 0.1
"""A car slower than this stands [m/s]."""
STOP_DISTANCE = 4.0
"""Who has stood within this distance of a stop line has stopped there [m]."""
ROUTE_MARGIN = 0.4
"""Nearer to the middle of its lane than this, a car has not left it [m]: the map need not be asked."""


class StopLine(NamedTuple):
    """A line on the route at which something may have to be waited for."""

    distance: float
    """Arc length on the route [m]."""
    name: str
    """Whose line it is: one event for each."""
    is_stop_sign: bool


class EventMonitor:
    """
    Counts what happens in an episode.

    :param road_map: ``carla.Map``
    :param half_width: of the car [m]
    :param wheelbase: of the car [m]
    :param front: from the rear axle to the bumper [m]
    :param blocked_time: who has not moved for so long is blocked [s]
    """

    def __init__(self, road_map: Any, half_width: float, wheelbase: float, front: float, blocked_time: float):
        self._map = road_map
        self._half_width, self._wheelbase, self._front = half_width, wheelbase, front
        self._blocked_time = blocked_time
        self.reset(())

    def reset(self, lines: Sequence[StopLine]) -> None:
        """
        Begin an episode.

        :param lines: on its route
        """
        self.counts = dict.fromkeys((*EVENTS, *(f"collision_{kind}" for kind in COLLISION_KINDS)), 0)
        self.lines = lines
        self._seconds = 0.0
        self._standing = 0.0
        self._last_other: int | None = None
        self._last_time = 0.0
        self._last_place: Pose | None = None
        self._off_road = self._out_of_lane = False
        self._passed: set[str] = set()
        self._stopped: set[str] = set()

    def stopped_at(self, line: StopLine) -> bool:
        """Whether the car has stood at a line."""
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
        What one control step has brought.

        :param car: record of :data:`~.records.CAR`, measured after the step
        :param height: of the car, measured [m]
        :param tangent: of the route where the car is, record of :data:`~.records.ROUTE_POINT`
        :param progress_before: arc length of the car before the step [m]
        :param collisions: that were reported in it
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
        faultless = car["speed"] - CONTROL_DT * car["acceleration"] < FAULTLESS_SPEED
        if collision.other == self._last_other or self._last_place is not None or faultless:
            return []
        self._last_other, self._last_time, self._last_place = collision.other, self._seconds, here
        return ["collision", f"collision_{collision.kind}"]

    def _leaving(self, car: Record, height: float, tangent: Record) -> list[str]:
        """Wheels over the edge of the lane, and the car off the driving lanes altogether: once each time."""
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
        """The rear axle over a line whose light is red, or past a stop sign without having stood."""
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
