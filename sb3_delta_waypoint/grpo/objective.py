"""The loss of GRPO."""

from typing import NamedTuple, cast

import torch as th
from stable_baselines3.common.distributions import Distribution
from stable_baselines3.common.policies import ActorCriticPolicy

from sb3_delta_waypoint.grpo.batch import Batch
from sb3_delta_waypoint.grpo.losses import clipped_surrogate, k3, sequence_log_ratio
from sb3_delta_waypoint.grpo.policies import EncodingPolicy


class Objective(NamedTuple):
    """
    The function that is minimised. Its fields are those of :class:`~.grpo.GRPO`; ``clip_low`` and ``clip_high`` are the two
    clip ranges.
    """

    clip_low: float
    clip_high: float
    dual_clip: float | None = None
    importance: str = "step"
    ent_coef: float = 0.0
    kl_coef: float = 0.0

    def loss(self, policy: ActorCriticPolicy, batch: Batch) -> tuple[th.Tensor, dict[str, th.Tensor]]:
        """
        Return the loss of a minibatch.

        :param policy: the policy in training
        :param batch: a minibatch
        :return: the loss, and by name its terms and other logged values, without gradient
        """
        seen, actions, old_log_probs = batch.transitions
        distribution = policy.get_distribution(seen)  # type: ignore[arg-type]
        log_probs = distribution.log_prob(actions)
        log_ratio = step_log_ratio = log_probs - old_log_probs
        if self.importance == "episode":
            log_ratio = sequence_log_ratio(step_log_ratio, batch.episodes, batch.lengths)
        ratio = log_ratio.exp()
        losses = clipped_surrogate(ratio, batch.advantages, self.clip_low, self.clip_high, self.dual_clip)
        loss = losses.sum() / batch.divisor
        with th.no_grad():
            below = (ratio < 1.0 - self.clip_low).float().mean()
            above = (ratio > 1.0 + self.clip_high).float().mean()
            terms = {
                "policy_gradient_loss": loss.detach(),
                "approx_kl": (step_log_ratio.expm1() - step_log_ratio).mean(),
                "clip_fraction": below + above,
                "clip_fraction_low": below,
                "clip_fraction_high": above,
            }
        if self.ent_coef != 0.0:
            loss = loss - self.ent_coef * (batch.weights * entropy(distribution, log_probs)).sum() / batch.divisor
        if self.kl_coef > 0.0:
            if batch.reference_log_probs is None:
                kl = cast(EncodingPolicy, policy).kl_to_reference(seen)
            else:
                kl = k3(log_probs, batch.reference_log_probs)
            terms["kl"] = kl.detach().mean()
            loss = loss + self.kl_coef * (batch.weights * kl).sum() / batch.divisor
        terms["loss"] = loss.detach()
        return loss, terms


def entropy(distribution: Distribution, log_probs: th.Tensor) -> th.Tensor:
    """
    Return the entropy of a distribution, estimated from samples if there is no closed form.

    :param distribution: distribution of the actions
    :param log_probs: log probabilities of samples, ``(B,)``
    :return: entropy ``(B,)``, nats
    """
    exact = distribution.entropy()
    return -log_probs if exact is None else exact
