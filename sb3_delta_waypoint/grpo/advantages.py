"""
Advantages of episodes relative to the others of their group, in float64.

Episodes are ordered group by group: ``lengths`` is ``(E,)`` with ``E`` a multiple of ``group_size``. Quantities per transition
are ``(N,)``, concatenated episode by episode, with ``N = lengths.sum()``.
"""

import numpy as np

SPREAD = 1e-6
"""Relative difference of returns below which they count as equal, since rewards are float32."""


def returns_to_go(rewards: np.ndarray, lengths: np.ndarray, gamma: float = 1.0) -> np.ndarray:
    """
    Return the discounted sum of rewards from each step on. Nothing is added for steps that a time limit cut off.

    :param rewards: ``(N,)``
    :param lengths: ``(E,)``
    :param gamma: discount factor
    :return: ``(N,)``: ``sum_u gamma^(u-t) r_u`` over the rest of the episode
    """
    values = np.array(rewards, dtype=np.float64)
    left = np.repeat(lengths, lengths) - steps(lengths)
    # each pass doubles how far the sums reach (Hillis and Steele, 1986): no loop over steps, no padding
    reach = 1
    while reach < lengths.max(initial=0):
        further = np.flatnonzero(left > reach)
        values[further] += gamma**reach * values[further + reach]
        reach *= 2
    return values


def steps(lengths: np.ndarray) -> np.ndarray:
    """
    Return the step of each transition within its episode.

    :param lengths: ``(E,)``
    :return: ``(N,)``, from 0
    """
    return np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)


def outcome_advantages(
    rewards: np.ndarray, lengths: np.ndarray, group_size: int, gamma: float = 1.0, scale: str | float | None = "group"
) -> np.ndarray:
    """
    Return the advantages of outcome supervision: the episode's return minus the mean return of its group, the same at each of
    its steps (DeepSeekMath, arXiv 2402.03300, section 4.1.2).

    :param rewards: ``(N,)``
    :param lengths: ``(E,)``
    :param group_size: number of consecutive episodes that form a group
    :param gamma: discount factor
    :param scale: see :func:`scaled`
    :return: ``(N,)``
    """
    starts = np.cumsum(lengths) - lengths
    returns = np.add.reduceat(rewards * gamma ** steps(lengths), starts).reshape(-1, group_size)
    advantages = (returns - returns.mean(axis=1, keepdims=True)).ravel()
    return np.repeat(scaled(advantages, np.arange(len(lengths)) // group_size, scale), lengths)


def process_advantages(
    rewards: np.ndarray, lengths: np.ndarray, group_size: int, gamma: float = 1.0, scale: str | float | None = "group"
) -> np.ndarray:
    """
    Return the advantages of process supervision: the return to go of each step minus the mean of the group's returns to go at
    the same step. An episode that has ended contributes zero to that mean.

    The gradient is unbiased, up to the constant ``1 - 1 / group_size``: the advantage is that constant times the return to go
    minus the mean of the *others*, which does not depend on the action. If only the episodes that go on contributed, the
    constant would depend on the step, ``1 - 1 / m`` with ``m`` episodes left: late steps, and those of the survivors of a
    collision, would count less, and the last survivor would be compared with itself alone. The mean of the others that go on
    would be unbiased, too, but is the mean of few where few are left, and there it adds their noise.

    This is not the process supervision of DeepSeekMath (arXiv 2402.03300, section 4.1.3). There, the rewards of all steps of a
    group are normalised by one mean and one standard deviation, and the advantage is the sum of the normalised rewards to go.

    :param rewards: ``(N,)``
    :param lengths: ``(E,)``
    :param group_size: number of consecutive episodes that form a group
    :param gamma: discount factor
    :param scale: see :func:`scaled`
    :return: ``(N,)``
    """
    values = returns_to_go(rewards, lengths, gamma)
    groups = np.repeat(np.arange(len(lengths)) // group_size, lengths)
    _, moments = np.unique(groups * lengths.max(initial=1) + steps(lengths), return_inverse=True)
    baseline = np.bincount(moments, values) / group_size
    return scaled(values - baseline[moments], groups, scale)


def scaled(advantages: np.ndarray, groups: np.ndarray, scale: str | float | None) -> np.ndarray:
    """
    Return scaled advantages.

    :param advantages: centred advantages, ``(M,)``
    :param groups: the group of each, ``(M,)``, numbered from 0
    :param scale: ``"group"`` divides by the root mean square within the group (of whole-episode returns: their standard
        deviation), ``"batch"`` by that of the whole batch, a number by that number; None does not scale
    :return: ``(M,)``
    """
    if scale is None:
        return advantages
    if scale == "group":
        deviation = np.sqrt(np.bincount(groups, advantages**2) / np.bincount(groups))[groups]
    elif scale == "batch":
        deviation = np.sqrt(np.mean(advantages**2))
    else:
        return advantages / float(scale)
    return advantages / (deviation + 1e-8)


def have_spread(returns: np.ndarray) -> bool:
    """
    Return whether the returns of a group differ by more than rounding.

    :param returns: returns of the members of a group
    :return: whether they differ
    """
    return bool(np.ptp(returns) > SPREAD * np.abs(returns).max())
