"""The frozen planner as an SB3 features extractor."""

import copy
import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypeGuard

import numpy as np
import torch as th
from gymnasium import spaces
from stable_baselines3.common.preprocessing import preprocess_obs
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import nn
from torch.nn import functional as F

from sb3_delta_waypoint.contract import GROUPS, POSITION_BOUND, TRAFFIC_GROUPS
from sb3_delta_waypoint.policies.agent_pool import AGENTS_SIZE
from sb3_delta_waypoint.sft.planners.among_others import AGENTS, PlannerAmongOthers, agent_rows, agent_scale
from sb3_delta_waypoint.sft.planners.protocol import observation_keys, probe
from sb3_delta_waypoint.sft.planners.protocol import plan_dt as plan_dt_of

HEAD_INPUTS = ("latent", "observation", "sft_waypoints", "route_offset", "traffic")
"""
Possible inputs of the heads: the planner's latent, those groups of the contract that the planner reads, the planner's
waypoints, their offset from the route (:func:`route_offset`), and the traffic: the road users that the env gives, for an
encoder of the heads' own (:class:`~.agent_pool.AgentPool`), and the other groups about traffic that the planner does not read.
"""
IN_TRAFFIC = ("route", *AGENTS)
"""Groups that an encoder of road users reads."""
SLACK = 0.01
"""Tolerance of the bounds of observations, as a share of their range: a car at rest may measure -0.01 m/s."""
_METRES = GROUPS["route"].columns[0].scale


class PlannerFeatures(NamedTuple):
    """The output of the frozen planner for a batch of observations."""

    sft_waypoints: th.Tensor
    """``(B, H, 2)``, metres, ego frame."""
    inputs: th.Tensor
    """Inputs of the heads from the planner and the observation, ``(B, F)``, without the route offset."""
    route_offset: th.Tensor | None
    """Offset from the waypoints to the route, ``(B, H, 2)``, metres; None if the planner does not read the route."""


