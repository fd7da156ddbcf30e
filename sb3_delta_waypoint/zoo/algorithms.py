"""The algorithms that refine planners, with their settings for rl_zoo3."""

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from sb3_delta_waypoint.zoo.samplers import convert, sample_a2c, sample_grpo, sample_ppo, sample_trpo

if TYPE_CHECKING:
    import optuna
    from stable_baselines3.common.base_class import BaseAlgorithm


class Algorithm(NamedTuple):
    """An algorithm with its settings for rl_zoo3."""

    path: str
    """``"package:class"``, imported only when needed, so that ``--help`` can list the algorithms without torch."""
    sampler: Callable[["optuna.Trial", int, int, dict[str, Any]], dict[str, Any]]
    converter: Callable[[dict[str, Any]], dict[str, Any]] = convert

    def load(self) -> "type[BaseAlgorithm]":
        """Import and return the class."""
        package, _, name = self.path.partition(":")
        algorithm: type[BaseAlgorithm] = getattr(import_module(package), name)
        return algorithm


ALGORITHMS = {
    "grpo": Algorithm("sb3_delta_waypoint.grpo:GRPO", sample_grpo),
    "ppo": Algorithm("stable_baselines3:PPO", sample_ppo),
    "a2c": Algorithm("stable_baselines3:A2C", sample_a2c),
    "trpo": Algorithm("sb3_contrib:TRPO", sample_trpo),
}
"""The algorithms by their names for ``--algo``; the first is the default. Each has a yaml in ``hyperparams/``."""

OTHER_ALGORITHMS = ("ddpg", "dqn", "sac", "td3", "ars", "crossq", "qrdqn", "tqc", "ppo_lstm")
"""Further algorithms of rl_zoo3, for envs of others."""


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
