"""What is observed of a car: each column of ``state`` driven on its own, by the simulation and by measurements."""

import math

import numpy as np
import pytest

from sb3_delta_waypoint.driving.config import DrivingConfig
from sb3_delta_waypoint.driving.measured_drive import MeasuredDrive, Measurement
from sb3_delta_waypoint.driving.simulation import Simulation
from sb3_delta_waypoint.driving.start import StartParameters

SPEED, STEER, YAW_RATE, ACCELERATION = range(4)


def straight(side: float = 0.0, metres: float = 16.0) -> np.ndarray:
    """A plan that drives so far in 2 s, and so far to the left."""
    part = np.arange(1, 21) / 20.0
    return np.stack([metres * part, side * part**2], axis=1).astype(np.float32)


@pytest.fixture
def simulation() -> Simulation:
    """A car at 8 m/s with its wheels straight."""
    simulation = Simulation(1, DrivingConfig(start=StartParameters(0.0, 0.0, 1.0)), autoreset=False)
    simulation.reset(0)
    car = simulation.cars[0]
    car["speed"], car["steer"], car["yaw_rate"], car["acceleration"] = 8.0, 0.0, 0.0, 0.0
    return simulation


def test_speed_and_acceleration_of_the_simulated_car(simulation):
    state = simulation.step(straight(metres=17.0)[None]).observation.state[0]
    # 4.25 m in 0.5 s from 8 m/s
    acceleration = 2.0 * (4.25 - 4.0) / 0.25
    np.testing.assert_allclose(state, [8.0 + 0.1 * acceleration, 0.0, 0.0, acceleration], atol=1e-5)
    state = simulation.step(straight(metres=0.0)[None]).observation.state[0]
    assert state[ACCELERATION] == pytest.approx(-simulation.config.vehicle.max_braking)


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_wheel_and_yaw_rate_of_the_simulated_car(simulation, side):
    vehicle = simulation.config.vehicle
    state = simulation.step(straight(side * 20.0)[None]).observation.state[0]
    steer = side * vehicle.max_steer_rate * 0.1
    middle_speed = 8.0 + 0.05 * state[ACCELERATION]
    response = 1.0 + (middle_speed / vehicle.characteristic_speed) ** 2
    yaw_rate = middle_speed * math.tan(steer / 2.0) / (vehicle.wheelbase * response)
    assert state[STEER] == pytest.approx(steer, rel=1e-5)
    assert state[YAW_RATE] == pytest.approx(yaw_rate, rel=1e-4)
    assert simulation.cars[0]["yaw"] - simulation.cars[0]["yaw_rate"] * 0.1 == pytest.approx(
        math.atan2(simulation.routes[0]["sin"][0], simulation.routes[0]["cos"][0]), abs=1e-6
    )


@pytest.mark.parametrize(
    ("speed", "yaw_rate", "side"), [(8.3, 0.0, 0.0), (8.0, 0.21, 0.0), (7.9, -0.4, 0.0), (8.0, 0.0, -20.0)]
)
def test_columns_of_the_measured_car(speed, yaw_rate, side):
    drive = MeasuredDrive(DrivingConfig())
    x = np.arange(102.0)
    drive.begin(np.stack([x, 0 * x], axis=1), np.full(len(x), np.inf), seed=1, scenario=0, longest=100.0)
    drive.settle(Measurement(0.0, 0.0, 0.0, 8.0, 0.0))
    before = float(drive.cars[0]["steer"])
    steer, _ = drive.command(straight(side))
    drive.move(Measurement(0.8, 0.0, 0.0, speed, yaw_rate))
    state = drive.judge()[0]["state"]
    np.testing.assert_allclose(state, [speed, steer, yaw_rate, (speed - 8.0) / 0.1], atol=1e-5)
    assert side == 0.0 or steer == pytest.approx(before - 0.06)
