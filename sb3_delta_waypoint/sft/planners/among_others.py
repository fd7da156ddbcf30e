"""What planners that see other road users share: their inputs, scaled by the contract, and the scale of their plans."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import nn

from sb3_delta_waypoint.contract import EGO_GROUPS, GROUPS, check_groups
from sb3_delta_waypoint.sft.planners.inputs import checked
from sb3_delta_waypoint.sft.planners.mlp import LEAST_WAYPOINT_STD, MAX_PLAN_DT

AGENTS = ("agents", "agents_valid")
_YAW = GROUPS["agents"].index_of("yaw")
_LEAST_STEP = 0.01
AGENT_NUMBERS = len(GROUPS["agents"].columns) + 6
"""
Numbers of one road user as a network sees it: those of the contract, with the cosine and sine of the yaw; its place along and
beside the route, and its heading there; and 1.
"""
ALONG_SCALE, BESIDE_SCALE = 10.0, 3.0
"""Typical distances along and beside the route that matter [m]."""


class Inputs(NamedTuple):
    """
    What a network reads, of the order of 1.

    ``ego``: the groups about the car, its route and its signal, flattened, ``(B, E)``; ``agents``: ``(B, 16, 13)``, zeros in
    the rows that hold nobody; ``present``: ``(B, 16)``, whether a row holds somebody.
    """

    ego: torch.Tensor
    agents: torch.Tensor
    present: torch.Tensor


def agent_scale() -> torch.Tensor:
    """:return: scale of the numbers of :func:`agent_rows`, (13,)"""
    scale = torch.tensor([column.scale for column in GROUPS["agents"].columns])
    by_route = torch.tensor([ALONG_SCALE, BESIDE_SCALE, 1.0, 1.0, 1.0])
    return torch.cat([scale[:_YAW], torch.ones(2), scale[_YAW + 1 :], by_route])


def places_on_route(agents: torch.Tensor, route: torch.Tensor) -> torch.Tensor:
    """
    Locate road users relative to the route: whether somebody is in the way depends on the route, not on the heading.

    :param agents: (B, 16, 7), as in the contract
    :param route: (B, 10, 2), as in the contract; beyond its ends it runs straight on
    :return: (B, 16, 4): distance along the route from its first point and beside it (left positive) [m], cosine and sine of
        the heading relative to it
    """
    steps = torch.diff(route, dim=1)
    lengths = steps.norm(dim=2)
    # past the goal the last point repeats
    forward = torch.where(lengths[:, :1] > _LEAST_STEP, steps[:, 0], steps.new_tensor([1.0, 0.0]))
    directions = torch.where(lengths[..., None] > _LEAST_STEP, steps, forward[:, None])
    directions = directions / directions.norm(dim=2, keepdim=True)
    directions = torch.cat([directions, directions[:, -1:]], dim=1)
    begins = torch.cat([lengths.new_zeros(len(lengths), 1), lengths.cumsum(dim=1)], dim=1)
    nearest = torch.cdist(agents[..., :2], route).argmin(dim=2)
    place = nearest[..., None].expand(-1, -1, 2)
    offset = agents[..., :2] - route.gather(1, place)
    cos, sin = directions.gather(1, place).unbind(dim=2)
    along = begins.gather(1, nearest) + offset[..., 0] * cos + offset[..., 1] * sin
    beside = offset[..., 1] * cos - offset[..., 0] * sin
    turned = agents[..., _YAW] - torch.atan2(sin, cos)
    return torch.stack([along, beside, turned.cos(), turned.sin()], dim=2)


def agent_rows(agents: torch.Tensor, present: torch.Tensor, route: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """
    Convert road users to what a network reads.

    :param agents: (B, 16, 7), as in the contract
    :param present: (B, 16), whether a row holds somebody
    :param route: (B, 10, 2), as in the contract
    :param scale: :func:`agent_scale`
    :return: (B, 16, 13), of the order of 1: the yaw by cosine and sine, the place on the route, and 1 for who is present;
        zeros in the other rows
    """
    yaw = agents[..., _YAW, None]
    parts = [agents[..., :_YAW], yaw.cos(), yaw.sin(), agents[..., _YAW + 1 :], places_on_route(agents, route)]
    # where nobody is there may be anything, even what is no number
    return (torch.cat([*parts, torch.ones_like(yaw)], dim=2) / scale).masked_fill_(~present[..., None], 0.0)


class PlannerAmongOthers(nn.Module):
    """
    The base of planners that see other road users.

    What is about traffic is divided by the scales of the contract, so that it is as large whatever traffic the demonstrations
    hold. State, route and plans, which vary in every drive, are divided by their standard deviation in the training data. The
    means and scales are in the buffers ``ego_mean``, ``ego_std``, and ``waypoints_mean``, ``waypoints_std`` (H, 2), metres.
    Rows of ``agents`` whose ``agents_valid`` is 0 are never read, and the order of the others means nothing. The buffer
    ``residual_std`` (H, 2), metres, is the standard deviation of the planner's own error on held-out data.

    :param horizon_steps: H, number of waypoints in a plan
    :param plan_dt: seconds from one waypoint to the next
    :param groups: names of the observation groups to read, from :data:`~sb3_delta_waypoint.contract.GROUPS`; ``state``,
        ``route``, ``agents`` and ``agents_valid`` at least
    :param sizes: further arguments of the planner that must be positive integers, by name
    :raises ValueError: if an argument is invalid
    """

    agents_scale: torch.Tensor
    ego_mean: torch.Tensor
    ego_std: torch.Tensor
    waypoints_mean: torch.Tensor
    waypoints_std: torch.Tensor
    residual_std: torch.Tensor

    def __init__(self, horizon_steps: int, plan_dt: float, groups: Sequence[str], **sizes: int) -> None:
        super().__init__()
        for name, size in {"horizon_steps": horizon_steps, **sizes}.items():
            if size < 1:
                raise ValueError(f"{name}={size}: expected a positive integer")
        if not 0 < plan_dt <= MAX_PLAN_DT:
            raise ValueError(f"plan_dt={plan_dt} must be a positive number of seconds, at most {MAX_PLAN_DT:g}")
        self.groups = self.observation_keys = check_groups(groups, GROUPS, "groups")
        for name in EGO_GROUPS + AGENTS:
            if name not in self.groups:
                raise ValueError(f"groups={self.groups}: a planner among others needs {name!r}, too: add it")
        self.horizon_steps, self.plan_dt, self._sizes = horizon_steps, plan_dt, sizes
        self.ego_widths = {name: math.prod(GROUPS[name].shape) for name in self.groups if name not in AGENTS}
        scales = {name: torch.tensor([column.scale for column in GROUPS[name].columns]) for name in self.groups}
        ego_std = torch.cat([scales[name].expand(GROUPS[name].shape).flatten() for name in self.ego_widths])
        self.register_buffer("ego_mean", torch.zeros_like(ego_std))
        self.register_buffer("ego_std", ego_std)
        self.register_buffer("agents_scale", agent_scale(), persistent=False)
        for name, fill in (("waypoints_mean", 0.0), ("waypoints_std", 1.0), ("residual_std", 1.0)):
            self.register_buffer(name, torch.full((horizon_steps, 2), fill))

    def config(self) -> dict[str, Any]:
        """
        Return the constructor's arguments.

        :return: keyword arguments, primitives only
        """
        return {
            "horizon_steps": self.horizon_steps,
            "plan_dt": self.plan_dt,
            "groups": list(self.groups),
            **self._sizes,
        }

    @torch.no_grad()
    def fit_normalisation(self, observations: Mapping[str, torch.Tensor], waypoints: torch.Tensor) -> None:
        """
        Compute the normalisation from the training data.

        :param observations: observations by group, each (N, …), physical units
        :param waypoints: (N, H, 2), metres, ego frame
        """
        begin = 0
        for name, width in self.ego_widths.items():
            values = observations[name].flatten(1)
            self.ego_mean[begin : begin + width] = values.mean(dim=0)
            if name in EGO_GROUPS:
                self.ego_std[begin : begin + width] = _std(values, GROUPS[name].least_std)
            begin += width
        self.waypoints_mean.copy_(waypoints.mean(dim=0))
        self.waypoints_std.copy_(_std(waypoints, LEAST_WAYPOINT_STD))

    def inputs(self, observation: Mapping[str, torch.Tensor]) -> Inputs:
        """
        Read and scale the observation.

        :param observation: observations by group, each (B, …), physical units; other keys are ignored
        :return: what the network reads
        :raises ValueError: if a group is missing or has a wrong shape
        """
        groups = {name: checked(observation, name, GROUPS[name].shape) for name in self.groups}
        ego = torch.cat([groups[name].flatten(1) for name in self.ego_widths], dim=1)
        present = groups["agents_valid"] > 0.5
        agents = agent_rows(groups["agents"], present, groups["route"], self.agents_scale)
        return Inputs((ego - self.ego_mean) / self.ego_std, agents, present)

    def plans(self, output: torch.Tensor) -> torch.Tensor:
        """Convert a network's output (B, 2 H) to plans (B, H, 2) in metres, ego frame."""
        return self.waypoints_mean + self.waypoints_std * output.unflatten(1, (self.horizon_steps, 2))


def _std(values: torch.Tensor, least: float) -> torch.Tensor:
    # a quantity that hardly varied in the data must not be amplified when it does vary on the road
    return values.std(dim=0, correction=0).clamp_min(least)


def mlp(*dims: int) -> nn.Sequential:
    """
    :param dims: widths, from the input to the output
    :return: a multilayer perceptron, with a ReLU between two layers
    """
    layers: list[nn.Module] = []
    for before, after in zip(dims, dims[1:], strict=False):
        layers += [nn.Linear(before, after), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers[:-1])
