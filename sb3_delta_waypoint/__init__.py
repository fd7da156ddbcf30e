"""Refine a supervised waypoint planner with reinforcement learning in Stable-Baselines3."""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from sb3_delta_waypoint.registration import register_envs

if TYPE_CHECKING:
    from sb3_delta_waypoint.callbacks import WaypointEvalCallback
    from sb3_delta_waypoint.envs.checker import check_waypoint_env
    from sb3_delta_waypoint.grpo import GRPO
    from sb3_delta_waypoint.policies import DeltaWaypointPolicy, WaypointPolicy
    from sb3_delta_waypoint.sft.planners import SFTWaypointModel
    from sb3_delta_waypoint.vec_env import make_waypoint_vec_env

__version__ = version("sb3_delta_waypoint")

__all__ = [
    "GRPO",
    "DeltaWaypointPolicy",
    "SFTWaypointModel",
    "WaypointEvalCallback",
    "WaypointPolicy",
    "check_waypoint_env",
    "make_waypoint_vec_env",
    "register_envs",
]

_HOMES = {
    "GRPO": "grpo",
    "DeltaWaypointPolicy": "policies",
    "SFTWaypointModel": "sft.planners",
    "WaypointEvalCallback": "callbacks",
    "WaypointPolicy": "policies",
    "check_waypoint_env": "envs.checker",
    "make_waypoint_vec_env": "vec_env",
}


def __getattr__(name: str) -> Any:
    # importing the package registers its envs in a moment; torch is loaded when something needs it
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


register_envs()
