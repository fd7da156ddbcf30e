"""The terms of the GRPO loss, per transition."""

import torch as th


def clipped_surrogate(
    ratio: th.Tensor, advantages: th.Tensor, low: float, high: float, dual_clip: float | None = None
) -> th.Tensor:
    """
    Return the clipped surrogate loss (PPO, arXiv 1707.06347, equation 7) with a lower and an upper range (DAPO, arXiv
    2503.14476, equation 10) and, for negative advantages, a bound on the ratio (dual clip, arXiv 1912.09729, equation 5).

    :param ratio: ratio of the probabilities under the new and the old policy, ``(B,)``
    :param advantages: ``(B,)``
    :param low: the ratio is clipped below at ``1 - low``
    :param high: the ratio is clipped above at ``1 + high``
    :param dual_clip: upper bound of the ratio for negative advantages; None for no bound
    :return: losses, ``(B,)``
    """
    objective = th.min(advantages * ratio, advantages * ratio.clamp(1.0 - low, 1.0 + high))
    if dual_clip is not None:
        objective = th.where(advantages < 0.0, th.max(objective, dual_clip * advantages), objective)
    return -objective


def sequence_log_ratio(log_ratio: th.Tensor, episodes: th.Tensor, lengths: th.Tensor) -> th.Tensor:
    """
    Return the length-normalised log ratio of each transition's episode, whose gradient is that of the transition (GSPO-token,
    arXiv 2507.18071, equation 14). With one advantage for a whole episode this is GSPO.

    :param log_ratio: log ratios of the transitions of whole episodes, ``(B,)``
    :param episodes: the episode of each transition, ``(B,)``, numbers below ``E``
    :param lengths: ``(E,)``
    :return: ``(B,)``
    """
    with th.no_grad():
        mean = th.zeros_like(lengths, dtype=log_ratio.dtype).index_add_(0, episodes, log_ratio) / lengths
    return mean[episodes] + log_ratio - log_ratio.detach()


def k3(log_prob: th.Tensor, reference_log_prob: th.Tensor) -> th.Tensor:
    """
    Return an unbiased, non-negative, low-variance estimate of ``KL(policy || reference)`` from samples of the policy
    (Schulman, http://joschu.net/blog/kl-approx.html).

    :param log_prob: log probability under the policy, ``(B,)``
    :param reference_log_prob: log probability under the reference, ``(B,)``
    :return: estimates ``(B,)``, nats
    """
    log_ratio = reference_log_prob - log_prob
    return log_ratio.expm1() - log_ratio


def loss_weights(lengths: th.Tensor, average: str | float) -> th.Tensor:
    """
    Return the weight of each transition with which a mean over transitions becomes the requested average.

    :param lengths: lengths of the episodes, ``(E,)``
    :param average: ``"episode"``: the mean over episodes of their means over steps (GRPO); ``"step"``: the mean over all
        steps (DAPO); a number: the mean over episodes of their sums over steps divided by that number (Dr. GRPO)
    :return: weights ``(N,)``
    """
    n_transitions, n_episodes = int(lengths.sum()), len(lengths)
    if average == "step":
        return th.ones(n_transitions, device=lengths.device)
    divisor = lengths.float() if average == "episode" else th.full_like(lengths, float(average), dtype=th.float32)
    return (n_transitions / (n_episodes * divisor)).repeat_interleave(lengths)
