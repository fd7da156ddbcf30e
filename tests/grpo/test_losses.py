"""The terms of the loss against small cases, computed one number at a time in float64."""

import math

import numpy as np
import pytest
import torch as th
from stable_baselines3.common.distributions import DiagGaussianDistribution

from sb3_delta_waypoint.grpo.batch import Batch, minibatches
from sb3_delta_waypoint.grpo.buffer import Transitions
from sb3_delta_waypoint.grpo.losses import clipped_surrogate, k3, loss_weights, sequence_log_ratio
from sb3_delta_waypoint.grpo.objective import Objective

LENGTHS = th.tensor([2, 1, 3])
EPISODES = th.tensor([0, 0, 1, 2, 2, 2])


def double(*values: float) -> th.Tensor:
    return th.tensor(values, dtype=th.float64)


@pytest.mark.parametrize(
    ("ratio", "advantage", "dual", "expected"),
    [
        (1.0, 2.0, None, -2.0),
        (1.5, 2.0, None, -1.3 * 2.0),  # clipped above, by the upper range
        (1.25, 2.0, None, -1.25 * 2.0),  # inside the upper range, though outside the lower one
        (0.5, 2.0, None, -0.5 * 2.0),  # worse than clipped: counts
        (0.5, -2.0, None, 0.8 * 2.0),  # clipped below, by the lower range
        (1.5, -2.0, None, 1.5 * 2.0),
        (9.0, -2.0, None, 9.0 * 2.0),
        (9.0, -2.0, 3.0, 3.0 * 2.0),  # bounded by the dual clip
        (1.5, -2.0, 3.0, 1.5 * 2.0),
        (9.0, 2.0, 3.0, -1.3 * 2.0),  # which leaves positive advantages alone
    ],
)
def test_clips(ratio, advantage, dual, expected):
    loss = clipped_surrogate(double(ratio), double(advantage), 0.2, 0.3, dual)
    assert loss.item() == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize(
    ("ratio", "advantage", "flows"), [(1.31, 1.0, False), (1.29, 1.0, True), (0.79, -1.0, False), (0.81, -1.0, True)]
)
def test_no_gradient_beyond_a_clip(ratio, advantage, flows):
    ratio = double(ratio).requires_grad_()
    clipped_surrogate(ratio, double(advantage), 0.2, 0.3).sum().backward()
    assert (ratio.grad.item() != 0.0) == flows


def test_k3():
    log_prob, reference = double(-1.0, -2.0, 0.5), double(-1.0, -1.5, -0.3)
    expected = [math.exp(r - p) - (r - p) - 1.0 for p, r in zip(log_prob.tolist(), reference.tolist(), strict=True)]
    np.testing.assert_allclose(k3(log_prob, reference), expected, rtol=1e-12)
    assert k3(log_prob, log_prob).abs().max() == 0.0


def test_k3_estimates_the_divergence():
    th.manual_seed(0)
    policy, reference = th.distributions.Normal(double(0.3), double(1.0)), th.distributions.Normal(double(0.0), double(1.2))
    samples = policy.sample((200_000,))
    estimate = k3(policy.log_prob(samples), reference.log_prob(samples)).mean().item()
    assert estimate == pytest.approx(th.distributions.kl_divergence(policy, reference).item(), rel=0.02)


def test_sequence_log_ratio():
    log_ratio = double(0.1, 0.3, -0.5, 0.2, 0.0, 0.4).requires_grad_()
    value = sequence_log_ratio(log_ratio, EPISODES, LENGTHS)
    np.testing.assert_allclose(value.detach(), [0.2, 0.2, -0.5, 0.2, 0.2, 0.2], rtol=1e-12)
    # with one advantage per episode, the gradient is that of GSPO's exp(mean log ratio)
    advantages, weights = double(1.0, -2.0, 3.0)[EPISODES], loss_weights(LENGTHS, "episode").double()
    (weights * advantages * value.exp()).mean().backward()
    other = log_ratio.detach().clone().requires_grad_()
    means = th.stack([other[:2].mean(), other[2], other[3:].mean()])
    (double(1.0, -2.0, 3.0) * means.exp()).mean().backward()
    np.testing.assert_allclose(log_ratio.grad, other.grad, rtol=1e-7)


