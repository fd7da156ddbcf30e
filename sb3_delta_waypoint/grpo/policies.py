"""
The policies of GRPO are SB3's actor-critic policies, whose critics it does not use, and what else it can make use of.
"""

from typing import Any, Protocol

import torch as th
from stable_baselines3.common.policies import ActorCriticCnnPolicy, ActorCriticPolicy, MultiInputActorCriticPolicy

MlpPolicy = ActorCriticPolicy
CnnPolicy = ActorCriticCnnPolicy
MultiInputPolicy = MultiInputActorCriticPolicy


class EncodingPolicy(Protocol):
    """
    A policy with a frozen part, which runs once per step, and a reference of its own. GRPO uses either method where a policy
    has it; ``get_distribution`` must take features as well, then.
    """

    def encode(self, obs: Any) -> Any:
        """
        :param obs: batch of observations
        :return: the features: a tensor, or a dict or named tuple of tensors, each ``(B, …)``
        """

    def kl_to_reference(self, obs: Any) -> th.Tensor:
        """
        :param obs: batch of observations or of their features
        :return: KL divergence to the policy that training started from, ``(B,)``, nats
        """
