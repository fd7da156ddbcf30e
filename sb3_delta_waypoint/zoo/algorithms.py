"""The algorithms that refine planners, and what rl_zoo3 needs to know about each."""

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from sb3_delta_waypoint.zoo.samplers import convert, sample_a2c, sample_grpo, sample_ppo, sample_trpo

if TYPE_CHECKING:
    import optuna
    from stable_baselines3.common.base_class import BaseAlgorithm


class Algorithm(NamedTuple):
    """What rl_zoo3 needs to know about an algorithm."""

    path: str
    """``"package:class"``, which is imported when it is needed: ``--help`` names the algorithms without torch."""
    sampler: Callable[["optuna.Trial", int, int, dict[str, Any]], dict[str, Any]]
    converter: Callable[[dict[str, Any]], dict[str, Any]] = convert

    def load(self) -> "type[BaseAlgorithm]":
        """:return: the class"""
        package, _, name = self.path.partition(":")
        algorithm: type[BaseAlgorithm] = getattr(import_module(package), name)
        return algorithm


ALGORITHMS = {
    "grpo": Algorithm("sb3_delta_waypoint.grpo:GRPO", sample_grpo),
    "ppo": Algorithm("stable_baselines3:PPO", sample_ppo),
    "a2c": Algorithm("stable_baselines3:A2C", sample_a2c),
    "trpo": Algorithm("sb3_contrib:TRPO", sample_trpo),
}
"""By the name that ``--algo`` takes; the first is the default. Each has a yaml in ``hyperparams/``."""

OTHER_ALGORITHMS = ("ddpg", "dqn", "sac", "td3", "ars", "crossq", "qrdqn", "tqc", "ppo_lstm")
"""Those that rl_zoo3 has beside them, for envs of others."""


def check_algorithm(name: str) -> None:
    """
    Refuse an unknown algorithm without rl_zoo3, which takes seconds to import.

    :param name: as ``--algo`` takes it
    :raises ValueError: if there is no such algorithm
    """
    if name not in (*ALGORITHMS, *OTHER_ALGORITHMS):
        raise ValueError(
            f"--algo {name}: there is no such algorithm; envs of this package take {', '.join(ALGORITHMS)}, others "
            f"{', '.join(OTHER_ALGORITHMS)}, too"
        )
