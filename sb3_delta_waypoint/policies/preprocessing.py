"""Preprocessing of observations for networks: images become floats from 0 to 1."""

import torch as th


def preprocess(observation: dict[str, th.Tensor]) -> dict[str, th.Tensor]:
    """
    Preprocess observations like Stable-Baselines3's ``preprocess_obs``, but without an observation space, for a planner
    without a policy. Images become floats from 0 to 1, everything else floats in physical units.

    :param observation: a batch, each ``(B, …)``; uint8 values of three dimensions per observation are images
    :return: float32, each ``(B, …)``
    """
    return {
        key: values.float() / 255.0 if values.dtype == th.uint8 and values.dim() == 4 else values.float()
        for key, values in observation.items()
    }
