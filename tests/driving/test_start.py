"""Where episodes begin, over many scenarios."""

import numpy as np
import pytest

from sb3_delta_waypoint.contract import CONTROL_DT
from sb3_delta_waypoint.driving.simulation import DrivingConfig, Simulation
from sb3_delta_waypoint.driving.start import StartParameters
from sb3_delta_waypoint.driving.vehicle import steady_steer

N = 2000


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    simulation = Simulation(N, DrivingConfig(route_length=10.0, start=StartParameters(0.8, 0.3, 0.25)))
    simulation.reset()
    return simulation


def begun(simulation: Simulation) -> np.ndarray:
    """Offset to the left and in heading, and the share of the profile's speed, of each car."""
    cars, first = simulation.cars, simulation.routes[:, 0]
    heading = cars["yaw"] - np.arctan2(first["sin"], first["cos"])
    lateral = (cars["y"] - first["y"]) * first["cos"] - (cars["x"] - first["x"]) * first["sin"]
    return np.stack([lateral, heading, cars["speed"] / first["speed"]])


def test_offset_heading_and_speed_are_uniform_and_independent(simulation):
    found = begun(simulation)
    for values, low, high in zip(found, (-0.8, -0.3, 0.25), (0.8, 0.3, 1.0), strict=True):
        assert low <= values.min() < low + 0.01 * (high - low) and high - 0.01 * (high - low) < values.max() <= high
        assert abs(np.histogram(values, bins=4, range=(low, high))[0] - N / 4).max() < 100
    assert np.abs(np.corrcoef(found) - np.eye(3)).max() < 0.1


def test_wheels_are_turned_for_the_curve_and_the_time_is_for_the_expert(simulation):
    cars, routes = simulation.cars, simulation.routes
    first, third = routes[:, 0], routes[:, 2]
    curvature = 0.5 * (first["cos"] * third["sin"] - first["sin"] * third["cos"])
    assert np.abs(curvature).max() > 0.05
    for car, bend in zip(cars[:100], curvature, strict=False):
        assert car["steer"] == pytest.approx(steady_steer(simulation.config.vehicle, car["speed"], bend))
    seconds = (2.0 / (routes["speed"][:, :-1] + routes["speed"][:, 1:])).sum(axis=1)
    limits = (2.0 * seconds + 5.0) / CONTROL_DT
    assert np.abs(cars["max_steps"] - np.floor(limits)).max() <= 1 and (cars["acceleration"] == 0.0).all()
