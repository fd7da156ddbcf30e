"""Bodies that drive into others stop; those that stand inside one another can leave."""

import numpy as np
import pytest

from sb3_delta_waypoint.driving.bodies import BODY, CONTROL, FIXED, VEHICLE, WALKER
from sb3_delta_waypoint.driving.collisions import HIT, step_bodies
from sb3_delta_waypoint.driving.vehicle import DYNAMICS, VehicleParameters


def bodies_at(*places, kind=VEHICLE):
    """Boxes of 4 m by 2 m along x, at rest; the first moves, the others stand."""
    bodies = np.zeros(len(places), BODY)
    bodies["x"], bodies["y"] = np.transpose(places)
    bodies["kind"], bodies["physics"] = FIXED, True
    bodies["kind"][0] = kind
    bodies["solid"], bodies["half_length"], bodies["half_width"], bodies["half_height"] = True, 2.0, 1.0, 1.0
    bodies["direction"], bodies["held_speed"], bodies["mass"] = 1.0, np.nan, 1000.0
    bodies["throttle_lag"], bodies["brake_lag"] = 0.1, 0.1
    for name, value in zip(DYNAMICS, VehicleParameters(), strict=False):
        bodies[name] = value
    return bodies


def drive(bodies, steps, throttle=1.0, steer=0.0, brake=0.0):
    controls, hits = np.zeros(len(bodies), CONTROL), np.zeros(8, HIT)
    controls[0] = (throttle, steer, brake, False, False)
    return [hits[: step_bodies(bodies, controls, len(bodies), 0.1, hits)].copy() for _ in range(steps)]


def test_a_vehicle_is_stopped_by_what_is_in_its_way():
    bodies = bodies_at((0.0, 0.0), (10.0, 0.0))
    hits = np.concatenate(drive(bodies, 60))
    assert bodies["speed"][0] < 1.0 and 5.0 < bodies["x"][0] < 6.0
    assert (hits["body"][0], hits["other"][0]) == (0, 1)
    assert hits["x"][0] < 0.0 == hits["y"][0], "it is pushed back"


def test_beside_it_there_is_room():
    bodies = bodies_at((0.0, 0.0), (10.0, 2.1))
    assert not any(map(len, drive(bodies, 60)))
    assert bodies["x"][0] > 12.0


def test_who_is_inside_already_can_leave():
    bodies = bodies_at((0.0, 0.0), (-3.0, 0.0))
    assert len(drive(bodies, 60)[0]) == 1
    assert bodies["x"][0] > 10.0


def test_positive_steer_is_left():
    bodies = bodies_at((0.0, 0.0))
    drive(bodies, 30, steer=0.5)
    assert bodies["y"][0] > 1.0 and bodies["yaw"][0] > 0.1


def test_a_walker_walks_in_the_direction_given():
    bodies = bodies_at((0.0, 0.0), kind=WALKER)
    drive(bodies, 10, throttle=0.0, steer=1.0, brake=1.5)
    assert (bodies["x"][0], bodies["y"][0]) == pytest.approx((0.0, 1.5), abs=1e-9)
    assert bodies["yaw"][0] == pytest.approx(np.pi / 2)
