"""The algorithms that refine planners, and what rl_zoo3 needs to know about each."""

from collections.abc import Callable
from typing import Any, NamedTuple

import optuna
from sb3_contrib import TRPO
from stable_baselines3 import A2C, PPO
from stable_baselines3.common.base_class import BaseAlgorithm

from sb3_delta_waypoint.grpo import GRPO
from sb3_delta_waypoint.zoo.samplers import convert, sample_a2c, sample_grpo, sample_ppo, sample_trpo


class Algorithm(NamedTuple):
    """What rl_zoo3 needs to know about an algorithm."""

    algorithm: type[BaseAlgorithm]
    sampler: Callable[[optuna.Trial, int, int, dict[str, Any]], dict[str, Any]]
    converter: Callable[[dict[str, Any]], dict[str, Any]] = convert


ALGORITHMS = {
    "ppo": Algorithm(PPO, sample_ppo),
    "grpo": Algorithm(GRPO, sample_grpo),
    "a2c": Algorithm(A2C, sample_a2c),
    "trpo": Algorithm(TRPO, sample_trpo),
}
"""By the name that ``--algo`` takes. Each has a yaml in ``hyperparams/``."""
