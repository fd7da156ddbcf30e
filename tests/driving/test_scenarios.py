"""A scenario is a function of its number and the base seed, and stays what it is: results of long ago compare."""

import pytest

from sb3_delta_waypoint.driving.simulation import DrivingConfig, Simulation

SCENARIOS = [
    # the last point of the route and the speed there, then the car: lateral, yaw, speed, steer, and its steps
    (-0.634162, 7.710443, 12.0, 0.077405, -0.050624, 3.922307, -0.330575, 320),
    (71.525314, 52.602354, 6.413251, 0.048217, 0.012705, 8.786447, 0.073622, 267),
    (28.19628, 23.091946, 8.609682, -0.103014, 0.050498, 6.963877, 0.115595, 343),
]


def test_scenarios_of_seed_1():
    simulation = Simulation(3, DrivingConfig())
    simulation.seed(1)
    simulation.reset()
    for car, last, expected in zip(simulation.cars, simulation.routes[:, 100], SCENARIOS, strict=True):
        names = ("lateral", "yaw", "speed", "steer", "max_steps")
        found = (*(last[name] for name in ("x", "y", "speed")), *(car[name] for name in names))
        assert [float(value) for value in found] == pytest.approx(expected, abs=1e-5)
