"""The planner of this package: a multilayer perceptron."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from sb3_delta_waypoint.contract import EGO_GROUPS, GROUPS, PLAN_DT, ROUTE_POINTS, check_groups
from sb3_delta_waypoint.sft.planners.inputs import checked

MAX_PLAN_DT = 1000.0
"""Maximum time between two waypoints of a plan [s]."""
LEAST_WAYPOINT_STD = 0.05
"""Minimum standard deviation by which waypoints are normalised [m]."""


class SFTWaypointModel(nn.Module):
    """
    A waypoint planner trained by imitation (SFT): a multilayer perceptron from observation groups to a plan.

    Inputs and outputs are in physical units. Inside, they are normalised by statistics of the training data, which are kept in
    buffers: ``<group>_mean`` and ``<group>_std`` of each group, ``waypoints_mean``, ``waypoints_std`` (H, 2). Empty rows of
    road users (see ``agents_valid``) affect neither the statistics nor the plan. The buffer ``residual_std`` (H, 2), metres,
    is the standard deviation of the planner's own error on held-out data.

    :param horizon_steps: H, number of waypoints in a plan
    :param plan_dt: seconds from one waypoint to the next
    :param hidden_dims: widths of the hidden layers; the last hidden layer is the latent
    :param route_points: R, number of route points in an observation
    :param groups: names of the observation groups to read, from :data:`~sb3_delta_waypoint.contract.GROUPS`
    :raises ValueError: if an argument is invalid
    """

    observation_keys: tuple[str, ...] = EGO_GROUPS
    waypoints_mean: torch.Tensor
    waypoints_std: torch.Tensor
    residual_std: torch.Tensor

    def __init__(
        self,
        horizon_steps: int = 20,
        plan_dt: float = PLAN_DT,
        hidden_dims: Sequence[int] = (128, 128),
        route_points: int = ROUTE_POINTS,
        groups: Sequence[str] = EGO_GROUPS,
    ) -> None:
        super().__init__()
        if min((horizon_steps, route_points, *hidden_dims)) < 1 or not hidden_dims:
            raise ValueError(
                f"horizon_steps={horizon_steps}, route_points={route_points} and hidden_dims={tuple(hidden_dims)} must hold "
                "positive integers, with at least one hidden layer"
            )
        if not 0 < plan_dt <= MAX_PLAN_DT:
            raise ValueError(f"plan_dt={plan_dt} must be a positive number of seconds, at most {MAX_PLAN_DT:g}")
        self.groups = self.observation_keys = check_groups(groups, GROUPS, "groups")
        for name in self.groups:
            if _mask(name) in GROUPS and _mask(name) not in self.groups:
                raise ValueError(f"groups={self.groups}: {name!r} needs {_mask(name)!r}, which tells its empty rows: add it")
        self.horizon_steps, self.plan_dt, self.route_points = horizon_steps, plan_dt, route_points
        self.hidden_dims = tuple(hidden_dims)
        self.latent_dim = self.hidden_dims[-1]

        shapes = {name: GROUPS[name].shape for name in self.groups}
        if "route" in shapes:
            shapes["route"] = (route_points, *shapes["route"][1:])
        layers: list[nn.Module] = []
        width = sum(map(math.prod, shapes.values()))
        for hidden in self.hidden_dims:
            layers += [nn.Linear(width, hidden), nn.ReLU()]
            width = hidden
        self.trunk = nn.Sequential(*layers)
        self.head = nn.Linear(width, 2 * horizon_steps)

        for name, shape in {**shapes, "waypoints": (horizon_steps, 2)}.items():
            self.register_buffer(f"{name}_mean", torch.zeros(shape))
            self.register_buffer(f"{name}_std", torch.ones(shape))
        self.register_buffer("residual_std", torch.ones(horizon_steps, 2))

    def config(self) -> dict[str, Any]:
        """
        Return the constructor's arguments.

        :return: keyword arguments, primitives only
        """
        config = {
            "horizon_steps": self.horizon_steps,
            "plan_dt": self.plan_dt,
            "hidden_dims": list(self.hidden_dims),
            "route_points": self.route_points,
        }
        # version 0.1.0 had no groups and reads configs without them
        return config if self.groups == EGO_GROUPS else {**config, "groups": list(self.groups)}

    @torch.no_grad()
    def fit_normalisation(self, observations: Mapping[str, torch.Tensor], waypoints: torch.Tensor) -> None:
        """
        Compute the normalisation from the training data.

        :param observations: observations by group, each (N, …), physical units
        :param waypoints: (N, H, 2), metres, ego frame
        """
        for name in self.groups:
            values = observations[name]
            if _mask(name) in self.groups:  # any road user may be in any row: one statistic for all rows
                values = values[observations[_mask(name)] > 0.5]
            if len(values) > 0:
                self._fit(name, values, GROUPS[name].least_std)
        self._fit("waypoints", waypoints, LEAST_WAYPOINT_STD)

    def _fit(self, name: str, values: torch.Tensor, least_std: float) -> None:
        getattr(self, f"{name}_mean").copy_(values.mean(dim=0))
        # a quantity that hardly varied in the data must not be amplified when it does vary on the road
        getattr(self, f"{name}_std").copy_(values.std(dim=0, correction=0).clamp_min(least_std))

    def forward(self, observation: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """
        Return plans for a batch of observations.

        :param observation: observations by group, each (B, …), physical units; other keys are ignored
        :return: latent (B, D), waypoints (B, H, 2) in metres, ego frame
        :raises ValueError: if a group is missing or has a wrong shape
        """
        parts = [self._normalised(observation, name).flatten(1) for name in self.groups]
        latent = self.trunk(torch.cat(parts, dim=1))
        plan = self.head(latent).unflatten(1, (self.horizon_steps, 2))
        return latent, self.waypoints_mean + self.waypoints_std * plan

    def _normalised(self, observation: Mapping[str, torch.Tensor], name: str) -> torch.Tensor:
        mean, std = getattr(self, f"{name}_mean"), getattr(self, f"{name}_std")
        values = (checked(observation, name, mean.shape) - mean) / std
        if _mask(name) in self.groups:
            values = values * checked(observation, _mask(name), mean.shape[:1])[..., None]
        return values


# the name of the class in planner files since version 0.1.0
SFTWaypointModel.__module__ = "sb3_delta_waypoint.sft.planner"


def _mask(name: str) -> str:
    return f"{name}_valid"
