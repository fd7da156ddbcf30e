"""Registration of the envs with Gymnasium."""

from importlib import import_module

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec


def register_envs() -> None:
    """Register the envs for ``gym.make`` and ``gym.make_vec``. A second call has no effect."""
    if "ToyWaypoint-v0" not in gym.registry:
        gym.register(
            "ToyWaypoint-v0",
            entry_point="sb3_delta_waypoint.envs.toy:ToyWaypointEnv",
            vector_entry_point="sb3_delta_waypoint.envs.toy:ToyWaypointVectorEnv",
        )
    if "TrafficWaypoint-v0" not in gym.registry:
        gym.register(
            "TrafficWaypoint-v0",
            entry_point="sb3_delta_waypoint.envs.traffic:TrafficWaypointEnv",
            vector_entry_point="sb3_delta_waypoint.envs.traffic:TrafficWaypointVectorEnv",
        )
    if "CarlaWaypoint-v0" not in gym.registry:
        gym.register("CarlaWaypoint-v0", entry_point="sb3_delta_waypoint.carla_bridge.env:CarlaWaypointEnv")


def env_spec(env_id: str) -> EnvSpec:
    """
    Get the specification of an env.

    :param env_id: id of a registered env; ``module:Id`` imports the module, which registers it, as ``gymnasium.make`` does
    :return: its specification
    :raises ModuleNotFoundError: if there is no such module
    """
    module, _, name = env_id.rpartition(":")
    if module:
        try:
            import_module(module)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{module}.".startswith(f"{error.name}."):
                raise
            raise ModuleNotFoundError(
                f"env {env_id} (--env): there is no module {error.name}; it must be installed or lie on PYTHONPATH",
                name=error.name,
            ) from error
    return gym.spec(name)
