"""The Gymnasium envs."""

import gymnasium as gym

from sb3_delta_waypoint.envs.toy import ToyWaypointEnv
from sb3_delta_waypoint.envs.toy_vector import ToyWaypointVectorEnv

__all__ = ["ToyWaypointEnv", "ToyWaypointVectorEnv", "register_envs"]


def register_envs() -> None:
    """Make the envs known to ``gym.make`` and ``gym.make_vec``; calling it again changes nothing."""
    if "ToyWaypoint-v0" not in gym.registry:
        gym.register(
            "ToyWaypoint-v0",
            entry_point="sb3_delta_waypoint.envs.toy:ToyWaypointEnv",
            vector_entry_point="sb3_delta_waypoint.envs.toy_vector:ToyWaypointVectorEnv",
        )
