"""Events are counted as the leaderboard counts them."""

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("carla")

# ruff: noqa: E402 (the imports below need it)
from sb3_delta_waypoint.carla_bridge.ego import Collision
from sb3_delta_waypoint.carla_bridge.events import EventMonitor, StopLine
from sb3_delta_waypoint.carla_bridge.signals import may_go
from sb3_delta_waypoint.driving.records import CAR, ROUTE_POINT
from sb3_delta_waypoint.maps.carla_frame import pose_of
from tests.hills import hilly


class Road:
    """A straight road along x: lanes of 3.5 m, a junction beyond x = 100, nothing beyond |y| = 4."""

    def get_waypoint(self, location, project_to_road):
        assert not project_to_road
        if abs(location.y) > 4.0:
            return None
        return SimpleNamespace(is_junction=location.x > 100.0, lane_width=3.5)


class Drive:
    """A car on that road, step by step."""

    def __init__(self, *lines: StopLine, blocked_time: float = 180.0):
        self.monitor = EventMonitor(Road(), half_width=1.0, wheelbase=2.8, front=3.8, blocked_time=blocked_time)
        self.monitor.reset(lines)
        self.car = np.zeros(1, CAR)[0]
        self.tangent = np.array([(0.0, 0.0, 1.0, 0.0, 10.0)], ROUTE_POINT)[0]

    def step(self, x: float, y: float = 0.0, speed: float = 5.0, collisions=(), red=()) -> list[str]:
        before = float(self.car["progress"])
        self.car["x"], self.car["progress"], self.car["y"], self.car["lateral"], self.car["speed"] = x, x, y, y, speed
        return self.monitor.update(self.car, 0.0, self.tangent, before, [Collision(*c, frame=1) for c in collisions], set(red))


def test_the_same_actor_within_five_seconds_is_one_collision():
    drive = Drive()
    assert drive.step(1.0, collisions=[(7, "vehicle"), (7, "vehicle")]) == ["collision", "collision_vehicle"]
    for step in range(40):
        assert drive.step(1.0 + step, collisions=[(7, "vehicle")]) == []
    for _ in range(15):
        drive.step(50.0)
    assert drive.step(60.0, collisions=[(7, "vehicle")]) == ["collision", "collision_vehicle"]
    assert drive.monitor.counts["collision"] == 2


def test_who_was_touched_is_remembered_with_the_fault_of_the_first_contact():
    drive = Drive()
    drive.step(1.0, collisions=[(7, "vehicle")])
    drive.step(2.0, speed=0.0, collisions=[(7, "vehicle"), (8, "pedestrian")])
    assert drive.monitor.touched == {7: True, 8: False}
    drive.monitor.reset(())
    assert drive.monitor.touched == {}


def test_another_actor_at_the_same_place_is_the_same_collision():
    drive = Drive()
    drive.step(1.0, collisions=[(7, "vehicle")])
    assert drive.step(4.0, collisions=[(8, "pedestrian")]) == []
    assert drive.step(8.0, collisions=[(9, "pedestrian")]) == ["collision", "collision_pedestrian"]


def test_who_stands_is_run_into():
    drive = Drive()
    drive.step(1.0, speed=0.0)
    assert drive.step(1.0, speed=0.0, collisions=[(7, "vehicle")]) == []


def test_leaving_the_lane_and_the_road_count_once_each_time():
    drive = Drive()
    assert drive.step(1.0, y=0.7) == []
    assert drive.step(2.0, y=0.8) == ["lane_invasion"]
    assert drive.step(3.0, y=1.2) == []
    assert drive.step(4.0, y=4.5) == ["off_road"]
    assert drive.step(5.0, y=5.0) == []
    assert drive.step(6.0, y=0.0) == []
    assert drive.step(7.0, y=-4.5) == ["lane_invasion", "off_road"]
    drive.step(8.0)
    assert drive.step(110.0, y=1.5) == [], "in a junction there is no lane to leave"


def test_a_red_light_counts_once_and_a_green_one_does_not():
    drive = Drive(StopLine(20.0, "a", False), StopLine(40.0, "b", False))
    assert drive.step(19.0, red="a") == []
    assert drive.step(21.0, red="a") == ["red_light"]
    assert drive.step(19.5, red="a") == [] and drive.step(20.5, red="a") == []
    assert drive.step(41.0) == []


@pytest.mark.parametrize("stops", [True, False])
def test_a_stop_sign_wants_a_stop(stops):
    drive = Drive(StopLine(20.0, "sign", True))
    drive.step(10.0)
    drive.step(15.0, speed=0.0 if stops else 2.0)
    assert drive.monitor.stopped_at(drive.monitor.lines[0]) == stops
    assert drive.step(21.0) == ([] if stops else ["stop_sign"])


def test_who_does_not_move_is_blocked():
    drive = Drive(blocked_time=2.0)
    new = [drive.step(1.0, speed=0.05) for _ in range(20)]
    assert new[-1] == ["blocked"] and all(events == [] for events in new[:-1])
    drive = Drive(blocked_time=2.0)
    for _ in range(5):
        assert all(drive.step(1.0, speed=0.0) == [] for _ in range(15))
        drive.step(2.0, speed=1.0)


def test_who_may_go():
    light, sign = StopLine(20.0, "a", False), StopLine(20.0, "s", True)
    assert may_go(light, "Green", False, 10.0, 8.0) and not may_go(light, "Red", False, 10.0, 8.0)
    assert may_go(light, "Yellow", False, 5.0, 10.0) and not may_go(light, "Yellow", False, 20.0, 10.0)
    assert may_go(sign, "Green", True, 2.0, 0.0) and not may_go(sign, "Green", False, 2.0, 0.0)


def test_a_car_beside_its_lane_in_the_hills_is_not_taken_to_be_off_the_road(shared_data):
    carla = pytest.importorskip("carla")
    road_map = carla.Map("Town01", hilly(shared_data("Town01.xodr").read_text()))
    for lane in road_map.generate_waypoints(25.0):
        drive = Drive()
        drive.monitor = EventMonitor(road_map, half_width=0.9, wheelbase=2.8, front=3.8, blocked_time=180.0)
        x, y, yaw = pose_of(lane.transform)
        drive.car["x"], drive.car["y"], drive.car["yaw"], drive.car["lateral"] = x, y, yaw, 0.5
        tangent = np.array([(x, y, np.cos(yaw), np.sin(yaw), 10.0)], ROUTE_POINT)[0]
        assert drive.monitor.update(drive.car, lane.transform.location.z, tangent, 0.0, [], set()) == []
