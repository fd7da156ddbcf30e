"""Planners: what any of them must offer, the one of this package, and building one by its class or import path."""

from sb3_delta_waypoint.sft.planners.mlp import SFTWaypointModel
from sb3_delta_waypoint.sft.planners.protocol import WaypointPlanner

__all__ = ["SFTWaypointModel", "WaypointPlanner"]
