"""Group Relative Policy Optimization for Stable-Baselines3."""

from sb3_delta_waypoint.grpo.groups import ScenarioGroups
from sb3_delta_waypoint.grpo.grpo import GRPO
from sb3_delta_waypoint.grpo.policies import CnnPolicy, MlpPolicy, MultiInputPolicy

__all__ = ["GRPO", "CnnPolicy", "MlpPolicy", "MultiInputPolicy", "ScenarioGroups"]
