"""From observations as envs give them to what networks read: images from 0 to 1."""

import torch as th


def preprocess(observation: dict[str, th.Tensor]) -> dict[str, th.Tensor]:
    """
    What Stable-Baselines3's ``preprocess_obs`` does before a policy sees an observation, for a planner alone, whose space
    nobody knows: images become floats from 0 to 1, all else floats in physical units.

    :param observation: a batch, ``(B, …)`` each; images are the uint8 values of three dimensions
    :return: float32 ``(B, …)`` each
    """
    return {
        key: values.float() / 255.0 if values.dtype == th.uint8 and values.dim() == 4 else values.float()
        for key, values in observation.items()
    }
