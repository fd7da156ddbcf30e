"""Pedestrians: when they step out, how they cross, and that nobody runs into them."""

import numpy as np
import pytest

from sb3_delta_waypoint.driving.agents.walkers import CLEARANCE, REACTION
from tests.driving.agents.worlds import World, overlapping, straight_road


@pytest.fixture(scope="module")
def road():
    return straight_road(300.0)


def waiting(world):
    return world.drivers["walked"][0] == 0.0


def with_a_car(road, left, speed):
    """A world with a pedestrian so far from the car's front bumper."""
    world = World(road)
    world.put_car(10.0, speed)
    at = 10.0 + 3.7 + left
    x = world.simulation.world.routes[0]["x"][0] + at
    world.pedestrian(0, x, at)
    return world


def test_it_steps_out_only_when_the_car_can_still_stop(road):
    speed = 8.0
    needed = CLEARANCE + REACTION * speed + speed * speed / (2.0 * 3.0)
    for left, steps_out in ((needed - 0.1, False), (needed + 0.1, True), (31.0, False)):
        world = with_a_car(road, left, speed)
        world.step()
        assert waiting(world) != steps_out, left
    # and not behind a car that has passed
    world = with_a_car(road, -1.0, 0.0)
    world.step(5)
    assert waiting(world)


def test_some_only_stand_there(road):
    world = with_a_car(road, 20.0, 3.0)
    world.drivers["steps_out"][0] = -np.inf
    world.step(100)
    assert waiting(world) and world.agents["speed"][0] == 0.0


def test_it_goes_by_the_clock_where_nobody_reacts_to_the_car(road):
    world = with_a_car(road, 2.0, 8.0)
    world.situation["deaf"], world.drivers["starts"][0] = True, 7
    world.step(7)
    assert waiting(world)
    world.step()
    assert not waiting(world)


def test_it_crosses_fully_and_stays_there(road):
    world = with_a_car(road, 20.0, 0.0)
    seen = []
    for _ in range(80):
        world.step()
        seen.append(float(world.agents["y"][0]))
    assert np.all(np.diff(seen) >= 0.0) and max(np.diff(seen)) == pytest.approx(0.15)
    assert 3.0 <= seen[-1] < 3.2 and world.agents["speed"][0] == 0.0


@pytest.mark.parametrize("ahead", [10.0, 25.0, 50.0])
def test_vehicles_stop_for_it_or_are_let_by(road, ahead):
    world = with_a_car(road, 20.0, 0.0)
    x = world.agents["x"][0]
    world.situation["deaf"], world.drivers["starts"][0] = True, 0
    world.vehicle(1, 0, x - ahead, 9.0)
    passed = first = False
    for _ in range(250):
        world.step()
        assert not overlapping(world.agents)
        on_the_lane = world.drivers["walked"][0] > 0.0 and abs(world.agents["y"][0]) < 1.75
        passed = passed or world.drivers["along"][1] > x
        first = first or (passed and waiting(world))
        assert not (on_the_lane and abs(world.drivers["along"][1] - x) < 2.0)
    assert not waiting(world) and passed, "both have got on"
    # those are let by who could no longer stop
    assert first == (ahead < 24.0)


def test_it_waits_for_who_comes_from_the_lane_before():
    from sb3_delta_waypoint.driving.lanes import make_lanes
    from sb3_delta_waypoint.driving.network import from_segments
    from tests.driving.agents.worlds import line

    lanes = make_lanes(from_segments([line((100, 0), (300, 0)), line((0, 0), (100, 0))], [[], [0]]), 3.5)
    world = World(lanes)
    world.put_car(0.0, 0.0)
    world.pedestrian(0, 103.0, 23.7)
    world.drivers["crossed_along"][0][0] = 3.0
    world.vehicle(1, 1, 90.0, 10.0)
    world.step()
    assert waiting(world), "10 m/s, 11 m before its way"
    for _ in range(60):
        world.step()
        assert not overlapping(world.agents)
    assert not waiting(world)


def test_it_does_not_walk_into_who_stands_on_its_way(road):
    world = with_a_car(road, 20.0, 0.0)
    x = world.agents["x"][0]
    world.vehicle(1, 0, x + 1.0, 0.0, pace_share=1e-6)
    world.step(50)
    assert waiting(world)
    world.vehicle(1, 0, x + 10.0, 0.0, pace_share=1e-6)
    world.step()
    assert not waiting(world)
