"""Torch devices by name."""

import torch
from stable_baselines3.common.utils import get_device


def find_device(name: str) -> torch.device:
    """
    Return the device of a name. Unlike SB3's ``get_device``, it does not silently fall back to the CPU.

    :param name: ``"cpu"``, ``"cuda"``, ``"cuda:1"``, …; ``"auto"`` is CUDA if available
    :return: the device
    :raises ValueError: if this machine has no such device
    """
    if name == "auto":
        return get_device(name)
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # torch asserts that it was built with CUDA
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ValueError(f"device {name} is not available here: {reason}; give --device cpu or auto") from error
    return device
