"""Planners: the protocol that they satisfy, this package's own, and building one from its class, import path or name."""

from sb3_delta_waypoint.sft.planners.attention import AttentionWaypointModel
from sb3_delta_waypoint.sft.planners.mlp import SFTWaypointModel
from sb3_delta_waypoint.sft.planners.pooled import PooledWaypointModel
from sb3_delta_waypoint.sft.planners.protocol import WaypointPlanner

__all__ = ["AttentionWaypointModel", "PooledWaypointModel", "SFTWaypointModel", "WaypointPlanner"]
