"""The frozen planner as an SB3 features extractor."""

import copy
import math
from collections.abc import Sequence
from typing import Any, TypeGuard

import numpy as np
import torch as th
from gymnasium import spaces
from stable_baselines3.common.preprocessing import get_flattened_obs_dim, preprocess_obs
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import nn
from torch.nn import functional as F

from sb3_delta_waypoint.contract import PLAN_DT

HEAD_INPUTS = ("latent", "observation", "sft_waypoints", "route_offset")
"""
What the heads can be given: the planner's latent, the state and route, the planner's waypoints, and how far these lie beside
the route (:func:`route_offset`).
"""
SLACK = 0.01
"""Observations may be outside their bounds by this share of the bounds' distance: a car at rest may measure -0.01 m/s."""
_METRES = 20.0
_STATE_SCALE = (10.0, 0.5, 1.0, 3.0)


class FrozenPlannerExtractor(BaseFeaturesExtractor):
    """
    Runs a planner that training cannot change: its parameters become buffers and it stays in evaluation mode.

    Buffers are saved with the policy, but no optimiser, gradient or initialisation ever reaches them.

    :param observation_space: what the env gives
    :param planner: maps the observation to ``(latent (B, D), waypoints (B, H, 2))``; copied
    :param horizon_steps: rows ``H`` of the env's plans
    :param head_inputs: what the heads see, some of ``HEAD_INPUTS``
    :param plan_dt: seconds between the rows of the env's plans; None where the env does not say
    :raises ValueError: if the planner does not fit the env
    """

    state_scale: th.Tensor
    _low: th.Tensor
    _high: th.Tensor

    def __init__(
        self,
        observation_space: spaces.Dict,
        planner: nn.Module,
        horizon_steps: int,
        head_inputs: Sequence[str] = HEAD_INPUTS,
        plan_dt: float | None = None,
    ):
        check_planner_fits(planner, observation_space, horizon_steps, plan_dt)
        frozen = freeze(copy.deepcopy(planner)).eval()
        with th.no_grad():
            latent, waypoints = frozen(_zeros(observation_space))
        if waypoints.shape[1:] != (horizon_steps, 2):
            raise ValueError(
                f"the planner's waypoints have the shape {tuple(waypoints.shape)}; expected (batch, {horizon_steps}, 2)"
            )
        size = {"latent": latent.shape[1], "sft_waypoints": 2 * horizon_steps, "route_offset": 0}
        size["observation"] = sum(get_flattened_obs_dim(observation_space[key]) for key in ("state", "route"))
        inputs_dim = sum(size[name] for name in head_inputs)
        super().__init__(observation_space, 4 * horizon_steps + inputs_dim)
        self.planner = frozen
        self.head_inputs = tuple(head_inputs)
        self.inputs_dim = inputs_dim
        self.register_buffer("state_scale", th.tensor(_STATE_SCALE), persistent=False)
        bounded = {key: space for key, space in observation_space.items() if _is_measured(space)}
        self._bounded_keys = tuple(bounded)
        self._key_of_column = [key for key, space in bounded.items() for _ in range(space.low.size)]
        low, high = (np.concatenate([getattr(space, end).ravel() for space in bounded.values()]) for end in ("low", "high"))
        slack = np.where(np.isfinite(high - low), SLACK * (high - low), 0.0)
        self.register_buffer("_low", th.as_tensor(low - slack), persistent=False)
        self.register_buffer("_high", th.as_tensor(high + slack), persistent=False)

    def train(self, mode: bool = True) -> "FrozenPlannerExtractor":
        """BatchNorm statistics and dropout of the planner stay as they are, whatever mode the policy is put into."""
        super().train(mode)
        self.planner.eval()
        return self

    def forward(self, observations: dict[str, th.Tensor]) -> th.Tensor:
        """
        :param observations: batch of observations, physical units
        :return: ``(B, 4 H + F)``: the planner's waypoints and their route offset, flattened, metres, and the other inputs of
            the heads
        :raises ValueError: if an observation is outside its bounds
        """
        with th.no_grad():
            latent, waypoints = self.planner(observations)
            self._check_bounds(observations)
            offset = route_offset(waypoints, observations["route"]).flatten(1)
            parts = [waypoints.flatten(1), offset]
            for name in self.head_inputs:
                if name == "latent":
                    parts.append(F.layer_norm(latent, latent.shape[1:]))
                elif name == "sft_waypoints":
                    parts.append(waypoints.flatten(1) / _METRES)
                elif name == "observation":
                    parts.append(observations["state"] / self.state_scale)
                    parts.append(observations["route"].flatten(1) / _METRES)
            return th.cat(parts, dim=1)

    def _check_bounds(self, observations: dict[str, th.Tensor]) -> None:
        # one comparison of all numbers: this runs once per step
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
    From each waypoint of a plan to the place as far along the route: nearly zero where the planner follows the route, metres
    where it has lost it.

    :param waypoints: ``(B, H, 2)``, metres, ego frame
    :param route: ``(B, R, 2)``, the next route points, metres, ego frame; the last one may repeat
    :return: ``(B, H, 2)``, metres, ego frame
    """
    steps = th.diff(route, dim=1, prepend=th.zeros_like(route[:, :1]))
    lengths = steps.norm(dim=2)
    reached = lengths.cumsum(dim=1)
    travelled = th.diff(waypoints, dim=1, prepend=th.zeros_like(waypoints[:, :1])).norm(dim=2).cumsum(dim=1)
    # beyond the end of the route its last piece goes straight on
    last = (lengths > 1e-3).sum(dim=1, keepdim=True).clamp(min=1) - 1
    piece = th.minimum(th.searchsorted(reached, travelled), last)
    beyond = (travelled - reached.gather(1, piece)) / lengths.gather(1, piece).clamp(min=1e-3)
    piece = piece[..., None].expand(-1, -1, 2)
    return route.gather(1, piece) + beyond[..., None] * steps.gather(1, piece) - waypoints


def check_planner_fits(
    planner: nn.Module, observation_space: spaces.Space, horizon_steps: int, plan_dt: float | None = None
) -> None:
    """
    :raises ValueError: if the planner's plans or observation keys do not fit the env, saying which and how to fix it
    """
    if not isinstance(observation_space, spaces.Dict):
        raise ValueError(
            f"a waypoint policy needs a Dict observation with 'state' and 'route', not {observation_space}; "
            "use an env of this package, or one that keeps its contract"
        )
    check_same_plans(planner, horizon_steps, plan_dt)
    keys = set(observation_space.spaces)
    missing = [key for key in (*getattr(planner, "observation_keys", ()), "state", "route") if key not in keys]
    if missing:
        raise ValueError(
            f"the planner reads {missing[0]!r}, which the env does not give: its observation has {sorted(keys)}; "
            "make the env with what the planner was trained on"
        )


def check_same_plans(planner: Any, horizon_steps: int, plan_dt: float | None) -> None:
    """
    Refuse an env that would read the rows of a plan as other moments than the planner meant.

    :param planner: a planner, or what runs one: ``horizon_steps`` and, unless 0.1, ``plan_dt`` [s]
    :param horizon_steps: rows ``H`` of the env's plans
    :param plan_dt: seconds between them; None where the env does not say
    :raises ValueError: naming both, with the remedy
    """
    if planner.horizon_steps != horizon_steps:
        raise ValueError(
            f"the planner plans {planner.horizon_steps} waypoints and the env wants {horizon_steps}: make the env with "
            f"horizon_steps={planner.horizon_steps}, or train a planner on episodes with {horizon_steps}"
        )
    own = float(getattr(planner, "plan_dt", PLAN_DT))
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


def _zeros(observation_space: spaces.Dict) -> dict[str, th.Tensor]:
    zeros = {key: th.zeros((1, *space.shape)) for key, space in observation_space.spaces.items() if space.shape is not None}
    return preprocess_obs(zeros, observation_space)  # type: ignore[return-value]
