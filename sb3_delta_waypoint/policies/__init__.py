"""The policy that refines a planner, and running it without the algorithm."""

from sb3_delta_waypoint.policies.delta_policy import DeltaWaypointPolicy, PolicyFeatures
from sb3_delta_waypoint.policies.extractor import PlannerFeatures
from sb3_delta_waypoint.policies.inference import PlanParts, WaypointPolicy
from sb3_delta_waypoint.policies.plan_overlay import PlanOverlay

__all__ = ["DeltaWaypointPolicy", "PlanOverlay", "PlanParts", "PlannerFeatures", "PolicyFeatures", "WaypointPolicy"]
