"""From observations as envs give them to what networks read: images from 0 to 1."""

import numpy as np
import torch as th
from gymnasium import spaces
from stable_baselines3.common.preprocessing import preprocess_obs


def preprocess(observation: dict[str, th.Tensor], space: spaces.Dict | None = None) -> dict[str, th.Tensor]:
    """
    What Stable-Baselines3 does to observations before a policy sees them, for a policy and for a planner alone: images become
    floats from 0 to 1, all else floats in physical units.

    :param observation: a batch, ``(B, …)`` each
    :param space: of one observation; None where nobody knows it: then images are the uint8 values of three dimensions
    :return: float32 ``(B, …)`` each
    """
    if space is None:
        space = spaces.Dict({key: _likely_space(value) for key, value in observation.items()})
    found = preprocess_obs(observation, space)
    assert isinstance(found, dict)
    return found


def _likely_space(values: th.Tensor) -> spaces.Box:
    if values.dtype == th.uint8:
        return spaces.Box(0, 255, values.shape[1:], np.uint8)
    return spaces.Box(-np.inf, np.inf, values.shape[1:], np.float32)
