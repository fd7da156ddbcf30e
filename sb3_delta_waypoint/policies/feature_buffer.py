"""A rollout buffer that stores what the frozen planner made of the observations, in place of the observations."""

from typing import Any

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.buffers import DictRolloutBuffer, RolloutBuffer

from sb3_delta_waypoint.policies.delta_policy import DeltaWaypointPolicy, PolicyFeatures


class FeatureRolloutBuffer(DictRolloutBuffer):
    """
    A rollout buffer of Stable-Baselines3 with the features of a policy as its observations.

    The policy has run its planner when it acted. It takes these features wherever it takes observations, so that no epoch of
    an update runs the planner again.

    :param buffer: the buffer that it takes the place of, which gives its size, device and discounts
    :param policy: the policy that acts
    """

    def __init__(self, buffer: RolloutBuffer, policy: DeltaWaypointPolicy):
        horizon_steps = policy.action_space.shape[0]
        shapes = ((horizon_steps, 2), (policy.features_extractor.features_dim,), (1,))
        stored: dict[str, spaces.Space] = {
            name: spaces.Box(-np.inf, np.inf, shape, np.float32)
            for name, shape in zip(PolicyFeatures._fields, shapes, strict=True)
        }
        super().__init__(
            buffer.buffer_size,
            spaces.Dict(stored),
            buffer.action_space,
            buffer.device,
            gae_lambda=buffer.gae_lambda,
            gamma=buffer.gamma,
            n_envs=buffer.n_envs,
        )
        self._policy = policy

    def add(self, obs: Any, *args: Any, **kwargs: Any) -> None:
        """
        Add a step.

        :param obs: the observations that the policy has acted on, which are not stored
        :param args: as in SB3
        :param kwargs: as in SB3
        """
        features = self._policy.last_features
        assert features is not None, "the policy acts before a step is added"
        stored = {name: values.cpu().numpy() for name, values in features._asdict().items()}
        super().add(stored, *args, **kwargs)
