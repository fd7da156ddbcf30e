"""Boxes that touch, and what driving into them does."""

import math

import numpy as np
import pytest

carla = pytest.importorskip("carla")

from sb3_delta_waypoint.carla_bridge.loopback.bodies import BODY  # noqa: E402
from sb3_delta_waypoint.carla_bridge.loopback.boxes import boxes_overlap  # noqa: E402


def box(x: float, y: float, yaw: float, length: float, width: float):
    bodies = np.zeros(1, BODY)
    pose = {"x": x, "y": y, "yaw": yaw, "half_length": length / 2, "half_width": width / 2, "half_height": 1.0}
    for name, value in pose.items():
        bodies[0][name] = value
    return bodies[0]


def share_a_point(one, other) -> bool:
    """By brute force: whether a fine grid of points of one lies in the other."""
    grid = np.stack(np.meshgrid(np.linspace(-1, 1, 121), np.linspace(-1, 1, 121)), -1).reshape(-1, 2)
    along, aside = (grid * (one["half_length"], one["half_width"])).T
    x = one["x"] + along * math.cos(one["yaw"]) - aside * math.sin(one["yaw"]) - other["x"]
    y = one["y"] + along * math.sin(one["yaw"]) + aside * math.cos(one["yaw"]) - other["y"]
    cos, sin = math.cos(other["yaw"]), math.sin(other["yaw"])
    inside = (np.abs(x * cos + y * sin) <= other["half_length"]) & (np.abs(y * cos - x * sin) <= other["half_width"])
    return bool(inside.any())


def test_boxes_overlap_where_they_share_a_point():
    rng = np.random.default_rng(0)
    found = []
    for _ in range(400):
        one = box(0.0, 0.0, rng.uniform(-4, 4), rng.uniform(1, 5), rng.uniform(0.5, 2))
        other = box(*rng.uniform(-3, 3, 2), rng.uniform(-4, 4), rng.uniform(1, 5), rng.uniform(0.5, 2))
        overlap = share_a_point(one, other) or share_a_point(other, one)
        found.append(overlap)
        assert boxes_overlap(one, other) == overlap == boxes_overlap(other, one)
    assert 0.2 < np.mean(found) < 0.9
    above = one.copy()
    above["z"] = 3.0
    assert boxes_overlap(one, one) and not boxes_overlap(one, above)


@pytest.fixture
def crash(world, spawn, at):
    """A function that drives a car straight on with what is given 12 m ahead: the car, what it hit, and its collisions."""

    def crash(obstacle: str, right: float = 0.0, steps: int = 60):
        place = world.get_map().get_spawn_points()[0]
        car = spawn("vehicle.tesla.model3", place)
        other = spawn(obstacle, at(place, 12.0, right))
        sensor = spawn("sensor.other.collision", attach_to=car)
        events: list = []
        sensor.listen(events.append)
        for _ in range(steps):
            car.apply_control(carla.VehicleControl(throttle=0.7))
            world.tick()
        return car, other, events

    return crash


@pytest.mark.parametrize("obstacle", ["vehicle.nissan.micra", "walker.pedestrian.0001", "static.prop.streetbarrier"])
def test_a_car_stops_at_what_it_hits_and_says_what(world, crash, obstacle):
    car, other, events = crash(obstacle)
    assert events[0].actor.id == car.id and events[0].other_actor.id == other.id
    assert events[0].other_actor.type_id == obstacle
    # pushed back: it was heading the way of its spawn point
    assert events[0].normal_impulse.dot(car.get_transform().get_forward_vector()) < -1000.0
    gap = car.get_location().distance(other.get_location()) - car.bounding_box.extent.x - other.bounding_box.extent.x
    assert -0.01 < gap < 1.2
    assert car.get_velocity().length() < 0.5


def test_what_is_beside_the_way_is_passed(crash):
    car, other, events = crash("vehicle.nissan.micra", right=2.2)
    assert not events and car.get_velocity().length() > 5.0


def test_a_car_can_reverse_out_of_what_it_hit(world, crash):
    car, other, events = crash("static.prop.container")
    n_events, gap = len(events), car.get_location().distance(other.get_location())
    for _ in range(20):
        car.apply_control(carla.VehicleControl(throttle=0.5, reverse=True))
        world.tick()
    assert car.get_location().distance(other.get_location()) > gap + 1.0
    assert len(events) == n_events


def test_who_is_hit_is_told_too(world, spawn, at):
    place = world.get_map().get_spawn_points()[0]
    driver, victim = spawn("vehicle.tesla.model3", place), spawn("vehicle.audi.tt", at(place, 10.0))
    events: list = []
    sensor = spawn("sensor.other.collision", attach_to=victim)
    sensor.listen(events.append)
    driver.apply_control(carla.VehicleControl(throttle=0.7))
    for _ in range(40):
        world.tick()
    assert events[0].actor.id == victim.id and events[0].other_actor.id == driver.id
    assert events[0].normal_impulse.dot(place.get_forward_vector()) > 1000.0
