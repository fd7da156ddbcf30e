"""A warning that a budget of env steps is too short for the policy to learn."""

import warnings
from collections.abc import Iterator
from itertools import islice
from typing import Any

from stable_baselines3.common.callbacks import BaseCallback, CallbackList
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

MIN_UPDATES = 5
"""Minimum number of updates that should change the policy in a new training run."""


class ShortBudgetWarner(BaseCallback):
    """
    Base class of callbacks that warn of a short budget. When training starts, the first of them in a list of callbacks warns,
    for all of them, if rollouts, the critic's warm-up and the schedule leave the policy hardly any update.

    :param verbose: as in SB3
    """

    warmup_steps = 0
    """Number of env steps during which the policy does not change."""

    def _on_training_start(self) -> None:
        warners = [callback for callback in _all(self.locals.get("callback")) if isinstance(callback, ShortBudgetWarner)]
        if isinstance(self.model, OnPolicyAlgorithm) and (not warners or warners[0] is self):
            message = short_budget(self.model, max(callback.warmup_steps for callback in [self, *warners]))
            if message is not None:
                warnings.warn(message, stacklevel=2)


def short_budget(model: OnPolicyAlgorithm, warmup_steps: int = 0) -> str | None:
    """
    Return a warning if the budget of a model is too short.

    :param model: a model at the start of training; one that continues needs only one update that changes the policy
    :param warmup_steps: env steps, from the model's first training, during which the policy does not change
    :return: why the budget is too short, and the remedy; None if it is long enough
    """
    begin, total, rollout = model.num_timesteps, model._total_timesteps, model.n_steps * model.n_envs
    update_steps = range(begin + rollout, total + rollout, rollout)
    warmup_rollouts = max(warmup_steps - begin, 0) // rollout
    n_warmup = min(warmup_rollouts, len(update_steps))
    # TRPO's learning rate applies to its critic; the policy is updated by line search
    searches = hasattr(model, "line_search_max_iter")
    moving = (step for step in update_steps[n_warmup:] if searches or model.lr_schedule(1.0 - step / total) > 0.0)
    needed = MIN_UPDATES if begin == 0 else 1
    n_moving = len(list(islice(moving, needed)))
    if n_moving == needed or not update_steps:
        return None
    reasons, causes = [], ["n_steps", "the number of envs"]
    if n_warmup:
        causes.append("warmup_steps")
        reasons.append(f"{n_warmup} belong to the critic's warm-up (warmup_steps={warmup_steps})")
    if len(update_steps) > n_warmup + n_moving:
        reasons.append(f"in {len(update_steps) - n_warmup - n_moving} the learning rate is 0")
    rollouts = f"{len(update_steps)} rollout{'s' * (len(update_steps) > 1)} of at least {rollout}"
    enough = (warmup_rollouts + needed + 1) * rollout
    return (
        f"{total - begin} env steps are {rollouts} (n_steps={model.n_steps} times {model.n_envs} envs), and "
        f"{n_moving or 'none'} of their updates can move the policy{': ' if reasons else ''}{', '.join(reasons)}; train for "
        f"{enough} steps (-n) or more, or make {' or '.join(causes)} smaller"
    )


def _all(callback: Any) -> Iterator[BaseCallback]:
    """Yield the callbacks of a list and of nested lists, in order."""
    if isinstance(callback, CallbackList):
        for child in callback.callbacks:
            yield from _all(child)
    elif isinstance(callback, BaseCallback):
        yield callback
