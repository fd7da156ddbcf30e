"""The distribution over plans against definitions computed independently in float64."""

import math

import numpy as np
import pytest
import torch as th
from stable_baselines3.common.distributions import kl_divergence

from sb3_delta_waypoint.policies.distribution import BASES, PlanDistribution, ResidualBasis

H = 20


SCALE = np.repeat(np.linspace(0.2, 2.1, H)[:, None], 2, axis=1)


def make(kind: str = "smooth", batch: int = 3, seed: int = 0) -> PlanDistribution:
    generator = th.Generator().manual_seed(seed)
    sft = 5.0 * th.randn((batch, H, 2), generator=generator)
    delta = 0.3 * th.randn((batch, 1, 2), generator=generator).expand(-1, H, -1)
    log_std = 0.2 * th.randn(2 * H, generator=generator) - 1.2
    stretch = 1.0 + 2.0 * th.rand((batch, 1), generator=generator)
    return PlanDistribution(ResidualBasis(SCALE, kind).at(sft), sft, delta, log_std, stretch)


def covariances(distribution: PlanDistribution) -> np.ndarray:
    # the columns of the basis at each plan
    batch, n = len(distribution.delta), 2 * H
    basis = [distribution.basis.to_metres(th.eye(n)[[k] * batch]) for k in range(n)]
    basis = th.stack(basis, dim=2).double().numpy()
    std = distribution.distribution.stddev[0].double().numpy()
    return distribution.stretch.double().numpy()[..., None] ** 2 * (basis @ np.diag(std**2) @ basis.swapaxes(1, 2))


@pytest.mark.parametrize("kind", BASES)
def test_log_prob_and_entropy_are_those_of_the_gaussian_in_metres(kind):
    distribution = make(kind)
    plans = distribution.sample()
    mean = (distribution.sft_waypoints + distribution.delta).double().flatten(1).numpy()
    cov = covariances(distribution)
    sign, log_det = np.linalg.slogdet(cov)
    assert (sign > 0).all()
    residual = plans.double().flatten(1).numpy() - mean
    expected = -0.5 * (
        np.einsum("bi,bij,bj->b", residual, np.linalg.inv(cov), residual) + log_det + 2 * H * math.log(2 * math.pi)
    )
    np.testing.assert_allclose(distribution.log_prob(plans).numpy(), expected, rtol=2e-4)
    np.testing.assert_allclose(distribution.log_prob(plans.flatten(1)).numpy(), expected, rtol=2e-4)
    entropy = 0.5 * (log_det + 2 * H * (1 + math.log(2 * math.pi)))
    np.testing.assert_allclose(distribution.entropy().numpy(), entropy, rtol=1e-5)


def test_smooth_samples_are_smooth_and_grow_with_the_horizon():
    def residuals(kind):
        basis = ResidualBasis(SCALE, kind)
        zeros = th.zeros((4000, H, 2))
        th.manual_seed(0)
        return PlanDistribution(basis, zeros, zeros, th.zeros(2 * H), th.ones(4000, 1)).sample()

    smooth, independent = residuals("smooth"), residuals("independent")
    for samples in (smooth, independent):
        std = samples.std(dim=0)
        np.testing.assert_allclose(std[[0, -1]].numpy(), [[0.2, 0.2], [2.1, 2.1]], rtol=0.1)
    assert smooth.diff(n=2, dim=1).std() < 0.25 * independent.diff(n=2, dim=1).std()


@pytest.mark.parametrize("kind", BASES)
def test_kl_is_that_of_the_gaussians_and_what_sb3_computes(kind):
    distribution, reference_log_std = make(kind), th.full((2 * H,), -1.0)
    zeros = th.zeros_like(distribution.delta)
    reference = PlanDistribution(
        distribution.basis, distribution.sft_waypoints, zeros, reference_log_std, distribution.stretch
    )
    closed_form = distribution.kl_to(reference_log_std)
    np.testing.assert_allclose(closed_form, kl_divergence(distribution, reference), rtol=1e-5)
    p, q = covariances(distribution), covariances(reference)
    shift = distribution.delta.double().flatten(1).numpy()
    inverse = np.linalg.inv(q)
    expected = 0.5 * (
        np.trace(inverse @ p, axis1=1, axis2=2)
        - 2 * H
        + np.einsum("bi,bij,bj->b", shift, inverse, shift)
        + np.linalg.slogdet(q)[1]
        - np.linalg.slogdet(p)[1]
    )
    np.testing.assert_allclose(closed_form.numpy(), expected, rtol=1e-3)
    assert kl_divergence(distribution, reference).shape == (3,), "TRPO averages over plans, not over coordinates"


