"""Devices as people name them."""

import torch
from stable_baselines3.common.utils import get_device


def find_device(name: str) -> torch.device:
    """
    The device of a name; SB3's ``get_device`` would take the CPU in silence where there is no CUDA.

    :param name: ``"cpu"``, ``"cuda"``, ``"cuda:1"``, …; ``"auto"`` takes CUDA where there is some
    :return: the device
    :raises ValueError: if there is no such device here
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
