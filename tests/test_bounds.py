"""Every number that an env takes has bounds, and an error that names it."""

from typing import get_type_hints

import numpy as np
import pytest

from sb3_delta_waypoint.bounds import Bounds, check_number
from sb3_delta_waypoint.driving.config import DrivingConfig
from sb3_delta_waypoint.driving.expert import ExpertParameters
from sb3_delta_waypoint.driving.reward import RewardWeights
from sb3_delta_waypoint.driving.score import EpisodeRules
from sb3_delta_waypoint.driving.simulation import Simulation
from sb3_delta_waypoint.driving.start import StartParameters
from sb3_delta_waypoint.driving.vehicle import VehicleParameters

SETS = {
    "reward": RewardWeights,
    "vehicle": VehicleParameters,
    "expert": ExpertParameters,
    "start": StartParameters,
    "rules": EpisodeRules,
}
FIELDS = [(name, field) for name, kind in SETS.items() for field in get_type_hints(kind) if field != "combine"]
BAD = (float("nan"), float("inf"), -float("inf"), -1.0, 1e9, True, "1", None, [1.0], 10**400, 1j)


@pytest.mark.parametrize(("name", "field"), FIELDS)
def test_every_field_of_every_parameter_set_is_checked(name, field):
    for value in BAD:
        with pytest.raises(ValueError, match=rf"{field}=.*: expected a number between"):
            DrivingConfig(**{name: SETS[name](**{field: value})})


@pytest.mark.parametrize("combine", ["mean", "", None, 1.0, float("nan")])
def test_terms_of_the_reward_are_combined_in_known_ways(combine):
    with pytest.raises(ValueError, match='reward: combine=.*: expected "sum" or "product"'):
        DrivingConfig(reward=RewardWeights(combine=combine))


@pytest.mark.parametrize("field", ["route_length", "plan_dt", "horizon_steps"])
def test_the_numbers_of_the_configuration_are_checked(field):
    for value in (*BAD, 0, 10**5000):
        with pytest.raises(ValueError, match=f"^{field}=.*: expected a (whole )?number between"):
            DrivingConfig(**{field: value})
    with pytest.raises(ValueError, match=r"horizon_steps=20\.0: expected a whole number between 2 and 1000"):
        DrivingConfig(horizon_steps=20.0)


def test_numpy_numbers_and_whole_numbers_are_numbers():
    for value in (1, np.float32(0.5), np.int8(1)):
        check_number("value", value, Bounds(0.0, 1.0))
    check_number("value", np.uint8(1), Bounds(0, 1, whole=True))
    with pytest.raises(ValueError, match="True"):
        check_number("value", np.True_, Bounds(0, 1))


def test_plans_that_would_leave_the_action_space_are_refused_with_the_reason():
    with pytest.raises(ValueError, match=r"plan_dt=0\.5 s and the expert's cruise_speed=12\.0 m/s: a plan would reach 120 m"):
        DrivingConfig(plan_dt=0.5)
    DrivingConfig(plan_dt=0.5, horizon_steps=16)


@pytest.mark.parametrize("n_cars", [0, -1, 2.0, True, None, 10**12])
def test_numbers_of_cars_that_cannot_be_are_refused(n_cars):
    with pytest.raises(ValueError, match="n_cars="):
        Simulation(n_cars, DrivingConfig())


def test_more_memory_than_allowed_is_refused_before_it_is_taken():
    with pytest.raises(ValueError, match=r"100000 envs with routes of up to 10001 m take 37\.\d GiB"):
        Simulation(100_000, DrivingConfig(route_length=10_000.0))


@pytest.mark.parametrize("group_size", [0, -1, 1.5, 2**70])
def test_group_sizes_that_cannot_be_are_refused(group_size):
    with pytest.raises(ValueError, match="group_size="):
        Simulation(1, DrivingConfig(), group_size)


def test_observations_stay_in_their_space_with_a_slow_car_and_behind_the_start():
    from sb3_delta_waypoint.envs.spaces import observation_space

    config = DrivingConfig(
        vehicle=VehicleParameters(max_speed=0.1),
        start=StartParameters(lateral=30.0, heading=np.pi),
        rules=EpisodeRules(off_route_distance=40.0),
    )
    fast = DrivingConfig(rules=config.rules, start=config.start)
    straight_on = np.full((50, 20, 2), 60.0, np.float32)
    straight_on[..., 1] = 0.0
    space = observation_space()
    for each in (config, fast):
        simulation = Simulation(50, each)
        simulation.reset()
        for _ in range(100):
            observation = simulation.step(straight_on).observation
            for key, values in observation._asdict().items():
                assert (values >= space[key].low).all() and (values <= space[key].high).all(), key
