"""Vehicles that drive by themselves. The world without sockets."""

import math

import numpy as np
import pytest

pytest.importorskip("carla")

from sb3_delta_waypoint.carla_bridge.loopback.road_map import RoadMap, map_readers  # noqa: E402
from sb3_delta_waypoint.carla_bridge.loopback.world import LoopbackWorld  # noqa: E402
from sb3_delta_waypoint.driving.signals import GREEN, RED  # noqa: E402
from sb3_delta_waypoint.maps.town import NAME, town  # noqa: E402

TOWN = RoadMap(NAME, town())
DT = 0.1


def traffic(world: LoopbackWorld, points) -> list:
    return [world.spawn([0, "vehicle.nissan.micra", [["role_name", 4, "autopilot"]]], point) for point in points]


def speeds(world: LoopbackWorld, actors) -> np.ndarray:
    return np.array([world.bodies[actor.row]["speed"] for actor in actors])


def test_it_follows_the_lanes_within_the_limits_and_keeps_going_without_accidents():
    world = LoopbackWorld(TOWN, 0)
    actors = traffic(world, TOWN.spawn_points[::4])
    travelled = np.zeros(len(actors))
    lanes, off_lane, too_fast = TOWN.lanes, [], []
    for step in range(1500):
        assert world.step(DT) == 0, "no collision"
        now = speeds(world, actors)
        travelled += now * DT
        if step % 20 == 0:
            for actor in actors:
                body, driver = world.bodies[actor.row], world.drivers[actor.row]
                point = lanes.network.offsets[driver["segment"]] + int(driver["along"] / lanes.spacing[driver["segment"]])
                off_lane.append(np.hypot(*(lanes.network.points - (body["x"], body["y"])).T).min())
                too_fast.append(body["speed"] - 1.1 * lanes.network.speeds[point])
    assert max(off_lane) < 1.0
    assert max(too_fast) < 1.5
    assert travelled.min() > 500.0, "nobody is stuck"


def test_it_waits_for_what_stands_in_the_way_and_goes_on_when_it_is_gone():
    world = LoopbackWorld(TOWN, 0)
    (x, y, z), rotation = TOWN.spawn_points[0]
    (car,) = traffic(world, [[[x, y, z], rotation]])
    yaw = math.radians(rotation[1])
    obstacle = world.spawn([0, "static.prop.container", []], [[x + 30 * math.cos(yaw), y + 30 * math.sin(yaw), 0.0], rotation])
    for _ in range(150):
        assert world.step(DT) == 0
    assert speeds(world, [car])[0] < 0.1
    assert 15.0 < math.hypot(world.rows[car.row]["x"] - x, world.rows[car.row]["y"] - y) < 26.0
    world.destroy(obstacle.id)
    for _ in range(50):
        world.step(DT)
    assert speeds(world, [car])[0] > 3.0


def test_it_stops_for_a_walker_about_to_cross():
    world = LoopbackWorld(TOWN, 0)
    (x, y, z), rotation = TOWN.spawn_points[0]
    (car,) = traffic(world, [[[x, y, z], rotation]])
    yaw = math.radians(rotation[1])
    ahead, right = (math.cos(yaw), math.sin(yaw)), (-math.sin(yaw), math.cos(yaw))
    place = [x + 40 * ahead[0] + 9 * right[0], y + 40 * ahead[1] + 9 * right[1], 1.0]
    walker = world.spawn([0, "walker.pedestrian.0001", []], [place, rotation])
    world.controls[walker.row] = (-right[0], right[1], 1.2, False, False)
    for _ in range(200):
        assert world.step(DT) == 0
    assert speeds(world, [car])[0] > 3.0, "and drives on"


def test_the_same_scene_plays_the_same_way_whatever_was_there_before():
    worlds = LoopbackWorld(TOWN, 0), LoopbackWorld(TOWN, 0)
    gone = traffic(worlds[1], TOWN.spawn_points[50:55])
    for actor in gone:
        worlds[1].destroy(actor.id)
    actors = [traffic(world, TOWN.spawn_points[::9]) for world in worlds]
    for _ in range(600):
        for world in worlds:
            world.step(DT)
    places = [
        [(float(world.rows[a.row]["x"]), float(world.rows[a.row]["y"])) for a in some]
        for world, some in zip(worlds, actors, strict=True)
    ]
    assert places[0] == places[1]


def test_a_client_can_switch_it_on_and_off():
    world = LoopbackWorld(TOWN, 0)
    car = world.spawn([0, "vehicle.audi.tt", []], TOWN.spawn_points[3])
    for wanted, moves in ((True, True), (False, False)):
        world.set_autopilot(car, wanted)
        if not wanted:
            world.controls[car.row] = (0.0, 0.0, 1.0, False, False)
        for _ in range(50):
            world.step(DT)
        assert (speeds(world, [car])[0] > 1.0) == moves


@pytest.fixture(scope="module")
def town01(shared_data) -> RoadMap:
    return next(iter(map_readers([shared_data("Town01.xodr")]).values()))()


class TestLights:
    """On CARLA's Town01, which has signals."""

    def test_there_is_one_per_signal_green_until_told_otherwise(self, town01):
        world = LoopbackWorld(town01, 0)
        assert len(world.lights.number) == 36
        world.step(DT)
        assert (world.lights.phases.state == GREEN).all()

    def test_traffic_stops_at_red_and_starts_at_green(self, town01):
        world = LoopbackWorld(town01, 0)
        actors = traffic(world, town01.spawn_points[::6])
        for light in world.lights.number:
            world.lights.set_state(light, RED)
        for _ in range(900):
            assert world.step(DT) == 0
        assert (speeds(world, actors) < 0.1).mean() > 0.8
        for light in world.lights.number:
            world.lights.set_state(light, GREEN)
        for _ in range(100):
            world.step(DT)
        assert (speeds(world, actors) > 1.0).mean() > 0.4

    def test_lights_of_a_junction_take_turns(self, town01):
        world = LoopbackWorld(town01, 0)
        world.lights.freeze(False)
        seen = np.zeros(len(world.lights.phases.state), bool)
        for _ in range(600):
            world.step(DT)
            for group in world.lights.phases.groups:
                assert (world.lights.phases.state[group] == GREEN).sum() <= 1
            seen |= world.lights.phases.state == GREEN
        assert seen.all()
