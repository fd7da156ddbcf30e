"""A scenario is a function of its number and the base seed, and stays what it is: results of long ago compare."""

import numpy as np
import pytest

from sb3_delta_waypoint.driving.scenarios import NO_HARD_SCENARIOS, HardScenarios, mixed_seed, scenario_seed
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


def test_a_share_of_the_scenarios_is_hard():
    hard = np.array([scenario_seed(7, number) for number in (3, 17, 4)], np.uint64)
    own = [scenario_seed(1, g) for g in range(2000)]
    mixed = [mixed_seed(1, g, HardScenarios(hard, 0.3)) for g in range(2000)]
    is_hard = np.array([seed in hard for seed in mixed])
    assert abs(is_hard.mean() - 0.3) < 0.04
    assert all(is_hard[g] or seed == own[g] for g, seed in enumerate(mixed))
    shares = [np.mean([seed == other for seed in mixed]) for other in hard]
    assert max(abs(share - 0.1) for share in shares) < 0.03
    assert [mixed_seed(1, g, NO_HARD_SCENARIOS) for g in range(2000)] == own
    for base_seed in range(5):
        assert {mixed_seed(base_seed, g, HardScenarios(hard, 1.0)) for g in range(4, 7)} == set(hard.tolist())
    # scalar envs are reset to scenario 0 of ever other base seeds
    assert {mixed_seed(base_seed, 0, HardScenarios(hard, 1.0)) for base_seed in range(20)} == set(hard.tolist())
