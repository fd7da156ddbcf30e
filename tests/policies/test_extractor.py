"""A planner is refused where it does not fit the env."""

import pytest
import torch as th
from stable_baselines3 import PPO

from sb3_delta_waypoint import GRPO, DeltaWaypointPolicy, SFTWaypointModel, make_waypoint_vec_env


@pytest.mark.parametrize("algorithm", [PPO, GRPO])
def test_a_planner_with_another_plan_dt_is_refused_with_the_remedy(algorithm):
    planner = SFTWaypointModel(plan_dt=0.2, hidden_dims=(8,))
    with pytest.raises(ValueError, match=r"0\.2 s apart and the env's 0\.1 s: make the env with plan_dt=0\.2"):
        algorithm(
            DeltaWaypointPolicy,
            make_waypoint_vec_env(n_envs=2, group_size=2),
            n_steps=8,
            batch_size=8,
            policy_kwargs={"sft": planner},
        )
    venv = make_waypoint_vec_env(n_envs=2, plan_dt=0.2)
    PPO(DeltaWaypointPolicy, venv, n_steps=8, batch_size=8, policy_kwargs={"sft": planner})


def test_a_planner_that_does_not_say_plans_tenths_of_a_second():
    venv = make_waypoint_vec_env(n_envs=2, plan_dt=0.2)
    with pytest.raises(ValueError, match="by the attribute plan_dt"):
        PPO(DeltaWaypointPolicy, venv, n_steps=8, batch_size=8, policy_kwargs={"sft": Steady()})
    Steady.plan_dt = 0.2
    PPO(DeltaWaypointPolicy, venv, n_steps=8, batch_size=8, policy_kwargs={"sft": Steady()})


class Steady(th.nn.Module):
    horizon_steps = 20
    observation_keys = ("state", "route")

    def forward(self, observation):
        return observation["state"], observation["route"].repeat(1, 2, 1)
