"""Parts of a batch against the whole, and the whole against the formulas, written out episode by episode in float64."""

import math

import numpy as np
import pytest
import torch as th
from torch.distributions import Normal

from sb3_delta_waypoint.grpo.batch import make_batch, minibatches
from sb3_delta_waypoint.grpo.buffer import Episodes, Transitions
from sb3_delta_waypoint.grpo.objective import Objective

LENGTHS = {"one short and one long": [10, 120], "short": [3, 1, 7, 2, 5, 4], "equal": [64, 64, 64], "single steps": [1] * 9}
LOW, HIGH, ENT_COEF, KL_COEF = 0.2, 0.28, 0.01, 0.05


class Actor(th.nn.Module):
    """A Gaussian policy in float64, of which the loss wants nothing but this method."""

    def __init__(self):
        super().__init__()
        th.manual_seed(1)
        self.mean, self.log_std = th.nn.Linear(3, 1).double(), th.nn.Parameter(th.tensor([-0.2], dtype=th.float64))

    def get_distribution(self, seen):
        return Normal(self.mean(seen).squeeze(1), self.log_std.exp())


def make_case(lengths, loss_average):
    """A policy, a batch that another one acted in and that a third is the reference for, and its advantages."""
    random, policy = np.random.default_rng(0), Actor()
    n = sum(lengths)
    seen, actions = th.tensor(random.normal(size=(n, 3))), th.tensor(random.normal(size=n))
    log_probs = policy.get_distribution(seen).log_prob(actions).detach()
    acted, reference = (log_probs + th.tensor(random.normal(scale=0.3, size=n)) for _ in range(2))
    advantages = random.normal(size=n)
    truncated = np.zeros(len(lengths), bool)
    episodes = Episodes(Transitions(seen, actions, acted), np.zeros(n), np.array(lengths), truncated)
    batch = make_batch(episodes, advantages, loss_average, False, th.device("cpu"))
    return policy, batch._replace(reference_log_probs=reference), advantages


def gradient(policy, loss):
    parts = th.autograd.grad(loss, list(policy.parameters()))
    return th.cat([part.flatten() for part in parts]).numpy()


def reference_loss(policy, batch, advantages, lengths, importance, loss_average):
    """The loss of the publications, one episode and one step at a time."""
    seen, actions, acted = batch.transitions
    distribution = policy.get_distribution(seen)
    log_probs = distribution.log_prob(actions)
    entropy = distribution.entropy()
    total, step = 0.0, 0
    for length in lengths:
        mean = (log_probs - acted)[step : step + length].mean()
        own = 0.0
        for t in range(step, step + length):
            # GSPO-token: the value of the episode's ratio, the gradient of the step's
            step_log_ratio = log_probs[t] - acted[t]
            log_ratio = mean.detach() + log_probs[t] - log_probs[t].detach() if importance == "episode" else step_log_ratio
            ratio = log_ratio.exp()
            surrogate = th.min(ratio * advantages[t], ratio.clamp(1 - LOW, 1 + HIGH) * advantages[t])
            difference = batch.reference_log_probs[t] - log_probs[t]
            own = own - surrogate - ENT_COEF * entropy[t] + KL_COEF * (difference.exp() - difference - 1.0)
        total = total + own / {"episode": length * len(lengths), "step": sum(lengths)}.get(loss_average, 30.0 * len(lengths))
        step += length
    return total


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
@pytest.mark.parametrize("loss_average", ["episode", "step", 30.0])
@pytest.mark.parametrize("importance", ["step", "episode"])
def test_parts_are_shares_of_the_whole(importance, loss_average, lengths):
    policy, batch, advantages = make_case(lengths, loss_average)
    objective = Objective(LOW, HIGH, None, importance, ENT_COEF, KL_COEF)
    expected = reference_loss(policy, batch, advantages, lengths, importance, loss_average)
    expected_gradient = gradient(policy, expected)
    assert np.abs(expected_gradient).max() > 1e-3
    for batch_size in (4, 64, 10_000):
        parts = minibatches(batch, batch_size, whole_episodes=importance == "episode")
        assert len(parts) == 1 or batch_size < sum(lengths)
        losses = [objective.loss(policy, batch.part(rows, len(parts)))[0] for rows in parts]
        whole = th.stack(losses).mean()
        assert whole.item() == pytest.approx(expected.item(), abs=1e-6)
        np.testing.assert_allclose(gradient(policy, whole), expected_gradient, atol=1e-6)


def test_episodes_that_are_a_part_each_weigh_alike():
    lengths = [20, 500]
    _, batch, _ = make_case(lengths, "episode")
    parts = minibatches(batch, 64, whole_episodes=True)
    assert sorted(map(len, parts)) == lengths
    for rows in parts:
        part = batch.part(rows, len(parts))
        assert (part.weights.sum() / part.divisor).item() == pytest.approx(1.0)
    (whole,) = minibatches(batch, math.inf, whole_episodes=True)
    assert (batch.part(whole).weights.sum() / batch.divisor).item() == pytest.approx(1.0)
