"""
What ``train -optimize`` draws hyperparameters from: a function per algorithm.

Each takes what rl_zoo3 passes to a sampler (the Optuna trial, the first dimension of the action space, the number of training
envs, and arguments for off-policy algorithms) and returns keyword arguments of the algorithm. Never ``policy_kwargs``: they
would replace those of the yaml, and the planner with them.
"""

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import optuna


def sample_ppo(trial: "optuna.Trial", n_actions: int, n_envs: int, additional_args: dict[str, Any]) -> dict[str, Any]:
    """PPO hyperparameters for a residual that starts from a good policy, with many envs at once."""
    _suggest_with_critic(trial)
    trial.suggest_float("target_kl", 0.03, 1.0, log=True)
    trial.suggest_categorical("clip_range", [0.1, 0.2, 0.3])
    trial.suggest_categorical("n_epochs", [3, 5, 10])
    return convert(trial.params)


def sample_grpo(trial: "optuna.Trial", n_actions: int, n_envs: int, additional_args: dict[str, Any]) -> dict[str, Any]:
    """GRPO hyperparameters. The size of the groups is the yaml's: envs that number their scenarios are made for it."""
    # a minibatch is never more than the smallest rollout
    smallest_rollout_pow = 5 + int(math.log2(n_envs))
    trial.suggest_int("n_steps_pow", 5, 8)
    trial.suggest_int("batch_size_pow", min(6, smallest_rollout_pow), min(12, smallest_rollout_pow))
    trial.suggest_int("n_groups_pow", 0, 4)
    trial.suggest_float("one_minus_gamma", 0.001, 0.2, log=True)
    trial.suggest_float("learning_rate", 1e-4, 3e-3, log=True)
    trial.suggest_categorical("clip_range", [0.1, 0.2, 0.3])
    trial.suggest_categorical("n_epochs", [3, 5, 10])
    trial.suggest_categorical("advantage", ["outcome", "process"])
    trial.suggest_categorical("advantage_scale", ["group", "batch"])
    trial.suggest_categorical("loss_average", ["episode", "step"])
    return convert(trial.params)


def sample_a2c(trial: "optuna.Trial", n_actions: int, n_envs: int, additional_args: dict[str, Any]) -> dict[str, Any]:
    """A2C hyperparameters: one gradient step a rollout, so short rollouts."""
    trial.suggest_int("n_steps_pow", 2, 5)
    _suggest_discounts(trial)
    trial.suggest_float("learning_rate", 3e-4, 1e-2, log=True)
    trial.suggest_float("vf_coef", 0.1, 1.0, log=True)
    return convert(trial.params)


def sample_trpo(trial: "optuna.Trial", n_actions: int, n_envs: int, additional_args: dict[str, Any]) -> dict[str, Any]:
    """TRPO hyperparameters. The learning rate is the critic's; the actor's steps are bounded by ``target_kl``."""
    _suggest_with_critic(trial)
    trial.suggest_float("target_kl", 0.005, 0.1, log=True)
    trial.suggest_categorical("n_critic_updates", [3, 5, 10])
    return convert(trial.params)


def convert(sampled_params: dict[str, Any]) -> dict[str, Any]:
    """
    Hyperparameters from what Optuna stores.

    :param sampled_params: what a sampler drew: ``<name>_pow`` is an exponent of two, ``one_minus_<name>`` a distance from one
    :return: keyword arguments of the algorithm
    """
    params = {}
    for name, value in sampled_params.items():
        if name.endswith("_pow"):
            params[name.removesuffix("_pow")] = 2**value
        elif name.startswith("one_minus_"):
            params[name.removeprefix("one_minus_")] = 1 - value
        else:
            params[name] = value
    return params


def _suggest_with_critic(trial: "optuna.Trial") -> None:
    trial.suggest_int("n_steps_pow", 4, 7)
    trial.suggest_int("batch_size_pow", 8, 12)
    _suggest_discounts(trial)
    trial.suggest_float("learning_rate", 1e-4, 3e-3, log=True)


def _suggest_discounts(trial: "optuna.Trial") -> None:
    trial.suggest_float("one_minus_gamma", 0.01, 0.2, log=True)
    trial.suggest_float("one_minus_gae_lambda", 0.01, 0.3, log=True)
