"""
Policies of GRPO: SB3's actor-critic policies, whose critics are not used, and the optional methods that GRPO calls.
"""

from typing import Any, Protocol

import torch as th
from stable_baselines3.common.policies import ActorCriticCnnPolicy, ActorCriticPolicy, MultiInputActorCriticPolicy

MlpPolicy = ActorCriticPolicy
CnnPolicy = ActorCriticCnnPolicy
MultiInputPolicy = MultiInputActorCriticPolicy


class EncodingPolicy(Protocol):
    """
    A policy with a frozen part, which runs once per step, and its own reference policy. Both methods are optional; with
    ``encode``, ``get_distribution`` and ``kl_to_reference`` must accept features as well as observations.
    """

    def encode(self, obs: Any) -> Any:
        """
        Run the frozen part.

        :param obs: batch of observations
        :return: the features: a tensor, or a dict or named tuple of tensors, each ``(B, …)``
        """

    def kl_to_reference(self, obs: Any) -> th.Tensor:
        """
        Return the KL divergence to the policy that training started from.

        :param obs: batch of observations or of their features
        :return: KL divergence ``(B,)``, nats
        """
