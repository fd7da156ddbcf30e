"""What ``train --optimize`` draws hyperparameters from."""

from typing import Any

import optuna


def sample_ppo(trial: optuna.Trial, n_actions: int, n_envs: int, additional_args: dict[str, Any]) -> dict[str, Any]:
    """
    PPO hyperparameters for a residual that starts from a good policy, with many envs at once. Without ``policy_kwargs``: they
    would replace those of the yaml, and the planner with them.

    :param trial: the Optuna trial
    :param n_actions: the first dimension of the action space (unused)
    :param n_envs: number of training envs (unused)
    :param additional_args: for off-policy algorithms (unused)
    :return: keyword arguments of the algorithm
    """
    trial.suggest_int("n_steps_pow", 4, 7)
    trial.suggest_int("batch_size_pow", 8, 12)
    trial.suggest_float("one_minus_gamma", 0.01, 0.2, log=True)
    trial.suggest_float("one_minus_gae_lambda", 0.01, 0.3, log=True)
    trial.suggest_float("learning_rate", 1e-4, 3e-3, log=True)
    trial.suggest_float("target_kl", 0.03, 1.0, log=True)
    trial.suggest_categorical("clip_range", [0.1, 0.2, 0.3])
    trial.suggest_categorical("n_epochs", [3, 5, 10])
    return convert_ppo(trial.params)


def convert_ppo(sampled_params: dict[str, Any]) -> dict[str, Any]:
    """
    :param sampled_params: what :func:`sample_ppo` drew, as Optuna stores it
    :return: keyword arguments of the algorithm
    """
    params = dict(sampled_params)
    for name in ("n_steps", "batch_size"):
        params[name] = 2 ** params.pop(f"{name}_pow")
    for name in ("gamma", "gae_lambda"):
        params[name] = 1 - params.pop(f"one_minus_{name}")
    return params
