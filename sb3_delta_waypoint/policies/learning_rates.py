"""Learning rates of parameter groups, relative to the algorithm's learning rate."""

from typing import Any

import torch as th


def scale_learning_rates(optimizer: th.optim.Optimizer) -> None:
    """
    Make each step of an optimiser multiply the learning rate of each parameter group by its ``lr_scale``. SB3 writes one
    learning rate into every group before each update, so the scales are applied before the step and undone after it.

    :param optimizer: an optimiser whose groups have ``lr_scale``; a copy of it loses its hooks and needs this call again
    """
    optimizer.register_step_pre_hook(_scale)
    optimizer.register_step_post_hook(_restore)


def _scale(optimizer: th.optim.Optimizer, *_: Any) -> None:
    for group in optimizer.param_groups:
        group["lr_before_scale"] = group["lr"]
        group["lr"] *= group["lr_scale"]


def _restore(optimizer: th.optim.Optimizer, *_: Any) -> None:
    for group in optimizer.param_groups:
        group["lr"] = group.pop("lr_before_scale")
