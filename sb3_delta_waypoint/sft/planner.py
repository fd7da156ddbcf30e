"""The module under which planner files name this package's planner."""

from sb3_delta_waypoint.sft.planners.mlp import SFTWaypointModel

__all__ = ["SFTWaypointModel"]
