"""The Gymnasium envs."""

from sb3_delta_waypoint.envs.toy import ToyWaypointEnv
from sb3_delta_waypoint.envs.toy_vector import ToyWaypointVectorEnv

__all__ = ["ToyWaypointEnv", "ToyWaypointVectorEnv"]
