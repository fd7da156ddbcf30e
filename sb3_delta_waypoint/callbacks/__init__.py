"""Callbacks for SB3's algorithms."""

from sb3_delta_waypoint.callbacks.bounded_schedules import BoundedSchedulesCallback
from sb3_delta_waypoint.callbacks.critic_warmup import CriticWarmupCallback
from sb3_delta_waypoint.callbacks.encode_once import EncodeOnceCallback
from sb3_delta_waypoint.callbacks.evaluation import WaypointEvalCallback
from sb3_delta_waypoint.callbacks.kl_penalty import KLPenaltyCallback
from sb3_delta_waypoint.callbacks.max_episodes import StopAfterEpisodes
from sb3_delta_waypoint.callbacks.run_artifacts import RunArtifactsCallback

__all__ = [
    "BoundedSchedulesCallback",
    "CriticWarmupCallback",
    "EncodeOnceCallback",
    "KLPenaltyCallback",
    "RunArtifactsCallback",
    "StopAfterEpisodes",
    "WaypointEvalCallback",
]
