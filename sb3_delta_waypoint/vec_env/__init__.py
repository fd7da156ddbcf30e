"""Vector envs for Stable-Baselines3."""

from sb3_delta_waypoint.vec_env.monitor import WholeEpisodeMonitor
from sb3_delta_waypoint.vec_env.native import NativeVecEnv, has_native_vec_env, make_waypoint_vec_env

__all__ = ["NativeVecEnv", "WholeEpisodeMonitor", "has_native_vec_env", "make_waypoint_vec_env"]