@pytest.mark.parametrize("kind", BASES)
def test_kl_of_the_start_to_itself_is_zero(kind):
    distribution = make(kind)
    basis, sft, zeros = distribution.basis, distribution.sft_waypoints, 0.0 * distribution.delta
    same = PlanDistribution(basis, sft, zeros, th.full((2 * H,), -1.0), distribution.stretch)
    assert same.kl_to(th.full((2 * H,), -1.0)).abs().max() < 1e-5


def arc(radius: float = 30.0, length: float = 16.0) -> th.Tensor:
    """A plan to the left at constant speed."""
    angle = th.linspace(length / H, length, H) / radius
    return th.stack([radius * angle.sin(), radius * (1.0 - angle.cos())], dim=1)[None]


def lengths(plans: th.Tensor) -> th.Tensor:
    return th.diff(plans, dim=1, prepend=th.zeros_like(plans[:, :1])).norm(dim=2).sum(dim=1)


def test_torch_agrees_on_the_density_along_and_across():
    distribution = make("along_across")
    plans = distribution.sample()
    mean = (distribution.sft_waypoints + distribution.delta).double().flatten(1)
    gaussian = th.distributions.MultivariateNormal(mean, th.as_tensor(covariances(distribution)))
    expected = gaussian.log_prob(plans.double().flatten(1))
    np.testing.assert_allclose(distribution.log_prob(plans).numpy(), expected.numpy(), rtol=2e-4)


def test_the_coordinates_are_those_of_the_residual():
    basis, coordinates = make("along_across").basis, th.randn(3, 2 * H)
    np.testing.assert_allclose(basis.to_coordinates(basis.to_metres(coordinates)), coordinates, atol=1e-3)


def test_braking_shortens_the_plan_and_keeps_its_path():
    plan, radius = arc(), 30.0
    basis = ResidualBasis(SCALE, "along_across").at(plan)
    brake = th.zeros(1, 2 * H)
    brake[0, 0] = -1.0
    braked, gone = (plan + basis.to_metres(sign * brake).view_as(plan) for sign in (1.0, -1.0))
    assert lengths(braked) < 0.95 * lengths(plan) and lengths(gone) > 1.05 * lengths(plan)
    for moved in (braked, gone):
        ahead = th.diff(moved, dim=1, prepend=th.zeros_like(plan[:, :1]))
        assert (ahead[..., 0] > 0.0).all()
        beside = (moved - th.tensor([0.0, radius])).norm(dim=2) - radius
        assert beside.abs().max() < 0.15, "the path is that of the planner"


def test_bending_moves_the_plan_aside_smoothly_and_keeps_its_length():
    plan, radius = arc(), 30.0
    basis = ResidualBasis(SCALE, "along_across").at(plan)
    left = th.zeros(1, 2 * H)
    left[0, 1::2] = 0.5
    moved = plan + basis.to_metres(left).view_as(plan)
    beside = radius - (moved - th.tensor([0.0, radius])).norm(dim=2)
    assert beside[0, -1] > 0.5 and (beside > 0.0).all()
    assert abs(lengths(moved) / lengths(plan) - 1.0) < 0.05


def test_a_plan_that_stands_still_can_go():
    plan = th.zeros(1, H, 2)
    basis = ResidualBasis(SCALE, "along_across").at(plan)
    go = th.zeros(1, 2 * H)
    go[0, 0] = 1.0
    moved = basis.to_metres(go).view_as(plan)
    assert (moved[..., 0] > 0.1).all() and moved[..., 1].abs().max() < 1e-6
    assert basis.log_det.isfinite().all()


@pytest.mark.parametrize("kind", ["smooth", "independent"])
def test_other_bases_do_not_depend_on_the_plan(kind):
    basis = ResidualBasis(SCALE, kind)
    assert basis.at(arc()) is basis


@pytest.mark.parametrize(("kind", "scale", "named"), [("wavy", SCALE, "wavy"), ("smooth", 0.0 * SCALE, "positive")])
def test_bad_bases_are_refused(kind, scale, named):
    with pytest.raises(ValueError, match=named):
        ResidualBasis(scale, kind)


def test_the_divergence_from_the_planner_is_imitation_of_its_plans():
    """Its gradient with respect to the residual is that of the likelihood of the planner's plan."""
    one = make()
    delta = one.delta.clone().requires_grad_()
    log_std = th.linspace(-1.5, -1.0, 2 * H)
    divergence = PlanDistribution(one.basis, one.sft_waypoints, delta, log_std, one.stretch).kl_to(log_std).sum()
    likelihood = PlanDistribution(one.basis, one.sft_waypoints, delta, log_std, one.stretch).log_prob(one.sft_waypoints).sum()
    (towards,), (imitating,) = th.autograd.grad(divergence, delta), th.autograd.grad(-likelihood, delta)
    th.testing.assert_close(towards, imitating, rtol=1e-4, atol=1e-4)
    assert towards.abs().max() > 0.1
