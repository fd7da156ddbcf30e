"""What the heads see of a plan and of an observation."""

import numpy as np
import torch as th

from sb3_delta_waypoint.envs.spaces import observation_space
from sb3_delta_waypoint.policies.extractor import FrozenPlannerExtractor
from sb3_delta_waypoint.sft.planner import SFTWaypointModel


def test_inputs_of_the_heads_are_scaled_one_by_one():
    planner = SFTWaypointModel()
    extractor = FrozenPlannerExtractor(observation_space(), planner, 20, ("sft_waypoints", "observation"))
    random = np.random.default_rng(0)
    state = th.tensor(random.normal(size=(3, 4)), dtype=th.float32)
    route = th.tensor(10.0 * random.normal(size=(3, 10, 2)), dtype=th.float32)
    features = extractor({"state": state, "route": route})
    plan = planner({"state": state, "route": route})[1].detach().flatten(1)
    th.testing.assert_close(features[:, :40], plan)
    inputs = features[:, 80:]
    metres = plan[0, 0] / inputs[0, 0]
    assert metres > 1.0
    th.testing.assert_close(inputs[:, :40] * metres, plan)
    th.testing.assert_close(inputs[:, 40:44] * extractor.state_scale, state)
    th.testing.assert_close(inputs[:, 44:] * metres, route.flatten(1))
