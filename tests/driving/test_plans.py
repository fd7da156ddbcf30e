"""What a plan must be."""

import re

import numpy as np
import pytest

from sb3_delta_waypoint.contract import POSITION_BOUND
from sb3_delta_waypoint.driving.config import DrivingConfig
from sb3_delta_waypoint.driving.network import from_paths
from sb3_delta_waypoint.driving.plans import checked_plans
from sb3_delta_waypoint.driving.simulation import Simulation


def with_value(value: float) -> np.ndarray:
    plans = np.zeros((3, 20, 2))
    plans[1, 4, 0] = value
    return plans


@pytest.mark.parametrize("value", [100.001, -101.0, 1e300, np.inf, -np.inf, np.nan])
def test_coordinates_outside_the_action_space_are_refused_by_env_row_and_value(value):
    with pytest.raises(
        ValueError, match=re.escape(f"env 1 has {value} at waypoint 4, x; accepted are metres from -100 to 100")
    ):
        checked_plans(with_value(value), 3, 20, 2)


@pytest.mark.parametrize("value", [POSITION_BOUND, -POSITION_BOUND, 0.1])
def test_the_bound_itself_is_accepted(value):
    found = checked_plans(with_value(value), 3, 20, 2)
    assert found.dtype == np.float32 and found.flags.c_contiguous and found[1, 4, 0] == np.float32(value)


@pytest.mark.parametrize(
    ("plans", "named"),
    [
        (np.zeros((20, 2)), r"\(20, 2\); accepted is \(cars, horizon steps, x and y\) = \(3, 20, 2\)"),
        (np.zeros((1, 20, 2)), r"\(1, 20, 2\)"),
        (0.0, r"shape \(\)"),
        (np.zeros((3, 20, 2), complex), "complex128"),
        (np.zeros((3, 20, 2), bool), "bool"),
        ([["1", "2"]], "<U1"),
        (None, "object"),
        ([[1.0, 2.0], [3.0]], "rows of different lengths"),
    ],
)
def test_nothing_is_broadcast_or_read_as_numbers(plans, named):
    with pytest.raises(ValueError, match=named):
        checked_plans(plans, 3, 20, 2)


def test_a_plan_outside_the_action_space_moves_no_car():
    simulation = Simulation(3, DrivingConfig())
    simulation.reset()
    before = simulation.cars.copy()
    with pytest.raises(ValueError, match="env 1"):
        simulation.step(with_value(3e38))
    assert (simulation.cars == before).all()


def test_the_expert_stays_within_the_action_space_however_fast_the_car():
    straight = from_paths([(np.stack([np.arange(300.0), np.zeros(300)], axis=1), np.full(300, np.inf))])
    simulation = Simulation(1, DrivingConfig(straight, horizon_steps=8, plan_dt=1.0))
    simulation.reset()
    simulation.cars["speed"] = 20.0
    plans = simulation.expert_plans()
    assert np.abs(plans).max() == POSITION_BOUND
    simulation.step(plans)
