"""Observations outside their bounds."""

import numpy as np
import pytest
import torch as th
from gymnasium import spaces

from sb3_delta_waypoint.envs.spaces import observation_space
from sb3_delta_waypoint.policies.extractor import FrozenPlannerExtractor
from tests.policies.conftest import observations


@pytest.fixture
def extractor(planner):
    return FrozenPlannerExtractor(observation_space(), planner, 20)


@pytest.mark.parametrize(
    ("key", "column", "value"), [("state", 0, -2.0), ("state", 3, 40.0), ("route", (7, 1), -120.0), ("state", 1, np.nan)]
)
def test_refused_by_name_and_value(extractor, key, column, value):
    observation = observations(4)
    extractor(observation)
    observation[key][(2, *np.atleast_1d(column))] = value
    with pytest.raises(ValueError, match=f"observation '{key}' holds {value:g}, outside the bounds.*VecNormalize"):
        extractor(observation)


def test_a_car_that_rolls_back_a_little_is_no_error(extractor):
    observation = observations(4)
    observation["state"][0] = th.tensor([-0.1, 1.5, 10.0, 30.0])
    extractor(observation)


def test_groups_without_bounds_and_images_are_left_alone(planner):
    space = observation_space()
    space["far"] = spaces.Box(-np.inf, np.inf, (3,), np.float32)
    space["near"] = spaces.Box(0.0, np.inf, (1,), np.float32)
    space["front"] = spaces.Box(0, 255, (3, 8, 8), np.uint8)
    extractor = FrozenPlannerExtractor(space, planner, 20)
    more = {"far": th.full((2, 3), 1e9), "near": th.zeros(2, 1), "front": th.full((2, 3, 8, 8), 255.0)}
    extractor({**observations(2), **more})
    with pytest.raises(ValueError, match="'near' holds -1"):
        extractor({**observations(2), **more, "near": -th.ones(2, 1)})
