"""The observation groups that an env must return for a planner or a trained model."""

from typing import Any

from sb3_delta_waypoint.contract import EGO_GROUPS, GROUPS
from sb3_delta_waypoint.policies.delta_policy import DeltaWaypointPolicy
from sb3_delta_waypoint.policies.inference import WaypointPolicy
from sb3_delta_waypoint.registration import env_spec


def observe_for(env_id: str, policy: WaypointPolicy, exactly: bool = False) -> dict[str, tuple[str, ...]]:
    """
    Return the env argument ``observe`` that a policy needs.

    :param env_id: id of a registered env
    :param policy: a planner or a trained model
    :param exactly: request only the groups that a model was trained with, as :meth:`load` with an env requires; otherwise
        ``state`` and ``route`` are included, as in the default of the envs
    :return: ``{"observe": names}``; empty for envs of other packages, and if the env's default groups are sufficient
    """
    if not str(env_spec(env_id).entry_point).startswith("sb3_delta_waypoint."):
        return {}
    module: Any = policy.module
    trained = exactly and isinstance(module, DeltaWaypointPolicy)
    read = module.observation_space.spaces if trained else (*EGO_GROUPS, *policy.observation_keys)
    groups = tuple(name for name in GROUPS if name in read)
    return {} if groups == EGO_GROUPS and not trained else {"observe": groups}
