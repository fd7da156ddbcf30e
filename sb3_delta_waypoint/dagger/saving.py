"""Saving a policy that DAgger has trained, as a model that reinforcement learning can go on from."""

import io
from collections.abc import Mapping
from inspect import signature
from pathlib import Path
from typing import Any

from stable_baselines3.common.base_class import BaseAlgorithm

from sb3_delta_waypoint.files import write_atomically
from sb3_delta_waypoint.policies.delta_policy import DeltaWaypointPolicy
from sb3_delta_waypoint.vec_env import make_waypoint_vec_env


def save_model(
    policy: DeltaWaypointPolicy,
    algorithm: type[BaseAlgorithm],
    path: str | Path,
    env_id: str,
    env_kwargs: Mapping[str, Any],
    policy_kwargs: Mapping[str, Any],
    seed: int = 0,
) -> Path:
    """
    Write a policy as an SB3 model, atomically. The algorithm has its default hyperparameters, which ``train -i`` replaces.

    :param policy: the policy
    :param algorithm: class of the model
    :param path: path of the file, ``.zip``
    :param env_id: id of the env that the policy drives in
    :param env_kwargs: arguments of the env
    :param policy_kwargs: arguments of the policy
    :param seed: seed of the model
    :return: the path of the file
    """
    group_size = getattr(signature(algorithm).parameters.get("group_size"), "default", 1)
    venv = make_waypoint_vec_env(env_id, group_size, seed, group_size, **env_kwargs)
    try:
        model: Any = algorithm(
            DeltaWaypointPolicy,
            venv,
            policy_kwargs=dict(policy_kwargs),
            seed=seed,
            device="cpu",  # type: ignore[call-arg]
        )
        model.policy.load_state_dict(policy.state_dict())
        buffer = io.BytesIO()
        model.save(buffer)
    finally:
        venv.close()
    return write_atomically(path, buffer.getvalue())
