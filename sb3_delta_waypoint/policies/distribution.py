"""The distribution over plans: a Gaussian in the coordinates of a basis, which may be smooth along the horizon."""

import math
from typing import Any

import numpy as np
import torch as th
from stable_baselines3.common.distributions import Distribution, sum_independent_dims
from torch import nn
from torch.distributions import Independent, Normal

SMOOTH_LENGTH = 8.0
"""Correlation length of the smooth basis along the horizon, in rows."""
ALONG_LENGTH = 40.0
"""Correlation length of residuals along the plan, in rows: nearly one number, brake or go, for the whole plan."""
ALONG_SHARE = 0.1
"""Least size of a residual of one standard unit along the plan, as a share of the way up to the waypoint."""
REACH = 2
"""Number of rows before and after a waypoint over which the plan's direction is measured, so that it turns smoothly."""
STANDSTILL = 0.05
"""Way over these rows below which the direction of a plan is rather that of the car [m]."""
JITTER = 1e-2
"""Share of independent noise in the smooth basis, which keeps its inverse well conditioned."""


BASES = ("smooth", "independent", "along_across")
"""The kinds of bases."""


class ResidualBasis(nn.Module):
    """
    A basis for the residuals of a plan, ``residual = B e`` with coordinates ``e``.

    ``B = diag(scale) L``. For ``kind="smooth"``, ``L`` is the Cholesky factor of a squared-exponential kernel along the
    horizon (Rasmussen and Williams, Gaussian Processes for Machine Learning, 4.2); for ``"independent"`` it is the identity.

    ``kind="along_across"`` has two parts, which act on the planner's own plan: the first moves each waypoint along the plan's
    direction there, by a kernel so long that it brakes or goes with the whole plan; the second moves it to its left or right,
    by the smooth kernel. A unit along the plan is at least a tenth of the way up to the waypoint, ``B = R(plan) M(plan)
    diag(scale) L`` with rotations ``R`` and factors ``M``: a stretch of the plan in time, which keeps its path as far as this
    is straight over the length of the residual. The residual is linear in ``e`` and ``B`` depends on the planner's plan alone,
    so that densities are exact and divergences between distributions around the same planner have a closed form.

    :param scale: ``(H, 2)``, size of a residual of one standard unit in each coordinate of each row [m]
    :param kind: ``"smooth"``, ``"independent"`` or ``"along_across"``
    :raises ValueError: if the kind is unknown or the scale is not positive
    """

    scale: th.Tensor
    matrix: th.Tensor
    inverse: th.Tensor
    log_det: th.Tensor

    def __init__(self, scale: np.ndarray, kind: str = "smooth"):
        super().__init__()
        if kind not in BASES:
            raise ValueError(f"basis={kind!r}: accepted are {', '.join(map(repr, BASES[:-1]))} and {BASES[-1]!r}")
        if scale.min() <= 0.0:
            raise ValueError(f"a residual scale of {scale.min()} m; it must be positive in every coordinate")
        self.kind = kind
        lengths = {"smooth": [SMOOTH_LENGTH] * 2, "independent": [0.0] * 2, "along_across": [ALONG_LENGTH, SMOOTH_LENGTH]}
        first, second = (_factor(len(scale), length) for length in lengths[kind])
        self.register_buffer("scale", th.tensor(scale.ravel(), dtype=th.float32))
        # the two coordinates alternate in a flattened plan
        matrix = scale.reshape(-1, 1) * (np.kron(first, np.diag([1.0, 0.0])) + np.kron(second, np.diag([0.0, 1.0])))
        self.register_buffer("log_det", th.tensor(np.log(np.diag(matrix)).sum(), dtype=th.float32))
        self.register_buffer("matrix", th.tensor(matrix, dtype=th.float32))
        self.register_buffer("inverse", th.tensor(np.linalg.inv(matrix), dtype=th.float32))

    def to_metres(self, coordinates: th.Tensor) -> th.Tensor:
        """Convert coordinates ``(B, 2 H)`` to residuals ``(B, 2 H)`` in metres."""
        return coordinates @ self.matrix.T

    def to_coordinates(self, residual: th.Tensor) -> th.Tensor:
        """Convert residuals ``(B, 2 H)`` in metres to coordinates ``(B, 2 H)``."""
        return residual @ self.inverse.T

    def at(self, plans: th.Tensor) -> "ResidualBasis | PlanBasis":
        """
        Return the basis at given plans.

        :param plans: the planner's plans ``(B, H, 2)``, metres, ego frame
        :return: the basis itself, unless it depends on the plans
        """
        return PlanBasis(self, plans) if self.kind == "along_across" else self


