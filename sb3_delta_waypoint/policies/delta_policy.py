"""The policy: a frozen planner and a residual head."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch as th
from gymnasium import spaces
from stable_baselines3.common.distributions import Distribution
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.type_aliases import PyTorchObs, Schedule
from torch import nn

from sb3_delta_waypoint.policies.agent_pool import AGENTS_SIZE, POOL_WIDTH, AgentPool
from sb3_delta_waypoint.policies.distribution import INITIAL_LOG_STD, PlanDistribution, ResidualBasis
from sb3_delta_waypoint.policies.extractor import FrozenPlannerExtractor, PlannerFeatures
from sb3_delta_waypoint.policies.learning_rates import scale_learning_rates
from sb3_delta_waypoint.policies.options import OF_THE_STATE, check_state_fits, checked_options
from sb3_delta_waypoint.sft.checkpoint import build_planner, describe_planner, load_planner

OWN_ERRORS = 4.0
"""Ratio of the residual scale at the last waypoint to the planner's own error there."""
NEAR_SHARE = 0.1
"""Ratio of the residual scale at the first waypoint to that at the last."""
MIN_RESIDUAL_SCALE = 0.1
"""Minimum residual scale at the last waypoint [m]."""
MAX_RESIDUAL_SCALE = 2.0
"""Maximum residual scale at the last waypoint [m], and the scale for planners without ``residual_std``."""


class PolicyFeatures(NamedTuple):
    """
    The output of the policy's frozen part for a batch of observations, from which everything else is computed.

    ``sft_waypoints``: ``(B, H, 2)``, metres, ego frame; ``inputs``: inputs of the heads, ``(B, F)``; ``stretch``: ``(B, 1)``,
    factor by which residuals in this state are larger than usual.
    """

    sft_waypoints: th.Tensor
    inputs: th.Tensor
    stretch: th.Tensor


_STORED = set(PolicyFeatures._fields)


