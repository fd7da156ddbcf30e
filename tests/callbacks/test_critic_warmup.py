"""Where there is no critic to warm up."""

import pytest

from sb3_delta_waypoint import GRPO, DeltaWaypointPolicy, make_waypoint_vec_env
from sb3_delta_waypoint.callbacks import CriticWarmupCallback


def test_grpo_is_refused():
    model = GRPO(DeltaWaypointPolicy, make_waypoint_vec_env(n_envs=4, group_size=4), n_steps=16, group_size=4)
    with pytest.raises(ValueError, match="GRPO has no critic.*omit the callback"):
        model.learn(64, CriticWarmupCallback())
    assert model.num_timesteps == 0