def test_averages():
    losses = double(1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
    for average, expected in {
        "episode": ((1 + 2) / 2 + 3 + (4 + 5 + 6) / 3) / 3,
        "step": 21 / 6,
        7.0: (3 + 3 + 15) / 7 / 3,
    }.items():
        assert (loss_weights(LENGTHS, average) * losses).mean().item() == pytest.approx(expected, rel=1e-6)


class Actor(th.nn.Module):
    """A policy in float64, of which the loss wants nothing but this method."""

    def __init__(self):
        super().__init__()
        th.manual_seed(1)
        self.mean, self.log_std = th.nn.Linear(3, 2).double(), th.nn.Parameter(double(-0.2, 0.1))

    def get_distribution(self, seen):
        return DiagGaussianDistribution(2).proba_distribution(self.mean(seen), self.log_std)


@pytest.fixture
def policy():
    return Actor()


def make_batch(policy, n=24, seed=0):
    """Transitions of three episodes that the policy itself acted on."""
    random = np.random.default_rng(seed)
    seen = th.tensor(random.normal(size=(n, 3)))
    with th.no_grad():
        distribution = policy.get_distribution(seen)
        actions = distribution.get_actions()
        log_probs = distribution.log_prob(actions)
    lengths = th.tensor([n // 2, n // 4, n // 4])
    weights = loss_weights(lengths, "episode").double()
    advantages = th.tensor(random.normal(size=n)) * weights
    episodes = th.arange(3).repeat_interleave(lengths)
    return Batch(Transitions(seen, actions, log_probs), advantages, weights, episodes, lengths, n)


@pytest.mark.parametrize("importance", ["step", "episode"])
@pytest.mark.parametrize("dual_clip", [None, 3.0])
def test_first_gradient_is_the_plain_policy_gradient(policy, importance, dual_clip):
    batch = make_batch(policy)
    loss, terms = Objective(0.2, 0.3, dual_clip, importance).loss(policy, batch)
    gradient = th.autograd.grad(loss, list(policy.parameters()))
    log_probs = policy.get_distribution(batch.transitions.seen).log_prob(batch.transitions.actions)
    plain = th.autograd.grad(-(batch.advantages * log_probs).mean(), list(policy.parameters()))
    assert sum(part.abs().sum() for part in plain) > 1e-2
    for part, expected in zip(gradient, plain, strict=True):
        np.testing.assert_allclose(part, expected, rtol=1e-12, atol=1e-14)
    assert terms["clip_fraction"] == 0.0 and terms["approx_kl"].abs() < 1e-12


def test_terms_of_the_loss(policy):
    batch = make_batch(policy)
    shift = th.linspace(-0.6, 0.6, len(batch.weights), dtype=th.float64)
    moved = batch._replace(
        transitions=batch.transitions._replace(log_probs=batch.transitions.log_probs - shift),
        reference_log_probs=batch.transitions.log_probs + 0.1,
    )
    loss, terms = Objective(0.2, 0.3, None, "step", ent_coef=0.01, kl_coef=0.5).loss(policy, moved)
    ratio = shift.exp().numpy()
    advantages, weights = moved.advantages.numpy(), moved.weights.numpy()
    surrogate = -np.minimum(ratio * advantages, np.clip(ratio, 0.8, 1.3) * advantages).mean()
    entropy = policy.get_distribution(batch.transitions.seen).entropy().detach().numpy()
    kl = math.exp(0.1) - 0.1 - 1.0
    assert terms["policy_gradient_loss"].item() == pytest.approx(surrogate)
    assert terms["kl"].item() == pytest.approx(kl)
    assert loss.item() == pytest.approx(surrogate - 0.01 * (weights * entropy).mean() + 0.5 * kl * weights.mean())
    assert terms["approx_kl"].item() == pytest.approx((ratio - 1 - shift.numpy()).mean())
    assert terms["clip_fraction_low"].item() == pytest.approx((ratio < 0.8).mean())
    assert terms["clip_fraction_high"].item() == pytest.approx((ratio > 1.3).mean())


def test_part_keeps_rows_together(policy):
    batch = make_batch(policy)
    rows = th.tensor([3, 17, 20])
    part = batch.part(rows)
    assert (part.advantages == batch.advantages[rows]).all() and (part.episodes == batch.episodes[rows]).all()
    assert (part.transitions.seen == batch.transitions.seen[rows]).all() and part.lengths is batch.lengths


@pytest.mark.parametrize("whole_episodes", [False, True])
def test_minibatches_are_a_partition(whole_episodes):
    lengths = th.tensor([5, 9, 2, 7, 1, 12, 4])
    episodes = th.arange(7).repeat_interleave(lengths)
    batch = Batch(None, None, th.ones(40), episodes, lengths, 40)
    for batch_size in (4, 13, 40, 1000):
        parts = minibatches(batch, batch_size, whole_episodes)
        assert sorted(th.cat(parts).tolist()) == list(range(40))
        if not whole_episodes:
            assert len(parts) == max(1, round(40 / batch_size)) and max(map(len, parts)) - min(map(len, parts)) <= 1
        for part in parts if whole_episodes else ():
            counts = th.bincount(episodes[part], minlength=7)
            assert ((counts == 0) | (counts == lengths)).all()
