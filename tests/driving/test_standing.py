"""Where a car stands: on one lane, between two, across a joint, beside the road, in a junction, against the traffic."""

import math

import numpy as np
import pytest

from sb3_delta_waypoint.driving.kernels import kernel
from sb3_delta_waypoint.driving.lanes import make_lanes
from sb3_delta_waypoint.driving.network import from_segments
from sb3_delta_waypoint.driving.records import ROUTE_POINT
from sb3_delta_waypoint.driving.standing import stand_on_route
from tests.driving.scoring import VEHICLE, a_car, where

# the middle of the car's box is 1.35 m before its rear axle, its corners 2.35 m before and behind and 0.95 m beside that


def line(x, y, to_x, to_y):
    n = math.ceil(math.hypot(to_x - x, to_y - y)) + 1
    return np.linspace((x, y), (to_x, to_y), n), np.full(n, 10.0)


@pytest.fixture(scope="module")
def road():
    """
    Two lanes of 3.5 m to the east at y = 0 and 3.5, the right one of two pieces; one to the west at y = 7; a short piece and a
    branch to the south after the right one's end, in a junction.
    """
    pieces = [
        line(0, 0, 50, 0),
        line(0, 3.5, 100, 3.5),
        line(100, 7, 0, 7),
        line(50, 0, 52, 0),
        line(52, 0, 100, 0),
        line(50, 0, 80, -30),
    ]
    network = from_segments(pieces, [[3, 5], [], [], [4], [], []])
    junction = np.repeat(np.arange(6), np.diff(network.offsets)) == 3
    return make_lanes(network, 3.5, in_junction=junction)


def at(road, x, y=0.0, yaw=0.0, speed=10.0, segment=-1, along=0.0):
    """Where a car stands the middle of whose box is there."""
    return where(road, a_car(speed, x - 1.35 * math.cos(yaw), y - 1.35 * math.sin(yaw), yaw), segment, along)


@pytest.mark.parametrize("hint", [(-1, 0.0), (0, 20.0), (0, 17.0), (0, 0.0), (1, 20.0), (2, 80.0)])
def test_the_hint_changes_nothing_but_the_speed(road, hint):
    standing = at(road, 20.3, segment=hint[0], along=hint[1])
    assert standing == (True, True, False, 0.0, True, 0, pytest.approx(20.3))


@pytest.mark.parametrize("hint", [-1, 0])
@pytest.mark.parametrize(("y", "in_lane"), [(0.79, True), (0.81, False), (-0.79, True), (-0.81, False)])
def test_all_corners_within_the_lines(road, y, in_lane, hint):
    # half a lane is 1.75 m, half the car 0.95 m
    assert at(road, 20.0, y, segment=hint, along=20.0).in_lane == in_lane
    assert at(road, 20.0, y).on_area


def test_a_turned_car_is_judged_by_its_corners(road):
    for yaw in np.linspace(-0.8, 0.8, 33):
        corner = 2.35 * abs(math.sin(yaw)) + 0.95 * math.cos(yaw)
        assert at(road, 20.0, yaw=float(yaw)).in_lane == at(road, 20.0, yaw=float(yaw), segment=0, along=20.0).in_lane
        assert at(road, 20.0, yaw=float(yaw)).in_lane == (corner <= 1.75)


def test_lanes_that_lead_into_each_other_count_as_one_and_lanes_side_by_side_do_not(road):
    for x in (48.5, 50.0, 51.0, 53.0):
        assert at(road, x).in_lane, x
    assert not at(road, 20.0, 1.75).in_lane
    # between the lane straight on and the branch, both of which follow
    assert not at(road, 60.0, -2.0, -0.35).in_lane


def test_the_drivable_area_ends_30_cm_beside_the_lanes(road):
    # the outer line of the right lane is at y = -1.75
    assert at(road, 20.0, -1.75 - 0.29 + 0.95).on_area
    assert not at(road, 20.0, -1.75 - 0.31 + 0.95).on_area
    assert not at(road, 20.0, -30.0).on_area


def test_far_from_all_lanes_there_is_no_lane(road):
    assert at(road, 1e5, 1e5, segment=0, along=20.0) == (False, False, False, 0.0, True, -1, 0.0)


def test_in_a_junction(road):
    assert at(road, 51.0).in_junction
    assert not at(road, 47.0).in_junction
    assert not at(road, 56.0).in_junction


def test_distance_against_the_direction_of_the_lane(road):
    assert at(road, 20.0, 7.0, math.pi).against == 0.0
    assert at(road, 20.0, 7.0, 0.0).against == pytest.approx(1.0)
    assert at(road, 20.0, 7.0, 1.0).against == pytest.approx(math.cos(1.0))
    assert at(road, 20.0, 7.0, 0.0, speed=0.0).against == 0.0
    # of lanes on top of each other the one counts that agrees best: the branch, which leaves at 45°
    assert at(road, 51.0, -0.3, math.pi).against == pytest.approx(math.sqrt(0.5))
    assert at(road, 20.0, -30.0, math.pi).against == 0.0


def test_the_hint_goes_along(road):
    standing = at(road, 20.0)
    for x in np.arange(20.5, 97.5, 0.5):
        standing = at(road, float(x), segment=standing.segment, along=standing.along)
        assert standing.in_lane and standing.on_area and standing.segment in (0, 3, 4)
    assert standing.segment == 4 and standing.along == pytest.approx(45.0)


@kernel
def _on_route(cars, route, vehicle, half_width):
    return stand_on_route(cars[0], route, vehicle, half_width)


EDGES = [(1.0, True, True), (1.1, False, True), (1.34, False, True), (1.36, False, False), (-1.36, False, False)]


@pytest.mark.parametrize(("y", "in_lane", "on_area"), EDGES)
def test_without_lanes_there_is_a_strip_about_the_route(y, in_lane, on_area):
    route = np.zeros(30, ROUTE_POINT)
    route["x"], route["cos"] = np.arange(30.0), 1.0
    car = a_car(5.0, 10.0, y)
    car["progress"], car["n_points"] = 10.0, 30
    standing = _on_route(car, route, VEHICLE, 2.0)
    assert (standing.in_lane, standing.on_area, standing.directed) == (in_lane, on_area, False)
