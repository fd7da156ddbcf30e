"""Running a planner or a refined policy: ``waypoints = policy(observation)``."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, overload

import torch as th
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.save_util import load_from_zip_file
from stable_baselines3.common.utils import get_device
from torch import nn

from sb3_delta_waypoint.contract import GROUPS, POSITION_BOUND
from sb3_delta_waypoint.files import refuse_compressed
from sb3_delta_waypoint.messages import short_repr
from sb3_delta_waypoint.policies.delta_policy import DeltaWaypointPolicy
from sb3_delta_waypoint.policies.preprocessing import preprocess
from sb3_delta_waypoint.sft.checkpoint import is_import_path, load_planner, refuse_views, torch_reason
from sb3_delta_waypoint.sft.planners.protocol import check_finite, observation_keys, plan
from sb3_delta_waypoint.sft.planners.protocol import plan_dt as plan_dt_of
from sb3_delta_waypoint.sft.trust import UntrustedError, check_trusted, trusting


class PlanParts(NamedTuple):
    """
    A plan and its parts, ``waypoints = sft_waypoints + delta``, each ``(H, 2)`` or ``(B, H, 2)``, metres, ego frame. As in
    ``model.predict``, the plans are clipped to the bounds of the action space.
    """

    waypoints: Any
    sft_waypoints: Any
    delta: Any


class WaypointPolicy:
    """
    A planner or a refined policy as a callable that returns deterministic plans.

    :param checkpoint: a planner (``model.pt``), an SB3 model whose policy is a ``DeltaWaypointPolicy`` (``.zip``), or such a
        planner, model or policy itself; None for the planner that ships with the package
    :param device: device to compute on; ``"auto"`` is CUDA if available
    :param trust: names of modules whose classes a file may name, see :func:`~sb3_delta_waypoint.sft.checkpoint.load_planner`.
        By SB3's design, reading a ``.zip`` runs code in it: read only files that you trust
    :raises FileNotFoundError: if there is no such file
    :raises ValueError: if the checkpoint is something else
    :raises ~sb3_delta_waypoint.sft.trust.UntrustedError: if it names a class of a module that is not trusted
    """

    def __init__(
        self,
        checkpoint: str | Path | nn.Module | BaseAlgorithm | None = None,
        device: str | th.device = "auto",
        trust: str | Sequence[str] = (),
    ):
        self.device = get_device(device)
        found = checkpoint.policy if isinstance(checkpoint, BaseAlgorithm) else checkpoint
        if isinstance(found, str | Path) and str(found).endswith(".zip"):
            found = load_policy(found, self.device, trust)
        module = found if isinstance(found, DeltaWaypointPolicy) else load_planner(found, self.device, trust)
        self.module = module.to(self.device)
        planner: Any = module.features_extractor.planner if isinstance(module, DeltaWaypointPolicy) else module
        self.horizon_steps: int = planner.horizon_steps
        """Number of rows ``H`` of a plan."""
        self.plan_dt: float = plan_dt_of(planner)
        """Seconds between the rows of a plan."""
        # the heads may read more than the planner
        heads = module.features_extractor.observation_keys if isinstance(module, DeltaWaypointPolicy) else ()
        self.observation_keys: tuple[str, ...] = tuple(dict.fromkeys((*observation_keys(planner), *heads)))
        """Names of the observations that the policy reads."""
        # without the planner's observation_keys, a policy reads everything in its observation space
        unsaid = module.observation_space.spaces if isinstance(module, DeltaWaypointPolicy) else ()
        self._needed = tuple(dict.fromkeys((*getattr(planner, "observation_keys", unsaid), *heads)))

    @overload
    def __call__(self, observation: Mapping[str, Any]) -> Any: ...

    @overload
    def __call__(self, observation: Mapping[str, Any], parts: bool) -> PlanParts: ...

    def __call__(self, observation: Mapping[str, Any], parts: bool = False) -> Any:
        """
        Return the plan for an observation, or the plans for a batch.

        :param observation: NumPy arrays or tensors by name, one observation or a batch: ``state`` ``(4,)`` or ``(B, 4)``, ….
            Images are uint8 from 0 to 255, as envs return them; the network receives floats from 0 to 1. Observations that the
            planner does not read may be omitted
        :param parts: return the planner's waypoints and the residual as well
        :return: the plan, ``(H, 2)`` or ``(B, H, 2)``, metres, ego frame, as an array or a tensor like the observation; with
            ``parts``, :class:`PlanParts`
        :raises ValueError: if an observation that the planner reads is missing, or the planner returns anything but plans
        """
        missing = [key for key in self._needed if key not in observation]
        if missing or not observation:
            which = f" {missing[0]!r}, which the planner reads" if missing else " everything"
            raise ValueError(f"the observation lacks{which}; it has {sorted(observation)}")
        tensors = {key: th.as_tensor(value, device=self.device) for key, value in observation.items()}
        single = self._is_single(tensors)
        if single:
            tensors = {key: value[None] for key, value in tensors.items()}
        result = self._plan(tensors)
        if single:
            result = PlanParts(*(part[0] for part in result))
        if not any(isinstance(value, th.Tensor) for value in observation.values()):
            result = PlanParts(*(part.cpu().numpy() for part in result))
        return result if parts else result.waypoints

    def _is_single(self, tensors: Mapping[str, th.Tensor]) -> bool:
        """Return whether this is one observation, by the first entry of known shape, or else by vectors and images."""
        n_axes = {key: len(group.shape) for key, group in GROUPS.items()}
        if isinstance(self.module, DeltaWaypointPolicy):
            n_axes |= {key: len(space.shape or ()) for key, space in self.module.observation_space.spaces.items()}
        for key, values in tensors.items():
            if key in n_axes:
                return values.dim() == n_axes[key]
        return all(values.dim() == (3 if values.dtype == th.uint8 else 1) for values in tensors.values())

    @th.no_grad()
    def _plan(self, observation: dict[str, th.Tensor]) -> PlanParts:
        if not isinstance(self.module, DeltaWaypointPolicy):
            training = self.module.training
            self.module.eval()
            try:
                waypoints = plan(self.module, preprocess(observation), type(self.module).__name__)[1]
            finally:
                self.module.train(training)
            waypoints = self._within_action_space(waypoints)
            return PlanParts(waypoints, waypoints, th.zeros_like(waypoints))
        # keys that the policy does not know are ignored, as the planner does
        known = self.module.observation_space.spaces
        distribution = self.module.get_distribution({key: observation[key] for key in known if key in observation})
        check_finite(distribution.sft_waypoints, "waypoints", type(self.module.features_extractor.planner).__name__)
        waypoints, sft_waypoints = map(self._within_action_space, (distribution.mode(), distribution.sft_waypoints))
        return PlanParts(waypoints, sft_waypoints, distribution.delta)

    def _within_action_space(self, plans: th.Tensor) -> th.Tensor:
        if not isinstance(self.module, DeltaWaypointPolicy):
            return plans.clamp(-POSITION_BOUND, POSITION_BOUND)
        space = self.module.action_space
        return plans.clamp(th.as_tensor(space.low, device=self.device), th.as_tensor(space.high, device=self.device))


def load_policy(path: str | Path, device: str | th.device = "auto", trust: str | Sequence[str] = ()) -> DeltaWaypointPolicy:
    """
    Load the policy from a model of any SB3 algorithm, without the algorithm.

    :param path: the model's ``.zip``. By SB3's design, reading it runs code in it: read only files that you trust
    :param device: device for the policy
    :param trust: names of modules whose classes it may name, see :func:`~sb3_delta_waypoint.sft.checkpoint.load_planner`
    :return: the policy, in evaluation mode
    :raises FileNotFoundError: if there is no such file
    :raises ValueError: if the model has no ``DeltaWaypointPolicy``
    :raises ~sb3_delta_waypoint.sft.trust.UntrustedError: if its planner's class is in a module that is not trusted
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no model {path}; 'sb3-delta-waypoint train' writes one")
    try:
        refuse_compressed(path)
        data, tensors, _ = load_from_zip_file(path, device=device)
    except Exception as error:  # zipfile, torch and cloudpickle raise exceptions of many types
        raise ValueError(f"{path} is not an SB3 model, or is damaged: {torch_reason(error)}") from error
    if not data:
        raise ValueError(f"{path} is not an SB3 model, or is damaged: it lacks the file 'data'")
    policy_class = data.get("policy_class")
    if not (isinstance(policy_class, type) and issubclass(policy_class, DeltaWaypointPolicy)):
        raise ValueError(f"{path} holds a {getattr(policy_class, '__name__', policy_class)}, not a DeltaWaypointPolicy")
    with trusting(trust):
        try:
            if is_import_path(sft := data["policy_kwargs"].get("sft")):
                check_trusted(str(sft), "the saved policy")
            state: Any = tensors["policy"]
            _refuse_sizes(path, data["policy_kwargs"], state)
            policy = policy_class(data["observation_space"], data["action_space"], lambda _: 0.0, **data["policy_kwargs"])
            policy.load_state_dict(state)
        except UntrustedError as error:
            raise UntrustedError(f"{path}: {error}") from None
        except KeyError as error:
            raise ValueError(f"{path} is not an SB3 model, or is damaged: {error} is missing") from error
        except (TypeError, ValueError, RuntimeError, AttributeError, ArithmeticError, MemoryError) as error:
            raise ValueError(f"{path} does not fit this version of the policy: {torch_reason(error)}") from error
    policy.set_training_mode(False)
    return policy.to(get_device(device))


def _refuse_sizes(path: str | Path, policy_kwargs: Mapping[str, Any], state: Mapping[str, Any]) -> None:
    """Refuse to build heads of another width than the file's, and tensors much larger than their storage in the file."""
    refuse_views(state, path)
    for option, name in (("delta_hidden_dim", "delta_net.0.weight"), ("value_hidden_dim", "value_net.0.weight")):
        width = policy_kwargs.get(option)
        if width is not None and name in state and len(state[name]) != width:
            raise ValueError(f"{option} is {short_repr(width)}, but {name} has the shape {tuple(state[name].shape)}")