class PlanBasis:
    """
    A basis along and across given plans, as a :class:`ResidualBasis` with its plans filled in.

    :param basis: the basis in each plan's own frame, of the kind ``"along_across"``
    :param plans: the planner's plans ``(B, H, 2)``, metres, ego frame
    """

    def __init__(self, basis: ResidualBasis, plans: th.Tensor):
        self._basis = basis
        way = nn.functional.pad(plans, (0, 0, 1, 0))  # from where the car is
        rows = th.arange(1, way.shape[1], device=plans.device)
        secant = way[:, (rows + REACH).clamp(max=len(rows))] - way[:, (rows - REACH).clamp(min=0)]
        # an angle, since a plan that stands still has one, too
        angle = th.atan2(secant[..., 1], secant[..., 0] + STANDSTILL)
        self._along = th.stack([angle.cos(), angle.sin()], dim=2)
        self._across = th.stack([-angle.sin(), angle.cos()], dim=2)
        lengths = th.diff(plans, dim=1, prepend=th.zeros_like(plans[:, :1])).norm(dim=2).cumsum(dim=1)
        self._stretch = (ALONG_SHARE * lengths / basis.scale[::2]).clamp(min=1.0)
        self.log_det = basis.log_det + self._stretch.log().sum(dim=1)

    def to_metres(self, coordinates: th.Tensor) -> th.Tensor:
        """Convert coordinates ``(B, 2 H)`` to residuals ``(B, 2 H)`` in metres."""
        along, across = self._basis.to_metres(coordinates).unflatten(1, (-1, 2)).unbind(dim=2)
        return ((along * self._stretch)[..., None] * self._along + across[..., None] * self._across).flatten(1)

    def to_coordinates(self, residual: th.Tensor) -> th.Tensor:
        """Convert residuals ``(B, 2 H)`` in metres to coordinates ``(B, 2 H)``."""
        moved = residual.unflatten(1, (-1, 2))
        along, across = (moved * self._along).sum(dim=2) / self._stretch, (moved * self._across).sum(dim=2)
        return self._basis.to_coordinates(th.stack([along, across], dim=2).flatten(1))


def _factor(horizon_steps: int, length: float) -> np.ndarray:
    """Return the Cholesky factor of a squared-exponential kernel along the horizon; length 0: of independent rows."""
    if length == 0.0:
        return np.eye(horizon_steps)
    rows = np.arange(horizon_steps)
    kernel = np.exp(-0.5 * ((rows[:, None] - rows[None]) / length) ** 2)
    return np.linalg.cholesky(kernel + JITTER * np.eye(horizon_steps))


