"""The scene of a car among others, taken from the world that it drives in."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from sb3_delta_waypoint.driving.agents.records import SITUATION
from sb3_delta_waypoint.driving.lanes import StopLine, make_lanes
from sb3_delta_waypoint.driving.network import from_segments, resample
from sb3_delta_waypoint.driving.records import AGENT
from sb3_delta_waypoint.driving.signals import light_state
from sb3_delta_waypoint.envs import ToyWaypointEnv
from sb3_delta_waypoint.rendering.scene import scene


@pytest.fixture(scope="module")
def alone():
    env = ToyWaypointEnv()
    env.reset(seed=3)
    return env.simulation


def test_a_car_on_lanes_is_shown_among_others(alone):
    network = from_segments([resample(np.array([[0.0, 0.0], [40.0, 0.0]]), np.full(2, 10.0))], [()])
    lanes = make_lanes(network, 3.5, stop_lines=[StopLine(0, 30.0, 0)], lights=[(0, 0, 2)])
    world = alone.world._replace(agents=np.zeros((1, 2), AGENT), situations=np.zeros(1, SITUATION))
    world.situations["seed"] = 17
    totals = alone.totals.copy()
    drive = SimpleNamespace(
        cars=alone.cars, totals=totals, routes=alone.routes, world=world, config=replace(alone.config, lanes=lanes)
    )
    states = []
    for steps in range(0, 600, 10):
        totals["steps"] = steps
        shown = scene(drive, 0, {}, np.zeros((0, 2)), 0, {1: True})
        (state,) = shown.stop_lines["state"]
        assert state == light_state(np.uint64(17), lanes.lights[0], 0.1 * steps)
        states.append(int(state))
    assert set(states) == {0, 1, 2}
    assert shown.agents is not None and len(shown.agents) == 2 and dict(shown.faults) == {1: True} and shown.lanes is lanes
    vehicle = alone.config.vehicle
    assert shown.box == (vehicle.length, vehicle.width, vehicle.rear_overhang)


def test_a_car_alone_is_shown_alone(alone):
    shown = scene(alone, 0, {}, np.zeros((0, 2)), 0)
    assert shown.agents is None and shown.lanes is None and shown.stop_lines is None and shown.box is None
