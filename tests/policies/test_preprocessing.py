"""A planner sees the same images alone as inside a policy."""

import numpy as np
import torch as th
from gymnasium import spaces

from sb3_delta_waypoint import DeltaWaypointPolicy, WaypointPolicy
from sb3_delta_waypoint.envs.spaces import PlanSpace, observation_space
from sb3_delta_waypoint.policies.preprocessing import preprocess


class Brightness(th.nn.Module):
    """Plans as far ahead as the picture is bright."""

    horizon_steps = 20
    observation_keys = ("state", "route", "front")

    def forward(self, observation):
        assert observation["front"].dtype == th.float32
        brightness = observation["front"].mean(dim=(1, 2, 3))
        return observation["state"], brightness[:, None, None].expand(-1, 20, 2)


SPACE = spaces.Dict({**observation_space().spaces, "front": spaces.Box(0, 255, (3, 8, 8), np.uint8)})


def test_a_planner_alone_and_inside_a_policy_sees_images_from_0_to_1():
    SPACE.seed(1)
    observation = SPACE.sample()
    expected = observation["front"].mean() / 255.0
    planner = Brightness()
    policy = DeltaWaypointPolicy(SPACE, PlanSpace(20, 0.1), lambda _: 1e-3, sft=planner)
    alone, inside = WaypointPolicy(planner)(observation), WaypointPolicy(policy)(observation, parts=True).sft_waypoints
    np.testing.assert_allclose(alone, expected, rtol=1e-5)
    np.testing.assert_array_equal(alone, inside)
    # at first the residual is exactly zero
    np.testing.assert_array_equal(policy.predict(observation, deterministic=True)[0], alone)


def test_uint8_pictures_are_images_and_all_else_is_in_physical_units():
    observation = {
        "front": th.full((2, 3, 4, 4), 255, dtype=th.uint8),
        "counts": th.full((2, 5), 7, dtype=th.uint8),
        "state": th.full((2, 4), 3.0, dtype=th.float64),
    }
    found = preprocess(observation)
    assert {key: (value.dtype, value.unique().item()) for key, value in found.items()} == {
        "front": (th.float32, 1.0),
        "counts": (th.float32, 7.0),
        "state": (th.float32, 3.0),
    }
