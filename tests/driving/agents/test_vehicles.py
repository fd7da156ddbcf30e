"""Vehicles on their lanes: the intelligent driver model, and what they stop for."""

import math

import numpy as np
import pytest

from sb3_delta_waypoint.driving.signals import GREEN, RED, light_state
from tests.driving.agents.worlds import World, box_of, boxes_overlap, straight_road


def idm(v, v0, gap, closing, a=1.5, b=2.0, t=1.5, s0=2.0):
    """Treiber, Hennecke and Helbing (2000), as printed there."""
    wished = s0 + max(0.0, v * t + v * closing / (2.0 * math.sqrt(a * b)))
    return a * (1.0 - (v / v0) ** 4 - (wished / gap) ** 2)


@pytest.fixture(scope="module")
def road():
    return straight_road(1000.0)


def test_alone_and_behind_a_leader_it_accelerates_as_the_model_says(road):
    world = World(road)
    world.vehicle(0, 0, 100.0, 8.0)
    world.step()
    assert world.drivers["acceleration"][0] == pytest.approx(idm(8.0, 10.0, np.inf, 0.0))
    assert world.agents["speed"][0] == pytest.approx(8.0 + 0.1 * idm(8.0, 10.0, np.inf, 0.0))

    world.vehicle(0, 0, 100.0, 8.0)
    world.vehicle(1, 0, 130.0, 5.0)
    world.step()
    assert world.drivers["acceleration"][0] == pytest.approx(idm(8.0, 10.0, 26.0, 3.0))
    # moved by half of what the speed has changed
    assert world.drivers["along"][0] == pytest.approx(100.8 + 0.5 * 0.01 * idm(8.0, 10.0, 26.0, 3.0))

    world.vehicle(1, 0, 108.0, 0.0, max_acceleration=1e-9)
    world.vehicle(0, 0, 100.0, 8.0)
    world.step()
    assert world.drivers["acceleration"][0] == -6.0, "nobody brakes harder"


def test_who_is_too_fast_slows_down_comfortably(road):
    world = World(road)
    world.vehicle(0, 0, 100.0, 20.0)
    world.step()
    assert world.drivers["acceleration"][0] == -2.0


def test_followers_settle_at_the_gap_of_equilibrium(road):
    world = World(road)
    world.vehicle(0, 0, 20.0, 5.0)
    world.vehicle(1, 0, 40.0, 5.0, pace_share=0.5)
    world.step(600)
    v = world.agents["speed"][1]
    assert v == pytest.approx(5.0, abs=0.01) and world.agents["speed"][0] == pytest.approx(v, abs=0.01)
    assert world.gap(0, 1) == pytest.approx((2.0 + 1.5 * v) / math.sqrt(1.0 - (v / 10.0) ** 4), rel=0.01)


def test_it_stops_behind_who_stands(road):
    world = World(road)
    world.vehicle(0, 0, 100.0, 10.0)
    world.vehicle(1, 0, 160.0, 0.0, pace_share=1e-6)
    for _ in range(300):
        world.step()
        assert world.gap(0, 1) > 1.0
    assert world.agents["speed"][0] < 0.2 and world.gap(0, 1) == pytest.approx(2.0, abs=0.5)


def test_at_the_end_of_the_road_it_stops():
    world = World(straight_road(80.0))
    world.vehicle(0, 0, 20.0, 10.0)
    world.step(300)
    assert world.agents["speed"][0] < 0.05 and 70.0 < world.drivers["along"][0] < 78.0


@pytest.mark.parametrize("deaf", [False, True])
def test_it_stops_behind_the_car_unless_it_is_deaf(road, deaf):
    world = World(road)
    world.situation["deaf"] = deaf
    world.put_car(20.0, 0.0)
    here = world.situation["segment"][0], 20.0 - world.situation["begins"][0] - 40.0
    world.vehicle(0, *here, 8.0)
    hit = False
    for _ in range(150):
        world.step()
        car = world.car["x"] + 1.35, world.car["y"], world.car["yaw"], 4.7, 1.9
        hit = hit or boxes_overlap(car, box_of(world.agents[0]))
    assert hit == deaf
    assert (world.agents["speed"][0] < 0.1) == (not deaf)


def test_it_waits_for_green():
    lanes = straight_road(200.0, stop_at=100.0, lights=[(0, 0, 2)])
    world = World(lanes)
    seed, light = world.situation["seed"], lanes.lights[0]
    states = [light_state(seed, light, 0.1 * k) for k in range(700)]
    world.vehicle(0, 0, 60.0, 8.0)
    stood = False
    for state in states:
        front = world.drivers["along"][0] + 2.0
        world.step()
        crossed = front < 100.0 <= world.drivers["along"][0] + 2.0
        assert not (crossed and state == RED)
        stood = stood or (state == RED and front > 97.0 and world.agents["speed"][0] < 0.1)
        if crossed:
            assert state == GREEN
    assert stood and world.drivers["along"][0] > 150.0
