"""Algorithms that have a penalty of their own."""

import pytest

from sb3_delta_waypoint import GRPO, DeltaWaypointPolicy, make_waypoint_vec_env
from sb3_delta_waypoint.callbacks import KLPenaltyCallback


@pytest.mark.parametrize("kl_coef", [0.0, 0.05])
def test_grpo_is_refused_with_its_own_penalty_named(kl_coef):
    model = GRPO(DeltaWaypointPolicy, make_waypoint_vec_env(n_envs=4, group_size=4), n_steps=16, group_size=4)
    with pytest.raises(ValueError, match=rf"not for GRPO: omit it.*GRPO\(\.\.\., kl_coef={kl_coef:g}\)"):
        model.learn(64, KLPenaltyCallback(kl_coef))
    assert model.num_timesteps == 0