class PlanDistribution(Distribution):
    """
    The distribution of plans around ``sft_waypoints + delta``: ``plan = sft_waypoints + s B e``, where ``e`` is a diagonal
    Gaussian with mean ``B⁻¹ delta / s``.

    ``distribution`` is the Gaussian over ``e``. The change of variables depends on the observation alone, so the KL divergence
    between two such distributions around the same planner is that of their Gaussians, in closed form.

    A bound on ``delta``, such as the policy's ``max_delta``, does not bound the samples. At the start of training, with a
    bound of 2 m and the planner of the package, 0.7 % of all sampled coordinates exceed it: 0.1 % where ``s < 2`` (94 % of the
    states), and a third where ``5 < s < 10`` (0.7 % of the states); see ``benchmarks/residual_excess.py``.

    :param basis: the basis ``B``, at the planner's plans
    :param sft_waypoints: the planner's waypoints ``(B, H, 2)``, metres, ego frame
    :param delta: mean residual ``(B, H, 2)``, metres
    :param log_std: log standard deviation of the coordinates, ``(2 H,)`` or ``(B, 2 H)``
    :param stretch: ``s``, ``(B, 1)``, factor by which residuals in this state are larger than usual
    """

    def __init__(
        self,
        basis: ResidualBasis | PlanBasis,
        sft_waypoints: th.Tensor,
        delta: th.Tensor,
        log_std: th.Tensor,
        stretch: th.Tensor,
    ):
        super().__init__()
        self.basis = basis
        self.sft_waypoints = sft_waypoints
        self.delta = delta
        self.stretch = stretch
        mean = basis.to_coordinates(delta.flatten(1) / stretch)
        self.distribution: Independent = Independent(
            Normal(mean, log_std.exp().expand_as(mean), validate_args=False), 1, validate_args=False
        )

    def log_prob(self, actions: th.Tensor) -> th.Tensor:
        """
        Return the log density of plans.

        :param actions: plans ``(B, H, 2)`` or ``(B, 2 H)``, metres
        :return: log density ``(B,)``, where the density has the unit m^(-2 H)
        """
        residual = (actions.reshape(len(actions), -1) - self.sft_waypoints.flatten(1)) / self.stretch
        return self.distribution.log_prob(self.basis.to_coordinates(residual)) - self._log_det

    def entropy(self) -> th.Tensor:
        """Return the differential entropy ``(B,)``, nats."""
        return self.distribution.entropy() + self._log_det

    @property
    def _log_det(self) -> th.Tensor:
        """Return the log determinant of ``s B``, ``(B,)``."""
        return self.basis.log_det + self.delta[0].numel() * self.stretch.log().squeeze(1)

    def sample(self) -> th.Tensor:
        """Return sampled plans ``(B, H, 2)``, metres; gradients flow to the parameters."""
        residual = self.basis.to_metres(self.distribution.rsample()) * self.stretch
        return self.sft_waypoints + residual.view_as(self.sft_waypoints)

    def mode(self) -> th.Tensor:
        """Return the most likely plans ``(B, H, 2)``, metres; bit for bit the planner's where delta is zero."""
        return self.sft_waypoints + self.delta

    def kl_to(self, log_std: th.Tensor) -> th.Tensor:
        """
        Return the KL divergence from this distribution to one around the planner without a residual, in closed form.

        :param log_std: log standard deviation of the other distribution's coordinates, ``(2 H,)``
        :return: KL divergence ``(B,)``, nats
        """
        mean, std = self.distribution.mean, self.distribution.stddev
        log_ratio = log_std - std.log()
        return sum_independent_dims(log_ratio + (std**2 + mean**2) / (2.0 * (2.0 * log_std).exp()) - 0.5)

    def proba_distribution_net(self, *args: Any, **kwargs: Any) -> Any:
        """Not used: the policy owns the heads."""
        raise NotImplementedError("DeltaWaypointPolicy makes the networks of its distribution itself")

    def proba_distribution(self, *args: Any, **kwargs: Any) -> "PlanDistribution":
        """Not used: the parameters are given at construction."""
        raise NotImplementedError("make a new PlanDistribution for new parameters")

    def actions_from_params(self, *args: Any, **kwargs: Any) -> th.Tensor:
        """Not used: the parameters are given at construction."""
        raise NotImplementedError("make a new PlanDistribution for new parameters")

    def log_prob_from_params(self, *args: Any, **kwargs: Any) -> tuple[th.Tensor, th.Tensor]:
        """Not used: the parameters are given at construction."""
        raise NotImplementedError("make a new PlanDistribution for new parameters")


INITIAL_LOG_STD = math.log(0.3)
"""Initial log standard deviation: exploration starts at 0.3 of the residual scale."""
