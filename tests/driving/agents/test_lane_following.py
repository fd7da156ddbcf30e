"""Vehicles that follow lanes, on a road without a map."""

import numpy as np

from sb3_delta_waypoint.driving.agents.lane_following import Lanes, drive_traffic, join_lane, lane_conflicts
from sb3_delta_waypoint.driving.bodies import BODY, CONTROL, FIXED, VEHICLE
from sb3_delta_waypoint.driving.collisions import HIT, step_bodies
from sb3_delta_waypoint.driving.network import from_paths, from_segments
from sb3_delta_waypoint.driving.signals import GREEN, RED
from sb3_delta_waypoint.driving.vehicle import DYNAMICS, VehicleParameters

ROAD = from_paths([([(0.0, 0.0), (300.0, 0.0)], [8.0, 8.0])])


def bodies_at(*places):
    """Boxes of 4 m by 2 m, heading along x: the first is a vehicle that has joined its lane, the others stand."""
    bodies = np.zeros(len(places), BODY)
    bodies["x"], bodies["y"] = np.transpose(places)
    bodies["kind"], bodies["physics"], bodies["solid"] = FIXED, True, True
    bodies["kind"][0], bodies["axle"][0] = VEHICLE, 1.4
    bodies["half_length"], bodies["half_width"], bodies["half_height"] = 2.0, 1.0, 1.0
    bodies["direction"], bodies["held_speed"], bodies["mass"] = 1.0, np.nan, 1000.0
    bodies["throttle_lag"], bodies["brake_lag"] = 0.1, 0.1
    for name, value in zip(DYNAMICS, VehicleParameters(), strict=False):
        bodies[name] = value
    join_lane(bodies[0], ROAD)
    return bodies


def drive(bodies, seconds, stop_line=None, light=RED):
    """Where the first is and how fast, after some time."""
    controls, hits = np.zeros(len(bodies), CONTROL), np.zeros(8, HIT)
    governed = np.full(len(ROAD.points), -1)
    if stop_line is not None:
        governed[stop_line] = 0
    lanes = Lanes(ROAD, lane_conflicts(ROAD), governed)
    for _ in range(round(seconds / 0.1)):
        drive_traffic(bodies, controls, len(bodies), lanes, np.array([light]))
        assert step_bodies(bodies, controls, len(bodies), 0.1, hits) == 0, "a collision"
    return bodies[0]


def test_it_returns_to_its_lane_and_keeps_the_limit():
    car = drive(bodies_at((5.0, 1.5)), 20.0)
    assert abs(car["y"]) < 0.1 and abs(car["yaw"]) < 0.02
    assert 7.0 < car["speed"] < 8.1


def test_it_stops_behind_what_stands_in_its_way():
    car = drive(bodies_at((5.0, 0.0), (80.0, 0.0)), 30.0)
    assert car["speed"] < 0.05
    assert 1.0 < (80.0 - 2.0) - (car["x"] + 1.4 + 2.0) < 6.0


def test_it_stops_at_a_red_light_and_not_at_a_green_one():
    waiting = drive(bodies_at((5.0, 0.0)), 30.0, stop_line=60)
    assert waiting["speed"] < 0.05 and 54.0 < waiting["x"] + 3.4 < 60.0
    assert drive(bodies_at((5.0, 0.0)), 30.0, stop_line=60, light=GREEN)["x"] > 100.0


def test_lanes_that_cross_conflict_and_those_that_follow_one_another_do_not():
    def line(*ends):
        return np.linspace(*ends, 21), np.full(21, 8.0)

    network = from_segments(
        [line((0.0, 0.0), (20.0, 0.0)), line((20.0, 0.0), (40.0, 0.0)), line((30.0, -9.0), (30.0, 9.0))], [[1], [], []]
    )
    conflicts = lane_conflicts(network)
    assert conflicts[1, 2] and conflicts[2, 1]
    assert conflicts.sum() == 2
