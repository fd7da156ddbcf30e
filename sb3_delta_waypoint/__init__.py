"""Refine a supervised waypoint planner with reinforcement learning in Stable-Baselines3."""

from importlib.metadata import version

from sb3_delta_waypoint.callbacks import WaypointEvalCallback
from sb3_delta_waypoint.envs import register_envs
from sb3_delta_waypoint.policies import DeltaWaypointPolicy, WaypointPolicy
from sb3_delta_waypoint.sft.planner import SFTWaypointModel
from sb3_delta_waypoint.vec_env import make_waypoint_vec_env

__version__ = version("sb3_delta_waypoint")

__all__ = [
    "DeltaWaypointPolicy",
    "SFTWaypointModel",
    "WaypointEvalCallback",
    "WaypointPolicy",
    "make_waypoint_vec_env",
]

register_envs()
