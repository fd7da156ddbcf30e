"""The tracker reads the rows of a plan at the times that they stand for."""

import numpy as np
import pytest

from sb3_delta_waypoint.driving.car import CAR
from sb3_delta_waypoint.driving.config import DrivingConfig
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
