"""Which observation groups an env must be asked for, so that a planner or a trained model can drive in it."""

from typing import Any

from sb3_delta_waypoint.contract import EGO_GROUPS, GROUPS
from sb3_delta_waypoint.policies.delta_policy import DeltaWaypointPolicy
from sb3_delta_waypoint.policies.inference import WaypointPolicy
from sb3_delta_waypoint.registration import env_spec


def observe_for(env_id: str, policy: WaypointPolicy, exactly: bool = False) -> dict[str, tuple[str, ...]]:
    """
    The env argument ``observe`` that a policy needs.

    :param env_id: id of a registered env
    :param policy: a planner or a trained model
    :param exactly: just the groups that a model was trained with, as :meth:`load` with an env requires; else ``state`` and
        ``route``, too, as an env gives them anyway
    :return: ``{"observe": names}``, or nothing: for envs that are not of this package, and where the usual groups will do
    """
    if not str(env_spec(env_id).entry_point).startswith("sb3_delta_waypoint."):
        return {}
    module: Any = policy.module
    trained = exactly and isinstance(module, DeltaWaypointPolicy)
    read = module.observation_space.spaces if trained else (*EGO_GROUPS, *policy.observation_keys)
    groups = tuple(name for name in GROUPS if name in read)
    return {} if groups == EGO_GROUPS and not trained else {"observe": groups}
