"""What a car yields to, and how its speed profile is lowered."""

import math

import numpy as np
import pytest

from sb3_delta_waypoint.driving.records import AGENT, CAR, PEDESTRIAN, ROUTE_POINT, VEHICLE
from sb3_delta_waypoint.driving.yielding import (
    GAP,
    HAZARD,
    HEADWAY,
    SIDE_MARGIN,
    find_hazards,
    slow_for,
)

HALF_WIDTH, FRONT = 1.0, 3.5


def hazards(*agents: tuple[float, ...], progress: float = 0.0) -> list[tuple[float, float]]:
    """For a car on a straight route along y."""
    route = np.zeros(101, ROUTE_POINT)
    route["y"], route["sin"], route["speed"] = np.arange(101.0), 1.0, 10.0
    car = np.zeros(1, CAR)[0]
    car["index"], car["progress"], car["n_points"] = int(progress), progress, 101
    found = np.zeros(len(agents), HAZARD)
    n = find_hazards(car, route, np.array([(*agent, True, False) for agent in agents], AGENT), HALF_WIDTH, FRONT, found)
    return [(float(hazard["distance"]), float(hazard["speed"])) for hazard in found[:n]]


@pytest.mark.parametrize(("yaw", "along"), [(math.pi / 2, 1.0), (-math.pi / 2, 0.0), (0.0, 0.0)])
def test_one_ahead_is_followed_at_its_speed_along_the_route(yaw, along):
    ((distance, speed),) = hazards((0.0, 30.0, yaw, 2.0, 4.0, 1.8, VEHICLE))
    half = 2.0 if yaw else 0.9
    assert speed == pytest.approx(2.0 * along, abs=1e-6)
    assert distance == pytest.approx(30.0 - half - FRONT - GAP - HEADWAY * 2.0 * along, abs=1e-6)


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_room_beside_the_car_is_measured_from_side_to_side(side):
    room = HALF_WIDTH + 0.9 + SIDE_MARGIN
    assert len(hazards((side * (room - 0.01), 30.0, math.pi / 2, 0.0, 4.0, 1.8, VEHICLE))) == 1
    assert hazards((side * (room + 0.01), 30.0, math.pi / 2, 0.0, 4.0, 1.8, VEHICLE)) == []
    # across, its length counts
    assert len(hazards((side * (room + 1.0), 30.0, 0.0, 0.0, 4.0, 1.8, VEHICLE))) == 1


def test_pedestrians_are_foreseen_for_longer_than_vehicles():
    for kind, seconds in ((PEDESTRIAN, 3.0), (VEHICLE, 1.0)):
        speed, reach = 2.0, HALF_WIDTH + 0.25 + SIDE_MARGIN
        inside = (2.0 * seconds + reach - 0.05, 25.0, math.pi, speed, 0.5, 0.5, kind)
        outside = (2.0 * seconds + reach + 0.05, 25.0, math.pi, speed, 0.5, 0.5, kind)
        assert len(hazards(inside)) == 1 and hazards(outside) == []


def test_who_is_behind_or_far_does_not_matter():
    there = (0.0, 30.0, math.pi / 2, 0.0, 4.0, 1.8, VEHICLE)
    assert hazards(there, progress=31.0) == [] and len(hazards(there, progress=29.0)) == 1
    assert hazards((0.0, 60.0, math.pi / 2, 0.0, 4.0, 1.8, VEHICLE)) == []


def test_the_profile_brakes_steadily_down_to_the_speed_of_the_hazard():
    route = np.zeros(60, ROUTE_POINT)
    route["speed"] = 12.0
    hazard = np.array([(40.0, 3.0)], HAZARD)[0]
    slow_for(hazard, route, 5, 50, 2.5)
    s = np.arange(60)
    expected = np.minimum(12.0, np.sqrt(9.0 + 2.0 * 2.5 * np.maximum(40.0 - s, 0.0)))
    expected[:5] = expected[50:] = 12.0
    np.testing.assert_allclose(route["speed"], expected)