class DeltaWaypointPolicy(ActorCriticPolicy):
    """
    A policy that refines a frozen planner, ``final_waypoints = sft_waypoints + delta``: the planner, a residual head whose
    output is initially exactly zero, and a value head.

    It works with PPO, A2C, TRPO and every other on-policy algorithm of Stable-Baselines3. A saved model contains the planner.
    To load a state whose planner is defined outside this package, trust its module within
    :func:`~sb3_delta_waypoint.sft.trust.trusting`.

    ``max_delta`` bounds the deterministic residual, not exploration. Samples stay Gaussian around the bounded mean. Clipped
    samples would have no density, from which PPO and GRPO compute their ratios. Squashed samples would have no entropy in
    closed form, and could not reach far enough where the planner is metres beside the route
    (:class:`~.distribution.PlanDistribution`).

    :param observation_space: ``Dict`` that includes what the planner reads
    :param action_space: ``Box (H, 2)``, metres
    :param lr_schedule: learning rate as a function of the remaining progress
    :param sft: the planner: a file, an import path, a module, or None for the one that ships with the package
    :param sft_kwargs: arguments of the class or function that makes the planner, if ``sft`` is its import path
    :param delta_hidden_dim: width of the residual head's two hidden layers
    :param value_hidden_dim: width of the value head's two hidden layers
    :param max_delta: bound of each coordinate of the deterministic residual [m], which samples may exceed; None for no bound
    :param head_inputs: inputs of the heads, any of ``"latent"``, ``"observation"`` (those groups of the contract that the
        planner reads), ``"sft_waypoints"`` and ``"route_offset"`` (offset of these from the route, if the planner reads the
        route), and ``"traffic"`` (the other road users, signal and speed limits of the env, for an encoder of the heads' own);
        None for all, but ``"traffic"`` only if the env gives road users and the planner does not read them
    :param basis: exploration that is ``"smooth"`` or ``"independent"`` along the horizon, or smooth ``"along_across"`` the
        planner's plan (brake or go, left or right), see :class:`~.distribution.ResidualBasis`
    :param residual_scale: size of a residual of one standard unit at the first and the last waypoint [m], linear in between.
        ``"planner"`` takes four times the planner's own error on held-out data (its ``residual_std``) at the last waypoint,
        between 0.1 and 2 m, and a tenth of that at the first. Where the planner's plan leaves the route, residuals are larger
    :param log_std_init: initial log standard deviation, in units of the residual scale
    :param state_dependent_std: predict the standard deviation from the features (the uncertainty head) instead of learning
        one for all states
    :param delta_lr_scale: learning rate of the residual head, relative to the algorithm's
    :param value_lr_scale: learning rate of the value head, relative to the algorithm's
    :param use_sde: accepted because the algorithms pass it; gSDE is refused
    :param optimizer_class: class of the optimiser
    :param optimizer_kwargs: arguments of the optimiser, except the learning rate
    :raises ValueError: if the planner does not fit the env, or an option is out of range
    """

    observation_space: spaces.Dict
    action_space: spaces.Box
    features_extractor: FrozenPlannerExtractor
    optimizer: th.optim.Optimizer
    reference_log_std: th.Tensor
    last_features: PolicyFeatures | None = None
    """Features of the observations that :meth:`forward` has acted on last, for a buffer that stores them."""
    _place: th.Tensor

    def __init__(
        self,
        observation_space: spaces.Space,
        action_space: spaces.Space,
        lr_schedule: Schedule,
        sft: str | Path | nn.Module | None = None,
        sft_kwargs: Mapping[str, Any] | None = None,
        delta_hidden_dim: int = 64,
        value_hidden_dim: int = 64,
        max_delta: float | None = 2.0,
        head_inputs: Sequence[str] | None = None,
        basis: str = "smooth",
        residual_scale: tuple[float, float] | str = "planner",
        log_std_init: float = INITIAL_LOG_STD,
        state_dependent_std: bool = False,
        delta_lr_scale: float = 1.0,
        value_lr_scale: float = 1.0,
        use_sde: bool = False,
        optimizer_class: type[th.optim.Optimizer] = th.optim.Adam,
        optimizer_kwargs: dict[str, Any] | None = None,
    ):
        if use_sde:
            raise ValueError("use_sde=True: gSDE needs a noise matrix of its own; the smooth basis explores smoothly already")
        if not (isinstance(action_space, spaces.Box) and len(action_space.shape) == 2 and action_space.shape[1] == 2):
            raise ValueError(f"a waypoint policy acts in Box(H, 2), metres, not in {action_space}")
        options = {
            "sft": sft,
            "sft_kwargs": sft_kwargs,
            "delta_hidden_dim": delta_hidden_dim,
            "value_hidden_dim": value_hidden_dim,
            "max_delta": max_delta,
            "head_inputs": head_inputs,
            "basis": basis,
            "residual_scale": residual_scale,
            "log_std_init": log_std_init,
            "state_dependent_std": state_dependent_std,
            "delta_lr_scale": delta_lr_scale,
            "value_lr_scale": value_lr_scale,
        }
        self._options = checked_options(options)
        super().__init__(
            observation_space,
            action_space,
            lr_schedule,
            log_std_init=log_std_init,
            features_extractor_class=FrozenPlannerExtractor,
            optimizer_class=optimizer_class,
            optimizer_kwargs=optimizer_kwargs,
        )

    def make_features_extractor(self) -> FrozenPlannerExtractor | nn.Identity:  # type: ignore[override]
        """
        Return the frozen planner as an extractor. If its file is missing, a saved state may still provide the planner later
        (:meth:`load_state_dict`).
        """
        sft = self._options["sft"]
        try:
            planner = load_planner(sft, kwargs=self._options["sft_kwargs"])
        except FileNotFoundError as error:
            self._absent: FileNotFoundError | None = error
            absent = nn.Identity()
            absent.features_dim = 0  # type: ignore[assignment]
            return absent
        self._absent = None
        return self._extractor(planner)

    def _extractor(self, planner: nn.Module) -> FrozenPlannerExtractor:
        # the action space of this package's envs has plan_dt
        plan_dt = getattr(self.action_space, "plan_dt", None)
        return FrozenPlannerExtractor(
            self.observation_space, planner, self.action_space.shape[0], self._options["head_inputs"], plan_dt
        )  # fmt: skip

    def _build(self, lr_schedule: Schedule) -> None:
        # remembers the device, in case the state is loaded after the policy was moved
        self.register_buffer("_place", th.zeros(()), persistent=False)
        self._initial_lr = float(lr_schedule(1))
        if self._absent is None:
            self._build_heads()

    def _build_heads(self) -> None:
        options, horizon_steps = self._options, self.action_space.shape[0]
        n_coordinates = 2 * horizon_steps
        inputs_dim = self.features_extractor.features_dim
        self.delta_agents: nn.Module = nn.Identity()
        self.value_agents: nn.Module = nn.Identity()
        if "traffic" in self.features_extractor.head_inputs:
            self.delta_agents, self.value_agents = AgentPool(), AgentPool()
            inputs_dim += POOL_WIDTH - AGENTS_SIZE
        self.basis = ResidualBasis(self._residual_scale(), options["basis"])
        self.delta_net = _mlp(inputs_dim, options["delta_hidden_dim"], n_coordinates)
        self.value_net = _mlp(inputs_dim, options["value_hidden_dim"], 1)  # type: ignore[assignment]
        _zero(self.delta_net[-1])
        log_std = th.full((n_coordinates,), float(options["log_std_init"]))
        self.log_std = nn.Parameter(log_std.clone())
        self.register_buffer("reference_log_std", log_std)
        if options["state_dependent_std"]:
            self.log_std_net = _mlp(inputs_dim, options["delta_hidden_dim"], n_coordinates)
            _zero(self.log_std_net[-1])
        self.to(self._place.device)
        self._build_optimizer()

    def _residual_scale(self) -> np.ndarray:
        """Return the residual scale, ``(H, 2)``, metres."""
        ends = self._options["residual_scale"]
        if ends == "planner":
            own_error = getattr(self.features_extractor.planner, "residual_std", None)
            far = MAX_RESIDUAL_SCALE
            if own_error is not None:
                far = OWN_ERRORS * own_error[-1].square().mean().sqrt().item()
                far = min(max(far, MIN_RESIDUAL_SCALE), MAX_RESIDUAL_SCALE)
            ends = (NEAR_SHARE * far, far)
        return np.repeat(np.linspace(ends[0], ends[1], self.action_space.shape[0])[:, None], 2, axis=1)

    def _build_optimizer(self) -> None:
        values = [*self.value_net.parameters(), *self.value_agents.parameters()]
        ids = {id(parameter) for parameter in values}
        delta = [parameter for parameter in self.parameters() if id(parameter) not in ids]
        groups = [
            {"params": delta, "lr_scale": self._options["delta_lr_scale"]},
            {"params": values, "lr_scale": self._options["value_lr_scale"]},
        ]
        self.optimizer = self.optimizer_class(groups, lr=self._initial_lr, **self.optimizer_kwargs)  # type: ignore[call-arg]
        scale_learning_rates(self.optimizer)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if self._absent is None:  # a copied optimiser has lost its hooks
            scale_learning_rates(self.optimizer)

    def encode(self, obs: PyTorchObs | PolicyFeatures) -> PolicyFeatures:
        """
        Run the frozen part of the policy.

        :param obs: batch of observations, or features, which are returned unchanged; in a dict as a rollout buffer stores them
        :return: the features, without gradient
        """
        if isinstance(obs, PolicyFeatures):
            return obs
        if isinstance(obs, dict) and obs.keys() == _STORED:
            return PolicyFeatures(**obs)
        if self._absent is not None:
            raise self._absent
        features = self.extract_features(obs)
        assert isinstance(features, PlannerFeatures)
        sft_waypoints, inputs, offset = features
        if offset is None:
            return PolicyFeatures(sft_waypoints, inputs, th.ones_like(sft_waypoints[:, 0, :1]))
        # centimetres matter where the planner follows the route, metres where it has lost it. There, learnt and explored
        # residuals are larger by the root mean square of the waypoints' offset from the route, in units of the scale
        offset = offset.flatten(1) / self.basis.scale
        stretch = (1.0 + 2.0 * offset.square().mean(dim=1, keepdim=True)).sqrt()
        if "route_offset" in self.features_extractor.head_inputs:
            inputs = th.cat([inputs, offset / stretch], dim=1)
        return PolicyFeatures(sft_waypoints, inputs, stretch)

    def get_distribution(self, obs: PyTorchObs | PolicyFeatures) -> PlanDistribution:
        """
        Return the distribution over plans.

        :param obs: batch of observations or of their features
        :return: the distribution over plans
        """
        features = self.encode(obs)
        basis = self.basis.at(features.sft_waypoints)
        inputs = self.delta_agents(features.inputs)
        metres = basis.to_metres(self.delta_net(inputs)) * features.stretch
        max_delta = self._options["max_delta"]
        if max_delta is not None:
            # slightly inside the bound, so that float rounding cannot exceed it
            metres = 0.999999 * max_delta * th.tanh(metres / max_delta)
        log_std = self.log_std
        if self._options["state_dependent_std"]:
            log_std = log_std + self.log_std_net(inputs)
        delta = metres.view_as(features.sft_waypoints)
        return PlanDistribution(basis, features.sft_waypoints, delta, log_std, features.stretch)

    def kl_to_reference(self, obs: PyTorchObs | PolicyFeatures) -> th.Tensor:
        """
        Return the KL divergence to the planner with the initial standard deviation, in closed form.

        :param obs: batch of observations or of their features
        :return: KL divergence ``(B,)``, nats
        """
        return self.get_distribution(obs).kl_to(self.reference_log_std)

    def reference_distribution(self, obs: PyTorchObs | PolicyFeatures) -> PlanDistribution:
        """
        Return the distribution of the policy that training started from.

        :param obs: batch of observations or of their features
        :return: the distribution around the planner's plans, with the initial standard deviation
        """
        sft_waypoints, _, stretch = self.encode(obs)
        basis, zeros = self.basis.at(sft_waypoints), th.zeros_like(sft_waypoints)
        return PlanDistribution(basis, sft_waypoints, zeros, self.reference_log_std, stretch)

    def forward(self, obs: PyTorchObs, deterministic: bool = False) -> tuple[th.Tensor, th.Tensor, th.Tensor]:
        """
        Return plans with their values and log densities.

        :param obs: batch of observations
        :param deterministic: return the most likely plans instead of samples
        :return: plans ``(B, H, 2)``, values ``(B, 1)``, log densities ``(B,)``
        """
        features = self.last_features = self.encode(obs)
        distribution = self.get_distribution(features)
        actions = distribution.get_actions(deterministic=deterministic)
        return actions, self._values(features), distribution.log_prob(actions)

    def evaluate_actions(self, obs: PyTorchObs | PolicyFeatures, actions: th.Tensor) -> tuple[th.Tensor, th.Tensor, th.Tensor]:
        """
        Evaluate given plans under the current policy.

        :param obs: batch of observations or of their features
        :param actions: plans ``(B, H, 2)`` or ``(B, 2 H)``, metres
        :return: values ``(B, 1)``, log densities ``(B,)``, entropies ``(B,)``
        """
        features = self.encode(obs)
        distribution = self.get_distribution(features)
        return self._values(features), distribution.log_prob(actions), distribution.entropy()

    def predict_values(self, obs: PyTorchObs | PolicyFeatures) -> th.Tensor:
        """
        Return the values of states.

        :param obs: batch of observations or of their features
        :return: values ``(B, 1)``
        """
        return self._values(self.encode(obs))

    def _values(self, features: PolicyFeatures) -> th.Tensor:
        return self.value_net(self.value_agents(features.inputs))

    def _predict(self, observation: PyTorchObs, deterministic: bool = False) -> th.Tensor:
        distribution: Distribution = self.get_distribution(observation)
        return distribution.get_actions(deterministic=deterministic)

    def get_extra_state(self) -> dict[str, Any]:
        """Return what :meth:`load_state_dict` needs: the planner's description and the policy's options, primitives only."""
        if self._absent is not None:
            raise self._absent
        options = {**self._options, "head_inputs": self.features_extractor.head_inputs}
        return {**self._describe_planner(), "options": {name: options[name] for name in OF_THE_STATE}}

    def _describe_planner(self) -> dict[str, Any]:
        planner = self.features_extractor.planner
        return describe_planner(planner) if callable(getattr(planner, "config", None)) else {}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Do nothing: :meth:`load_state_dict` uses the extra state before it loads the tensors."""

    def load_state_dict(self, state_dict: Any, strict: bool = True, assign: bool = False) -> Any:
        """
        Load a state, as in torch. If the planner is missing or differs from the saved one, it is first built from the saved
        description.

        :param state_dict: the saved state
        :param strict: as in torch
        :param assign: as in torch
        :return: missing and unexpected keys, as in torch
        :raises ValueError: if the state was trained with other options, such as another ``max_delta``
        """
        planner = dict(state_dict.get("_extra_state", {}))
        options = planner.pop("options", {})
        given = {name: value for name, value in options.items() if name != "head_inputs"}
        check_state_fits(self._options, given)
        if self._options["head_inputs"] is None:  # the default may have been another when the state was saved
            self._options["head_inputs"] = options.get("head_inputs")
        differs = planner and (self._absent is not None or self._describe_planner() != planner)
        if differs or self._absent is None and self._has_other_inputs():
            found = build_planner(planner, state=state_dict) if differs else self.features_extractor.planner
            self._absent = None
            self.features_extractor = self._extractor(found)
            self.pi_features_extractor = self.vf_features_extractor = self.features_extractor
            self.features_dim = self.features_extractor.features_dim
            self._build_heads()
        elif self._absent is not None:
            raise self._absent
        # default head inputs are known only once the planner is
        check_state_fits({**options, "head_inputs": self.features_extractor.head_inputs}, options)
        return super().load_state_dict(state_dict, strict, assign)

    def _has_other_inputs(self) -> bool:
        return self._options["head_inputs"] not in (None, self.features_extractor.head_inputs)

    def _get_constructor_parameters(self) -> dict[str, Any]:
        return {
            "observation_space": self.observation_space,
            "action_space": self.action_space,
            "lr_schedule": self._dummy_schedule,
            **self._options,
            "optimizer_class": self.optimizer_class,
            "optimizer_kwargs": self.optimizer_kwargs,
        }


def _mlp(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh(), nn.Linear(hidden, outputs)
    )  # fmt: skip


def _zero(layer: nn.Module) -> None:
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
