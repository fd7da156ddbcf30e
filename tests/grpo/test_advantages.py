"""Advantages against small cases, computed one number at a time."""

import itertools
import math

import numpy as np
import pytest

from sb3_delta_waypoint.grpo.advantages import have_spread, outcome_advantages, process_advantages, returns_to_go, steps

LENGTHS = np.array([2, 1, 3, 2])  # two groups of two
REWARDS = np.array([1.0, 2.0, 5.0, 0.5, -1.0, 4.0, 3.0, -2.0])
GAMMA = 0.5
EPISODES = [[1.0, 2.0], [5.0], [0.5, -1.0, 4.0], [3.0, -2.0]]


def slow_returns(rewards: list[float], gamma: float) -> list[float]:
    return [sum(gamma ** (u - t) * rewards[u] for u in range(t, len(rewards))) for t in range(len(rewards))]


def slow_advantages(kind: str, scale, gamma: float) -> list[float]:
    """As the definitions read, with loops and Python's floats."""
    groups = []
    for first in (0, 2):
        values = [slow_returns(EPISODES[first + member], gamma) for member in range(2)]
        if kind == "outcome":
            mean = sum(v[0] for v in values) / 2
            # the deviation is that of the returns, not of the transitions
            groups.append([[(v[0] - mean, len(v)) for v in values], [v[0] - mean for v in values]])
        else:
            means = [sum(v[t] for v in values if t < len(v)) / 2 for t in range(max(map(len, values)))]
            centred = [[v[t] - means[t] for t in range(len(v))] for v in values]
            groups.append([[(a, 1) for v in centred for a in v], [a for v in centred for a in v]])
    result = []
    for entries, sample in groups:
        sample = sample if scale == "group" else [a for _, s in groups for a in s]
        divisor = {"group": 0, "batch": 0}.get(scale, scale) if scale is not None else 1.0
        if scale in ("group", "batch"):
            divisor = math.sqrt(sum(a * a for a in sample) / len(sample))
        result += [a / divisor for a, count in entries for _ in range(count)]
    return result


def test_steps_and_returns_to_go():
    assert steps(LENGTHS).tolist() == [0, 1, 0, 0, 1, 2, 0, 1]
    for gamma in (1.0, GAMMA, 0.99):
        expected = [value for episode in EPISODES for value in slow_returns(episode, gamma)]
        np.testing.assert_allclose(returns_to_go(REWARDS, LENGTHS, gamma), expected, rtol=1e-14)
    assert REWARDS[0] == 1.0, "the rewards are left alone"


def test_returns_to_go_of_long_episodes():
    random = np.random.default_rng(0)
    lengths = random.integers(1, 300, 20)
    rewards = random.normal(size=lengths.sum())
    ends = np.cumsum(lengths)
    expected = np.concatenate([slow_returns(list(rewards[e - n : e]), 0.97) for e, n in zip(ends, lengths, strict=True)])
    np.testing.assert_allclose(returns_to_go(rewards, lengths, 0.97), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("gamma", [1.0, GAMMA])
@pytest.mark.parametrize("scale", ["group", "batch", 2.5, None])
@pytest.mark.parametrize(("kind", "function"), [("outcome", outcome_advantages), ("process", process_advantages)])
def test_by_hand(kind, function, scale, gamma):
    result = function(REWARDS, LENGTHS, 2, gamma, scale)
    assert result.dtype == np.float64
    np.testing.assert_allclose(result, slow_advantages(kind, scale, gamma), rtol=1e-7)


def test_outcome_in_numbers():
    # returns 3 and 5: mean 4, deviation 1; 3.5 and 1: mean 2.25, deviation 1.25
    np.testing.assert_allclose(outcome_advantages(REWARDS, LENGTHS, 2), [-1, -1, 1, 1, 1, 1, -1, -1], rtol=1e-7)
    raw = outcome_advantages(REWARDS, LENGTHS, 2, scale=None)
    np.testing.assert_allclose(raw, [-1, -1, 1, 1.25, 1.25, 1.25, -1.25, -1.25])


def test_an_ended_episode_counts_as_getting_nothing_more():
    # the first group's second step: 2 is left for one, nothing for the other
    assert process_advantages(REWARDS, LENGTHS, 2, scale=None)[1] == 2.0 - (2.0 + 0.0) / 2


def test_equal_returns_give_no_advantage():
    rewards, lengths = np.ones(12), np.array([3, 3, 3, 3])
    for scale in ("group", "batch", None):
        assert (outcome_advantages(rewards, lengths, 4, scale=scale) == 0.0).all()
        assert (process_advantages(rewards, lengths, 2, scale=scale) == 0.0).all()


@pytest.mark.parametrize(
    ("returns", "spread"),
    [([1, 1, 1], False), ([0, 0], False), ([500, 500.0000001], False), ([0, 1e-9], True), ([1, 1.1], True), ([-3, 3], True)],
)
def test_spread(returns, spread):
    assert have_spread(np.array(returns, np.float64)) == spread


def trajectories():
    """Actions and rewards of all episodes of a small task: action 1 ends the episode at once, action 0 leads to a second."""
    return [([1], [2.0]), *(([0, second], [-0.5, 3.0 * second - 1.0]) for second in (0, 1))]


def score(actions: list[int], thetas: np.ndarray) -> tuple[float, np.ndarray]:
    """Probability of the actions, and the gradient of its logarithm for each step, ``(steps, 2)``."""
    p = 1.0 / (1.0 + np.exp(-thetas))
    gradients = np.zeros((len(actions), 2))
    for step, action in enumerate(actions):
        gradients[step, step] = action - p[step]
    return float(np.prod([p[s] if a else 1.0 - p[s] for s, a in enumerate(actions)])), gradients


@pytest.mark.parametrize("function", [outcome_advantages, process_advantages])
@pytest.mark.parametrize("group_size", [2, 3])
def test_the_gradient_is_unbiased_though_episodes_end_at_different_steps(function, group_size):
    thetas = np.array([0.3, -0.8])
    found, exact = np.zeros(2), np.zeros(2)
    for actions, rewards in trajectories():
        probability, gradients = score(actions, thetas)
        exact += probability * sum(rewards) * gradients.sum(axis=0)
    for members in itertools.product(trajectories(), repeat=group_size):
        scores = [score(actions, thetas) for actions, _ in members]
        rewards = np.concatenate([rewards for _, rewards in members])
        advantages = function(rewards, np.array([len(actions) for actions, _ in members]), group_size, scale=None)
        gradient = advantages @ np.concatenate([gradients for _, gradients in scores])
        found += math.prod(probability for probability, _ in scores) * gradient / group_size
    # the mean over the group contains the episode itself, which shrinks all gradients alike
    np.testing.assert_allclose(found, (1.0 - 1.0 / group_size) * exact, rtol=1e-12)
