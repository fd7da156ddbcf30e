"""The expert's plan, against its definition, on a straight road along x."""

import numpy as np
import pytest

from sb3_delta_waypoint.driving.network import from_paths
from sb3_delta_waypoint.driving.simulation import DrivingConfig, Simulation
from sb3_delta_waypoint.driving.start import StartParameters

SECONDS = 0.1 * np.arange(1, 21)


def plan(speed: float, limit: float, lateral: float = 0.0, yaw: float = 0.0) -> np.ndarray:
    """Of a car at the start of the road."""
    x = np.arange(151.0)
    road = from_paths([(np.stack([x, 0.0 * x], axis=1), np.full(len(x), limit))])
    simulation = Simulation(1, DrivingConfig(road, start=StartParameters(0.0, 0.0, 1.0)))
    simulation.reset()
    car = simulation.cars[0]
    car["y"] = car["lateral"] = lateral
    car["speed"], car["yaw"] = speed, yaw
    return simulation.expert_plans()[0]


def test_it_brakes_and_accelerates_at_its_own_rates():
    np.testing.assert_allclose(plan(12.0, 3.0)[:, 0], 12.0 * SECONDS - 0.5 * 3.0 * SECONDS**2, rtol=1e-5)
    np.testing.assert_allclose(plan(3.0, 9.0)[:, 0], 3.0 * SECONDS + 0.5 * 2.0 * SECONDS**2, rtol=1e-5)


@pytest.mark.parametrize("side", [-1.0, 1.0])
@pytest.mark.parametrize(("speed", "within"), [(4.0, 8.0), (10.0, 15.0)])
def test_it_is_back_on_the_route_within_its_time_or_its_distance(speed, within, side):
    """At ``part`` of the way the offset is that of the cubic from 1 m to none, level at both ends."""
    part = np.minimum(speed * SECONDS / within, 1.0)
    offset = (1.0 - part) ** 2 * (1.0 + 2.0 * part)
    np.testing.assert_allclose(plan(speed, speed, side)[:, 1], side * (offset - 1.0), atol=1e-5)


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_it_begins_in_the_direction_of_the_car(side):
    found = plan(10.0, 10.0, side, 0.2 * side)
    assert abs(found[0, 1]) < 0.05 * found[0, 0]
    assert side * found[-1, 1] < -1.0
