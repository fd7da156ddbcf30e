"""
Samplers of hyperparameters for ``train -optimize``: one function per algorithm.

Each has the arguments of rl_zoo3's samplers (the Optuna trial, the first dimension of the action space, the number of training
envs, and arguments for off-policy algorithms) and returns keyword arguments of the algorithm. It never returns
``policy_kwargs``, which would replace those of the yaml, including the planner.
"""

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import optuna


def sample_ppo(trial: "optuna.Trial", n_actions: int, n_envs: int, additional_args: dict[str, Any]) -> dict[str, Any]:
    """Sample PPO hyperparameters, for a residual that starts from a good policy, and for many envs."""
    _suggest_with_critic(trial)
    trial.suggest_float("target_kl", 0.03, 1.0, log=True)
    trial.suggest_categorical("clip_range", [0.1, 0.2, 0.3])
    trial.suggest_categorical("n_epochs", [3, 5, 10])
    return convert(trial.params)


def sample_grpo(trial: "optuna.Trial", n_actions: int, n_envs: int, additional_args: dict[str, Any]) -> dict[str, Any]:
    """Sample GRPO hyperparameters. The group size is that of the yaml, since the envs are built for it."""
    # a minibatch is never larger than the smallest rollout
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
    """Sample A2C hyperparameters, with short rollouts, since A2C takes one gradient step per rollout."""
    trial.suggest_int("n_steps_pow", 2, 5)
    _suggest_discounts(trial)
    trial.suggest_float("learning_rate", 3e-4, 1e-2, log=True)
    trial.suggest_float("vf_coef", 0.1, 1.0, log=True)
    return convert(trial.params)


def sample_trpo(trial: "optuna.Trial", n_actions: int, n_envs: int, additional_args: dict[str, Any]) -> dict[str, Any]:
    """Sample TRPO hyperparameters. The learning rate applies to the critic; ``target_kl`` bounds the actor's steps."""
    _suggest_with_critic(trial)
    trial.suggest_float("target_kl", 0.005, 0.1, log=True)
    trial.suggest_categorical("n_critic_updates", [3, 5, 10])
    return convert(trial.params)


def convert(sampled_params: dict[str, Any]) -> dict[str, Any]:
    """
    Convert the parameters that Optuna stores to hyperparameters.

    :param sampled_params: parameters of a trial: ``<name>_pow`` is an exponent of two, ``one_minus_<name>`` a distance to one
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
