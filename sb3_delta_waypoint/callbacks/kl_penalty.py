"""Logging of the policy's divergence from its planner, and an optional penalty on it."""

import numpy as np
import torch as th
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.utils import obs_as_tensor

from sb3_delta_waypoint.policies.delta_policy import DeltaWaypointPolicy

MAX_LOGGED_OBSERVATIONS = 4096
"""Number of evenly spaced observations of a rollout from which the logged means are computed."""


class KLPenaltyCallback(BaseCallback):
    """
    A callback that logs ``train/kl_to_sft`` [nats], ``train/delta_norm_mean`` and ``train/delta_norm_max`` [m] at the end of
    each rollout.

    With ``kl_coef`` above zero, ``kl_coef * (log pi(a|s) - log pi_sft(a|s))`` is subtracted from each reward before it goes
    into the rollout buffer. In expectation, the term in brackets is the KL divergence to the planner with the initial
    exploration (Ziegler et al., 2019, equation 2). Unmodified PPO, A2C and TRPO then maximise the penalised return. The closed
    form is only logged: it does not depend on the action, so as a penalty it would be cancelled by the critic's baseline.

    :param kl_coef: weight of the penalty [reward per nat]
    :param verbose: as in SB3
    :raises ValueError: if ``kl_coef`` is negative; when training begins, if the policy is not a ``DeltaWaypointPolicy`` or
        the algorithm is GRPO, which has its own penalty
    """

    model: OnPolicyAlgorithm

    def __init__(self, kl_coef: float = 0.0, verbose: int = 0):
        super().__init__(verbose)
        if kl_coef < 0.0:
            raise ValueError(f"kl_coef={kl_coef} must not be negative")
        self.kl_coef = kl_coef

    def _init_callback(self) -> None:
        if not isinstance(getattr(self.model, "rollout_buffer", None), RolloutBuffer):
            raise ValueError(
                f"KLPenaltyCallback is for algorithms with a critic, not for {type(self.model).__name__}: omit it; GRPO has "
                f"the penalty in its loss, GRPO(..., kl_coef={self.kl_coef:g}), and logs the distance to the planner itself"
            )
        if not isinstance(self.model.policy, DeltaWaypointPolicy):
            raise ValueError(
                f"KLPenaltyCallback measures the distance to a planner; {type(self.model.policy).__name__} has none: "
                "use DeltaWaypointPolicy"
            )

    @property
    def _policy(self) -> DeltaWaypointPolicy:
        policy = self.model.policy
        assert isinstance(policy, DeltaWaypointPolicy)
        return policy

    @th.no_grad()
    def _on_step(self) -> bool:
        if self.kl_coef > 0.0:
            reference = self._policy.reference_distribution(self.locals["obs_tensor"])
            actions = th.as_tensor(self.locals["actions"], device=self.model.device)
            log_ratio = self.locals["log_probs"] - reference.log_prob(actions)
            # in place, since the algorithm adds this array to its buffer next
            self.locals["rewards"] -= self.kl_coef * log_ratio.cpu().numpy()
        return True

    @th.no_grad()
    def _on_rollout_end(self) -> None:
        buffer = self.model.rollout_buffer
        stored = {key: value.reshape(-1, *value.shape[2:]) for key, value in buffer.observations.items()}  # type: ignore[attr-defined]
        n_stored = len(next(iter(stored.values())))
        rows = np.unique(np.linspace(0, n_stored - 1, MAX_LOGGED_OBSERVATIONS).astype(int))
        observations = obs_as_tensor({key: value[rows] for key, value in stored.items()}, self.model.device)
        distribution = self._policy.get_distribution(observations)
        norms = distribution.delta.norm(dim=2)
        self.logger.record("train/kl_to_sft", distribution.kl_to(self._policy.reference_log_std).mean().item())
        self.logger.record("train/delta_norm_mean", norms.mean().item())
        self.logger.record("train/delta_norm_max", norms.max().item())
