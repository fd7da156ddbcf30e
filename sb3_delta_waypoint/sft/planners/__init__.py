"""Planners: the protocol that they satisfy, this package's own, and building one from its class or import path."""

from sb3_delta_waypoint.sft.planners.mlp import SFTWaypointModel
from sb3_delta_waypoint.sft.planners.protocol import WaypointPlanner

__all__ = ["SFTWaypointModel", "WaypointPlanner"]
