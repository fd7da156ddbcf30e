"""Vector envs for Stable-Baselines3."""

from sb3_delta_waypoint.vec_env.native import NativeVecEnv, make_waypoint_vec_env

__all__ = ["NativeVecEnv", "make_waypoint_vec_env"]
