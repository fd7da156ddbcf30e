"""Vehicles that follow lanes, on a road without a map."""

import numpy as np

from sb3_delta_waypoint.driving.agents.lane_following import Street, drive_traffic, join_lane
from sb3_delta_waypoint.driving.agents.records import DRIVER
from sb3_delta_waypoint.driving.bodies import BODY, CONTROL, FIXED, VEHICLE, WALKER
from sb3_delta_waypoint.driving.collisions import HIT, step_bodies
from sb3_delta_waypoint.driving.lanes import StopLine, make_lanes
from sb3_delta_waypoint.driving.network import from_paths, from_segments
from sb3_delta_waypoint.driving.signals import GREEN, RED
from sb3_delta_waypoint.driving.vehicle import DYNAMICS, VehicleParameters

ROAD = from_paths([([(0.0, 0.0), (300.0, 0.0)], [8.0, 8.0])])


def bodies_at(*places):
    """Boxes of 4 m by 2 m at x, y and yaw: the first is a vehicle, the others stand."""
    bodies = np.zeros(len(places), BODY)
    bodies["x"], bodies["y"], bodies["yaw"] = np.transpose(places)
    bodies["kind"], bodies["physics"], bodies["solid"] = FIXED, True, True
    bodies["half_length"], bodies["half_width"], bodies["half_height"] = 2.0, 1.0, 1.0
    bodies["direction"], bodies["held_speed"], bodies["mass"] = 1.0, np.nan, 1000.0
    bodies["throttle_lag"], bodies["brake_lag"] = 0.1, 0.1
    for name, value in zip(DYNAMICS, VehicleParameters(), strict=False):
        bodies[name] = value
    let_drive(bodies, 0)
    return bodies


def let_drive(bodies, row):
    bodies["kind"][row], bodies["axle"][row] = VEHICLE, 1.4


def drive(bodies, seconds, lanes=None, light=RED, drivers=1):
    """Let the first ones drive for some time on autopilot; return all bodies."""
    street = Street.of(make_lanes(ROAD, 4.0) if lanes is None else lanes)
    street.lanes.lights["held"] = light
    controls, hits, driving = np.zeros(len(bodies), CONTROL), np.zeros(8, HIT), np.zeros(len(bodies), DRIVER)
    for row in range(drivers):
        join_lane(bodies[row], driving[row], street.lanes, "idm")
    for _ in range(round(seconds / 0.1)):
        drive_traffic(bodies, driving, controls, len(bodies), street)
        assert step_bodies(bodies, controls, len(bodies), 0.1, hits) == 0, "a collision"
    return bodies


def test_it_returns_to_its_lane_and_keeps_the_limit():
    car = drive(bodies_at((5.0, 1.5, 0.0)), 20.0)[0]
    assert abs(car["y"]) < 0.1 and abs(car["yaw"]) < 0.02
    assert 7.0 < car["speed"] < 8.1


def test_it_stops_behind_what_stands_in_its_way():
    car = drive(bodies_at((5.0, 0.0, 0.0), (80.0, 0.0, 0.0)), 30.0)[0]
    assert car["speed"] < 0.05
    assert 1.0 < (80.0 - 2.0) - (car["x"] + 1.4 + 2.0) < 6.0


def test_it_drives_past_what_stands_beside_the_lane():
    assert drive(bodies_at((5.0, 0.0, 0.0), (80.0, 3.5, 0.0)), 30.0)[0]["x"] > 150.0


def test_it_lets_a_walker_cross_who_is_about_to():
    bodies = bodies_at((5.0, 0.0, 0.0), (80.0, -5.0, 0.5 * np.pi))
    bodies["kind"][1], bodies["half_length"][1], bodies["half_width"][1] = WALKER, 0.2, 0.2
    # it does not move, but it would be on the lane within three seconds
    bodies["speed"][1], bodies["physics"][1] = 1.4, False
    car = drive(bodies, 30.0)[0]
    assert car["speed"] < 0.05 and 60.0 < car["x"] < 78.0
    bodies = bodies_at((5.0, 0.0, 0.0), (80.0, -5.0, -0.5 * np.pi))
    bodies["kind"][1], bodies["speed"][1], bodies["physics"][1] = WALKER, 1.4, False
    assert drive(bodies, 30.0)[0]["x"] > 150.0, "one who walks away is not waited for"


def test_it_stops_at_a_red_light_and_not_at_a_green_one():
    lanes = make_lanes(ROAD, 4.0, stop_lines=[StopLine(0, 60.0, 0)], lights=[(0, 0, 1)])
    waiting = drive(bodies_at((5.0, 0.0, 0.0)), 30.0, lanes)[0]
    assert waiting["speed"] < 0.05 and 54.0 < waiting["x"] + 3.4 < 60.0
    assert drive(bodies_at((5.0, 0.0, 0.0)), 30.0, lanes, light=GREEN)[0]["x"] > 100.0
    assert (lanes.lights["held"] == -1).all(), "the lights of a street are its own"


def line(*ends):
    return np.linspace(*ends, 101), np.full(101, 8.0)


def test_where_lanes_cross_they_go_one_after_the_other():
    network = from_segments([line((0.0, 0.0), (100.0, 0.0)), line((50.0, -50.0), (50.0, 50.0))], [[], []])
    bodies = bodies_at((5.0, 0.0, 0.0), (50.0, -45.0, 0.5 * np.pi))
    let_drive(bodies, 1)
    drive(bodies, 25.0, make_lanes(network, 4.0), drivers=2)
    assert bodies["x"][0] > 60.0 and bodies["y"][1] > 10.0


def test_how_it_drives_depends_on_where_it_started():
    lanes, drivers = make_lanes(ROAD, 4.0), np.zeros(3, DRIVER)
    for driver, x in zip(drivers, (5.0, 5.0, 25.0), strict=True):
        join_lane(bodies_at((x, 0.0, 0.0))[0], driver, lanes)
    assert drivers[0] == drivers[1] and drivers["headway"][0] != drivers["headway"][2]
    assert ((drivers["headway"] >= 1.2) & (drivers["headway"] < 1.9)).all()
