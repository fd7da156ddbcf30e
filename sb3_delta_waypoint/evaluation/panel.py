"""Evaluation under a panel of behaviours: the same scenarios among others who drive differently."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from gymnasium.envs.registration import load_env_creator

from sb3_delta_waypoint.evaluation.rollout import Scenarios
from sb3_delta_waypoint.evaluation.statistics import Summary, hierarchical_ci95, summarise
from sb3_delta_waypoint.registration import env_spec


def behaviours_of(env_id: str) -> tuple[str, ...]:
    """
    Return the behaviours of other road users that an env knows.

    :param env_id: id of a registered env
    :return: the names in its attribute ``behaviours``; empty if it has none
    """
    entry_point = env_spec(env_id).entry_point
    env_class = load_env_creator(entry_point) if isinstance(entry_point, str) else entry_point
    return tuple(getattr(env_class, "behaviours", ()))


def panel(scenarios: Scenarios) -> dict[str, Scenarios]:
    """
    Return the same scenarios under every behaviour that the env knows.

    :param scenarios: the scenarios; a behaviour in the env's argument ``traffic`` is replaced
    :return: the scenarios by behaviour
    :raises ValueError: if the env knows no behaviours
    """
    names = behaviours_of(scenarios.env_id)
    if not names:
        raise ValueError(
            f"{scenarios.env_id} has no panel of behaviours: it drives nobody else, or others whose behaviour cannot be chosen"
        )
    traffic = dict(scenarios.env_kwargs.get("traffic") or {})
    return {
        name: replace(scenarios, env_kwargs={**scenarios.env_kwargs, "traffic": {**traffic, "behaviour": name}})
        for name in names
    }


def summarise_panel(by_behaviour: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, Summary]:
    """
    Return the statistics over all behaviours. A scenario is resampled with all its behaviours, since it is equally hard or
    easy in each of them.

    :param by_behaviour: metrics by behaviour, one value per scenario for each metric, (n,) each, of the same scenarios
    :return: the statistics of the metrics that are known under every behaviour
    """
    parts = list(by_behaviour.values())
    names = [name for name in parts[0] if all(name in part for part in parts)]
    values = np.stack([np.concatenate([part[name] for part in parts]) for name in names], axis=1)
    numbers = np.tile(np.arange(len(parts[0][names[0]])), len(parts))
    intervals = hierarchical_ci95(values[None], numbers)
    return {name: summarise(values[:, column], intervals[column]) for column, name in enumerate(names)}
