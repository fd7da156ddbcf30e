"""The learners of DAgger: the residual head on a frozen planner, and the planner itself."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import torch
from torch import nn

from sb3_delta_waypoint.policies.delta_policy import DeltaWaypointPolicy, PolicyFeatures
from sb3_delta_waypoint.policies.preprocessing import preprocess
from sb3_delta_waypoint.sft.planners.protocol import observation_keys

Columns = tuple[torch.Tensor, ...]
"""All that a learner needs of a batch of observations, each ``(B, …)``."""


class Learner(Protocol):
    """A network that is trained to plan like a teacher."""

    module: nn.Module
    """The part that is trained; it is in training mode while it is fitted, and in evaluation mode while it drives."""

    def columns(self, observations: Mapping[str, np.ndarray]) -> Columns:
        """
        Return what the learner needs of a batch of observations. It does not change in training, so that it can be kept.

        :param observations: observations by name, each ``(B, …)``, physical units
        :return: tensors, each ``(B, …)``
        """
        ...

    def plans(self, columns: Columns) -> torch.Tensor:
        """
        Plan.

        :param columns: as :meth:`columns` returns them
        :return: plans ``(B, H, 2)``, metres, ego frame, with gradients of the parameters of :attr:`module`
        """
        ...


class HeadLearner:
    """
    The residual head of a policy; its planner stays frozen and runs once per state.

    :param policy: the policy
    """

    def __init__(self, policy: DeltaWaypointPolicy):
        self.policy = policy
        self.module: nn.Module = policy.delta_net

    @torch.no_grad()
    def columns(self, observations: Mapping[str, np.ndarray]) -> Columns:
        """The output of the policy's frozen part, see :meth:`Learner.columns`."""
        known = {name: observations[name] for name in self.policy.observation_space.spaces}
        return tuple(self.policy.encode(self.policy.obs_to_tensor(known)[0]))

    def plans(self, columns: Columns) -> torch.Tensor:
        """The most likely plans, see :meth:`Learner.plans`."""
        return self.policy.get_distribution(PolicyFeatures(*columns)).mode()


class NetworkLearner:
    """
    A whole planner.

    :param planner: the planner
    """

    def __init__(self, planner: nn.Module):
        self.module = planner
        self._names = observation_keys(planner)

    def columns(self, observations: Mapping[str, np.ndarray]) -> Columns:
        """What the planner reads, see :meth:`Learner.columns`."""
        return tuple(torch.as_tensor(observations[name]) for name in self._names)

    def plans(self, columns: Columns) -> torch.Tensor:
        """The planner's plans, see :meth:`Learner.plans`."""
        plans: torch.Tensor = self.module(preprocess(dict(zip(self._names, columns, strict=True))))[1]
        return plans
