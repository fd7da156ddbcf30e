"""Making the envs known to Gymnasium."""

import gymnasium as gym


def register_envs() -> None:
    """Make the envs known to ``gym.make`` and ``gym.make_vec``; calling it again changes nothing."""
    if "ToyWaypoint-v0" not in gym.registry:
        gym.register(
            "ToyWaypoint-v0",
            entry_point="sb3_delta_waypoint.envs.toy:ToyWaypointEnv",
            vector_entry_point="sb3_delta_waypoint.envs.toy_vector:ToyWaypointVectorEnv",
        )
    if "CarlaWaypoint-v0" not in gym.registry:
        gym.register("CarlaWaypoint-v0", entry_point="sb3_delta_waypoint.carla_bridge.env:CarlaWaypointEnv")
