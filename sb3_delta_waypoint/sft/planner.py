"""The planner's network."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

STATE_SIZE = 4
DEFAULT_PLAN_DT = 0.1
"""Seconds between the waypoints of a planner that does not say."""


class SFTWaypointModel(nn.Module):
    """
    A waypoint planner to be trained by imitation (SFT): a multilayer perceptron from state and route to a plan.

    Inputs and outputs are in physical units, normalised inside by statistics of the training data, which are kept in buffers:
    ``state_mean``, ``state_std`` (4,), ``route_mean``, ``route_std`` (R, 2), ``waypoints_mean``, ``waypoints_std`` (H, 2). The
    buffer ``residual_std`` (H, 2), metres, is the standard deviation of the planner's own error on held-out data.

    :param horizon_steps: H, waypoints in a plan
    :param plan_dt: seconds from one waypoint to the next
    :param hidden_dims: widths of the hidden layers; the last one is the latent
    :param route_points: R, route points in an observation
    """

    observation_keys: tuple[str, ...] = ("state", "route")
    state_mean: torch.Tensor
    state_std: torch.Tensor
    route_mean: torch.Tensor
    route_std: torch.Tensor
    waypoints_mean: torch.Tensor
    waypoints_std: torch.Tensor
    residual_std: torch.Tensor

    def __init__(
        self,
        horizon_steps: int = 20,
        plan_dt: float = DEFAULT_PLAN_DT,
        hidden_dims: Sequence[int] = (128, 128),
        route_points: int = 10,
    ) -> None:
        super().__init__()
        if min((horizon_steps, route_points, *hidden_dims)) < 1 or not hidden_dims:
            raise ValueError(
                f"horizon_steps={horizon_steps}, route_points={route_points} and hidden_dims={tuple(hidden_dims)} must hold "
                "positive integers, with at least one hidden layer"
            )
        if not plan_dt > 0:  # nor NaN
            raise ValueError(f"plan_dt={plan_dt} must be a positive number of seconds")
        self.horizon_steps, self.plan_dt, self.route_points = horizon_steps, plan_dt, route_points
        self.hidden_dims = tuple(hidden_dims)
        self.latent_dim = self.hidden_dims[-1]

        layers: list[nn.Module] = []
        width = STATE_SIZE + 2 * route_points
        for hidden in self.hidden_dims:
            layers += [nn.Linear(width, hidden), nn.ReLU()]
            width = hidden
        self.trunk = nn.Sequential(*layers)
        self.head = nn.Linear(width, 2 * horizon_steps)

        for name, shape in (("state", (STATE_SIZE,)), ("route", (route_points, 2)), ("waypoints", (horizon_steps, 2))):
            self.register_buffer(f"{name}_mean", torch.zeros(shape))
            self.register_buffer(f"{name}_std", torch.ones(shape))
        self.register_buffer("residual_std", torch.ones(horizon_steps, 2))

    def config(self) -> dict[str, Any]:
        """
        :return: the constructor's arguments, primitives only
        """
        return {
            "horizon_steps": self.horizon_steps,
            "plan_dt": self.plan_dt,
            "hidden_dims": list(self.hidden_dims),
            "route_points": self.route_points,
        }

    @torch.no_grad()
    def fit_normalisation(self, state: torch.Tensor, route: torch.Tensor, waypoints: torch.Tensor) -> None:
        """
        Take the statistics of the training data.

        :param state: (N, 4)
        :param route: (N, R, 2)
        :param waypoints: (N, H, 2)
        """
        for name, values, floor in (("state", state, 0.05), ("route", route, 0.1), ("waypoints", waypoints, 0.05)):
            getattr(self, f"{name}_mean").copy_(values.mean(dim=0))
            # a number that hardly varied in the data must not be blown up when it does vary on the road
            getattr(self, f"{name}_std").copy_(values.std(dim=0, correction=0).clamp_min(floor))

    def forward(self, observation: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """
        Plan.

        :param observation: ``state`` (B, 4) and ``route`` (B, R, 2), physical units; other keys are not looked at
        :return: latent (B, D), waypoints (B, H, 2) in metres
        :raises ValueError: if a key is missing or of another shape
        """
        state = self._normalised(observation, "state", self.state_mean, self.state_std)
        route = self._normalised(observation, "route", self.route_mean, self.route_std)
        latent = self.trunk(torch.cat([state, route.flatten(1)], dim=1))
        plan = self.head(latent).unflatten(1, (self.horizon_steps, 2))
        return latent, self.waypoints_mean + self.waypoints_std * plan

    @staticmethod
    def _normalised(observation: dict[str, torch.Tensor], key: str, mean: torch.Tensor, std: torch.Tensor) -> torch.Tensor:
        if key not in observation:
            raise ValueError(f"the observation lacks '{key}', which the planner reads; it has {sorted(observation)}")
        values = observation[key]
        if values.shape[1:] != mean.shape or values.dim() != mean.dim() + 1:
            expected = ", ".join(["batch", *map(str, mean.shape)])
            raise ValueError(f"observation '{key}' has the shape {tuple(values.shape)}; the planner reads ({expected})")
        return (values - mean) / std
