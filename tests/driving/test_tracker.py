"""The tracker reads the rows of a plan at the times that they stand for."""

import math

import numpy as np
import pytest

from sb3_delta_waypoint.driving.config import DrivingConfig
from sb3_delta_waypoint.driving.records import CAR
from sb3_delta_waypoint.driving.simulation import Simulation
from sb3_delta_waypoint.driving.tracker import track
from sb3_delta_waypoint.driving.vehicle import VehicleParameters


@pytest.mark.parametrize("plan_dt", [0.05, 0.1, 0.3, 0.5, 0.9, 1.0])
def test_a_plan_at_constant_speed_asks_for_no_acceleration(plan_dt):
    car = np.zeros(1, CAR)[0]
    car["speed"] = 8.0
    plan = np.zeros((10, 2), np.float32)
    plan[:, 0] = 8.0 * plan_dt * np.arange(1, 11)
    steer, acceleration = track.py_func(car.view(np.recarray), plan, plan_dt, VehicleParameters())
    assert steer == 0.0 and acceleration == pytest.approx(0.0, abs=1e-4)
    _, acceleration = track.py_func(car.view(np.recarray), 1.1 * plan, plan_dt, VehicleParameters())
    assert 0.0 < acceleration < np.inf


@pytest.mark.parametrize(("horizon_steps", "plan_dt"), [(8, 1.0), (2, 1.0)])
def test_the_expert_drives_with_plans_of_a_second_a_row(horizon_steps, plan_dt):
    simulation = Simulation(100, DrivingConfig(route_length=50.0, horizon_steps=horizon_steps, plan_dt=plan_dt))
    simulation.seed(5)
    simulation.reset()
    outcomes = np.zeros(100, int)
    for _ in range(200):
        outcome = simulation.step(simulation.expert_plans()).outcome
        outcomes = np.where(outcomes == 0, outcome, outcomes)
    assert (outcomes == 1).mean() >= 0.99


def tracked(plan: np.ndarray, speed: float = 8.0) -> tuple[float, float]:
    car = np.zeros(1, CAR)[0]
    car["speed"] = speed
    return track(car, plan.astype(np.float32), 0.1, VehicleParameters())


@pytest.mark.parametrize("radius", [-30.0, 30.0])
def test_a_plan_on_a_circle_asks_for_the_wheel_that_drives_it(radius):
    angles = 0.8 * np.arange(1, 21) / radius
    steer, _ = tracked(radius * np.stack([np.sin(angles), 1.0 - np.cos(angles)], axis=1))
    assert steer == pytest.approx(math.atan(VehicleParameters().wheelbase / radius), rel=1e-5)


@pytest.mark.parametrize("metres", [-0.25, 0.25])
def test_the_car_accelerates_for_where_it_should_be_in_half_a_second(metres):
    plan = np.stack([0.8 * np.arange(1, 21), np.zeros(20)], axis=1)
    plan[4, 0] += metres
    assert tracked(plan)[1] == pytest.approx(2.0 * metres / 0.25, rel=1e-4)


@pytest.mark.parametrize(("speed", "row"), [(2.0, 14), (8.0, 23), (10.0, 29)])
def test_the_car_steers_for_the_first_waypoint_that_is_far_enough(speed, row):
    # 3 m away at least, and 0.6 s
    plan = np.stack([0.2 * np.arange(1, 41), np.zeros(40)], axis=1)
    plan[row, 1] = 0.1
    distance = max(3.0, 0.6 * speed)
    assert tracked(plan, speed)[0] == pytest.approx(math.atan(2.0 * 2.8 * 0.1 / (distance**2 + 0.01)), rel=1e-4)


def test_a_plan_that_ends_before_that_is_steered_for_at_its_end():
    plan = np.stack([0.1 * np.arange(1, 21), np.zeros(20)], axis=1)
    plan[-1, 1] = 0.1
    assert tracked(plan)[0] == pytest.approx(math.atan(2.0 * 2.8 * 0.1 / 9.0), rel=1e-5)
