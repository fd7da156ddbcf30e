"""The Gymnasium envs."""

from sb3_delta_waypoint.envs.toy import ToyWaypointEnv, ToyWaypointVectorEnv
from sb3_delta_waypoint.envs.traffic import TrafficWaypointEnv, TrafficWaypointVectorEnv

__all__ = ["ToyWaypointEnv", "ToyWaypointVectorEnv", "TrafficWaypointEnv", "TrafficWaypointVectorEnv"]
