"""The vehicle that is driven."""

import math
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest

carla = pytest.importorskip("carla")

# ruff: noqa: E402 (the imports below need it)
from sb3_delta_waypoint.carla_bridge.ego import on_road
from sb3_delta_waypoint.carla_bridge.env import CarlaWaypointEnv
from sb3_delta_waypoint.carla_bridge.errors import SpawnPointOccupiedError
from sb3_delta_waypoint.maps.carla_frame import pose_of
from sb3_delta_waypoint.maps.route_file import write_routes
from sb3_delta_waypoint.maps.routes import Route
from tests.carla_bridge.conftest import drive, look_around
from tests.hills import hilly


@pytest.fixture(scope="module")
def env() -> Iterator[CarlaWaypointEnv]:
    with CarlaWaypointEnv(route_length=40.0) as env:
        yield env


def collision(frame: int) -> SimpleNamespace:
    """What the sensor says of a collision in a frame."""
    return SimpleNamespace(frame=frame, other_actor=SimpleNamespace(id=77, type_id="static.prop.barrel"))


@pytest.mark.parametrize("late", [1, 0])
def test_a_collision_of_an_earlier_episode_that_is_told_late_does_not_count(env, late):
    env.reset(seed=1)
    env._stage.ego._on_collision(collision(env.session.world.get_snapshot().frame - late))
    _, _, terminated, truncated, _ = env.step(env.expert_plan())
    assert not terminated and not truncated
    assert env._stage.events.counts["collision"] == 0


def test_a_collision_of_this_episode_counts_even_if_it_is_told_late(env):
    env.reset(seed=1)
    for _ in range(3):
        env.step(env.expert_plan())
    env._stage.ego._on_collision(collision(env.session.world.get_snapshot().frame - 1))
    _, _, terminated, _, info = env.step(env.expert_plan())
    assert terminated and info["episode_metrics"]["collision"] == 1.0


def test_a_vehicle_is_put_on_its_own_road_in_the_hills(shared_data):
    road_map = carla.Map("Town01", hilly(shared_data("Town01.xodr").read_text()))
    lanes = [lane.transform for lane in road_map.generate_waypoints(20.0)]
    found = [on_road(road_map, pose_of(lane), lane.location.z) for lane in lanes]
    assert max(place.location.distance(lane.location) for place, lane in zip(found, lanes, strict=True)) < 0.1
    tilts = [
        abs(math.remainder(place.rotation.pitch - lane.rotation.pitch, 360.0))
        for place, lane in zip(found, lanes, strict=True)
    ]
    assert np.mean(np.array(tilts) < 3.0) > 0.95, "the others are where roads join"
    assert any(on_road(road_map, pose_of(lane), 0.0).location.distance(lane.location) > 1.0 for lane in lanes), "too low"


def straight(tmp_path, env: CarlaWaypointEnv) -> str:
    """A file with one route, along the first drawn one."""
    route = env._source.route(0, 0)
    return str(write_routes(tmp_path / "routes.json", [Route("the one", None, route.points[:60], route.speeds[:60])]))


def test_an_occupied_start_is_named_and_a_drawn_one_is_drawn_anew(make, server, tmp_path):
    drawing = make(port=server.port)
    first, _ = drawing.reset(seed=0, options={"scenario": 0})
    path = straight(tmp_path, drawing)
    car = drawing.drive.cars[0]
    x, y = float(car["x"]), float(car["y"])
    drawing.close()
    _, world = look_around(server)
    container = world.get_blueprint_library().find("static.prop.container")
    obstacle = world.try_spawn_actor(container, carla.Transform(carla.Location(x, -y, 0.0)))
    assert obstacle is not None
    fixed = make(port=server.port, routes=path)
    with pytest.raises(SpawnPointOccupiedError, match=r"'the one' .* static.prop.container"):
        fixed.reset(seed=0)
    fixed.close()
    with make(port=server.port) as env:
        other, _ = env.reset(seed=0, options={"scenario": 0})
        assert (other["route"] != first["route"]).any()
        drive(env, 5)
    obstacle.destroy()
