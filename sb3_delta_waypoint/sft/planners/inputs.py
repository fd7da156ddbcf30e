"""Reading a planner's inputs from an observation."""

from collections.abc import Mapping

import torch


def checked(observation: Mapping[str, torch.Tensor], name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """
    Return one group of an observation, after a check of its shape.

    :param observation: observations by group, each (B, …)
    :param name: name of the group
    :param shape: the shape that one observation of the group must have
    :return: the group, (B, \\*shape)
    :raises ValueError: if the group is missing or has another shape
    """
    if name not in observation:
        raise ValueError(f"the observation lacks '{name}', which the planner reads; it has {sorted(observation)}")
    values = observation[name]
    if values.shape[1:] != shape or values.dim() != len(shape) + 1:
        expected = ", ".join(["batch", *map(str, shape)])
        raise ValueError(f"observation '{name}' has the shape {tuple(values.shape)}; the planner reads ({expected})")
    return values