class FrozenPlannerExtractor(BaseFeaturesExtractor):
    """
    A features extractor that runs a frozen planner: its parameters become buffers and it stays in evaluation mode.

    Buffers are saved with the policy, but no optimiser, gradient or initialisation changes them.

    :param observation_space: observation space of the env
    :param planner: maps the observation to ``(latent (B, D), waypoints (B, H, 2))``; it is copied
    :param horizon_steps: number of rows ``H`` of the env's plans
    :param head_inputs: inputs of the heads, a subset of ``HEAD_INPUTS``; None for all that the planner offers
    :param plan_dt: seconds between the rows of the env's plans; None if unknown
    :raises ValueError: if the planner does not fit the env
    """

    _agents_scale: th.Tensor
    _low: th.Tensor
    _high: th.Tensor

    def __init__(
        self,
        observation_space: spaces.Dict,
        planner: nn.Module,
        horizon_steps: int,
        head_inputs: Sequence[str] | None = None,
        plan_dt: float | None = None,
    ):
        check_planner_fits(planner, observation_space, horizon_steps, plan_dt)
        groups = tuple(name for name in GROUPS if name in observation_keys(planner))
        head_inputs = _head_inputs(head_inputs, groups, observation_space)
        others = [name for name in TRAFFIC_GROUPS if _is_given(observation_space, name)] if "traffic" in head_inputs else []
        observed = groups
        if others or isinstance(planner, PlannerAmongOthers):  # which row holds whom means nothing
            observed = tuple(name for name in groups if name not in AGENTS)
        traffic = tuple(name for name in others if name not in observed + AGENTS)
        frozen = freeze(copy.deepcopy(planner)).eval()
        # a planner without observation_keys is given everything
        read = getattr(planner, "observation_keys", observation_space.spaces)
        with th.no_grad():
            latent, _ = probe(frozen, _samples(observation_space, read), type(planner).__name__)
        size = {"latent": latent.shape[1], "sft_waypoints": 2 * horizon_steps, "route_offset": 2 * horizon_steps}
        size["observation"] = sum(math.prod(observation_space[name].shape or ()) for name in observed)
        size["traffic"] = sum(math.prod(observation_space[name].shape or ()) for name in traffic) + AGENTS_SIZE
        features_dim = sum(size[name] for name in head_inputs)
        if features_dim == 0:
            raise ValueError(f"head_inputs={head_inputs}: the planner reads no group of the contract; add 'latent'")
        super().__init__(observation_space, features_dim)
        self.planner = frozen
        self.head_inputs = head_inputs
        self.groups = groups
        self._observed, self._traffic = observed, traffic
        self.observation_keys = tuple(name for name in GROUPS if name in {*groups, *others, *(IN_TRAFFIC if others else ())})
        """The groups of the contract that the planner or the heads read."""
        self.register_buffer("_agents_scale", agent_scale(), persistent=False)
        for name in observed + traffic:
            scale = [column.scale for column in GROUPS[name].columns]
            self.register_buffer(f"{name}_scale", th.tensor(scale), persistent=False)
        bounded = {
            key: space
            for key, space in observation_space.items()
            if key in {*read, *self.observation_keys} and _is_measured(space)
        }
        self._bounded_keys = tuple(bounded)
        self._key_of_column = [key for key, space in bounded.items() for _ in range(space.low.size)]
        low, high = (
            np.concatenate([np.zeros(0), *(getattr(space, end).ravel() for space in bounded.values())]).astype(np.float32)
            for end in ("low", "high")
        )
        slack = np.where(np.isfinite(high - low), SLACK * (high - low), 0.0)
        self.register_buffer("_low", th.as_tensor(low - slack), persistent=False)
        self.register_buffer("_high", th.as_tensor(high + slack), persistent=False)

    def train(self, mode: bool = True) -> "FrozenPlannerExtractor":
        """Set the mode of the module; the planner stays in evaluation mode, so its BatchNorm and dropout do not change."""
        super().train(mode)
        self.planner.eval()
        return self

    def forward(self, observations: dict[str, th.Tensor]) -> PlannerFeatures:
        """
        Run the planner.

        :param observations: batch of observations, physical units
        :return: the features, without gradient
        :raises ValueError: if an observation is outside its bounds
        """
        with th.no_grad():
            latent, waypoints = self.planner(observations)
            self._check_bounds(observations)
            offset = route_offset(waypoints, observations["route"]) if "route" in self.groups else None
            parts = [waypoints.new_empty(len(waypoints), 0)]
            if "traffic" in self.head_inputs:  # first, where the heads look for the road users
                present = observations["agents_valid"] > 0.5
                parts.append(agent_rows(observations["agents"], present, observations["route"], self._agents_scale).flatten(1))
                parts += self._scaled(observations, self._traffic)
            for name in self.head_inputs:
                if name == "latent":
                    parts.append(F.layer_norm(latent, latent.shape[1:]))
                elif name == "sft_waypoints":
                    parts.append(waypoints.flatten(1) / _METRES)
                elif name == "observation":
                    parts += self._scaled(observations, self._observed)
            return PlannerFeatures(waypoints, th.cat(parts, dim=1), offset)

    def _scaled(self, observations: dict[str, th.Tensor], names: Iterable[str]) -> list[th.Tensor]:
        return [(observations[name] / getattr(self, f"{name}_scale")).flatten(1) for name in names]

    def _check_bounds(self, observations: dict[str, th.Tensor]) -> None:
        if not self._bounded_keys:
            return
        # all numbers in one comparison, since this runs once per step
        values = th.cat([observations[key].flatten(1) for key in self._bounded_keys], dim=1)
        within = (values >= self._low) & (values <= self._high)
        if bool(within.all()):
            return
        row, column = (~within).nonzero()[0].tolist()
        key = self._key_of_column[column]
        raise ValueError(
            f"observation {key!r} holds {values[row, column]:g}, outside the bounds of its space: the frozen planner reads "
            "physical units. If VecNormalize(norm_obs=True) has scaled it, use norm_obs=False"
        )


def route_offset(waypoints: th.Tensor, route: th.Tensor) -> th.Tensor:
    """
    Return the offset from each waypoint of a plan to the point at the same distance along the route. It is nearly zero where
    the planner follows the route, and metres where it has lost it.

    :param waypoints: ``(B, H, 2)``, metres, ego frame
    :param route: ``(B, R, 2)``, the next route points, metres, ego frame; the last one may repeat
    :return: offsets ``(B, H, 2)``, metres, ego frame
    """
    steps = th.diff(route, dim=1, prepend=th.zeros_like(route[:, :1]))
    lengths = steps.norm(dim=2)
    reached = lengths.cumsum(dim=1)
    travelled = th.diff(waypoints, dim=1, prepend=th.zeros_like(waypoints[:, :1])).norm(dim=2).cumsum(dim=1)
    # beyond its end, the route is extended along its last segment
    last = (lengths > 1e-3).sum(dim=1, keepdim=True).clamp(min=1) - 1
    piece = th.minimum(th.searchsorted(reached, travelled), last)
    beyond = (travelled - reached.gather(1, piece)) / lengths.gather(1, piece).clamp(min=1e-3)
    piece = piece[..., None].expand(-1, -1, 2)
    return route.gather(1, piece) + beyond[..., None] * steps.gather(1, piece) - waypoints


def check_planner_fits(
    planner: nn.Module, observation_space: spaces.Space, horizon_steps: int, plan_dt: float | None = None
) -> None:
    """
    Check that a planner fits an env.

    :param planner: a planner
    :param observation_space: observation space of the env
    :param horizon_steps: number of rows ``H`` of the env's plans
    :param plan_dt: seconds between the rows of the env's plans; None if unknown
    :raises ValueError: if the planner's plans or observation keys do not fit the env; the message names them and the remedy
    """
    if not isinstance(observation_space, spaces.Dict):
        raise ValueError(
            f"a waypoint policy needs a Dict observation with {_listed(observation_keys(planner))}, not {observation_space}; "
            "use an env of this package, or one that keeps its contract"
        )
    check_same_plans(planner, horizon_steps, plan_dt)
    read, given = observation_keys(planner), set(observation_space.spaces)
    missing = [key for key in read if key not in given]
    if missing:
        remedy = "make the env with what the planner was trained on"
        if missing[0] in GROUPS:
            remedy = f"make the env with observe={read}"
        if not hasattr(planner, "observation_keys"):
            remedy += "; a planner of your own names what it reads by the attribute observation_keys"
        raise ValueError(
            f"the planner reads {missing[0]!r}, which the env does not give: its observation has {sorted(given)}; {remedy}"
        )


def check_same_plans(planner: Any, horizon_steps: int, plan_dt: float | None) -> None:
    """
    Check that planner and env agree on the number of waypoints in a plan and the time between them.

    :param planner: a planner, or an object that runs one, with ``horizon_steps`` and, unless it is 0.1, ``plan_dt`` [s]
    :param horizon_steps: number of rows ``H`` of the env's plans
    :param plan_dt: seconds between the rows; None if unknown
    :raises ValueError: if they differ; the message names both values and the remedy
    """
    if planner.horizon_steps != horizon_steps:
        raise ValueError(
            f"the planner plans {planner.horizon_steps} waypoints and the env wants {horizon_steps}: make the env with "
            f"horizon_steps={planner.horizon_steps}, or train a planner on episodes with {horizon_steps}"
        )
    own = plan_dt_of(planner)
    if plan_dt is not None and not math.isclose(own, plan_dt, rel_tol=1e-5):
        raise ValueError(
            f"the planner's waypoints are {own:g} s apart and the env's {plan_dt:g} s: make the env with plan_dt={own:g}, or "
            f"train a planner on episodes with {plan_dt:g}; a planner of your own says its own by the attribute plan_dt"
        )


def freeze(module: nn.Module) -> nn.Module:
    """
    Turn every parameter of a module into a buffer, in place.

    :param module: any module
    :return: the same module
    """
    for part in module.modules():
        for name, parameter in list(part._parameters.items()):
            del part._parameters[name]
            part.register_buffer(name, None if parameter is None else parameter.detach().clone())
    return module


def _is_measured(space: spaces.Space) -> TypeGuard[spaces.Box]:
    return isinstance(space, spaces.Box) and space.dtype.kind == "f"


def _head_inputs(head_inputs: Sequence[str] | None, groups: Sequence[str], space: spaces.Dict) -> tuple[str, ...]:
    """Return the given head inputs, or all that planner and env offer."""
    given = [name for name in IN_TRAFFIC if _is_given(space, name)]
    if head_inputs is None:
        absent = {"route_offset"} if "route" not in groups else set()
        if len(given) < len(IN_TRAFFIC):
            absent.add("traffic")
        return tuple(name for name in HEAD_INPUTS if name not in absent)
    if "route_offset" in head_inputs and "route" not in groups:
        raise ValueError(
            f"head_inputs={tuple(head_inputs)}: 'route_offset' needs 'route', and the planner reads {_listed(groups)}: omit "
            "'route_offset'"
        )
    if "traffic" in head_inputs and len(given) < len(IN_TRAFFIC):
        raise ValueError(
            f"head_inputs={tuple(head_inputs)}: 'traffic' needs {_listed(IN_TRAFFIC)}, as in the contract, and the env gives "
            f"{_listed(sorted(space))}: omit 'traffic', or make the env with observe=..."
        )
    return tuple(head_inputs)


def _is_given(space: spaces.Dict, name: str) -> bool:
    return name in space.spaces and space[name].shape == GROUPS[name].shape


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names)) or "no group of the contract"


def _samples(observation_space: spaces.Dict, names: Iterable[str]) -> dict[str, th.Tensor]:
    """Two observations, the same every time; not zeros, by which a planner may divide."""
    space = copy.deepcopy(observation_space)
    space.seed(0)
    drawn = [space.sample() for _ in range(2)]
    samples = {key: th.as_tensor(np.stack([one[key] for one in drawn])) for key in names if space[key].shape is not None}
    # spaces may be bounded by the largest float only
    samples = {key: v.clamp(-POSITION_BOUND, POSITION_BOUND) if v.is_floating_point() else v for key, v in samples.items()}
    return preprocess_obs(samples, observation_space)  # type: ignore[return-value]
