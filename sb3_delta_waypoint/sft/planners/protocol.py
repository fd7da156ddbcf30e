"""The protocol of planners, and checks that a planner satisfies it."""

from collections.abc import Collection, Mapping
from typing import Any, Protocol

import torch

from sb3_delta_waypoint.bounds import is_number
from sb3_delta_waypoint.contract import EGO_GROUPS, PLAN_DT
from sb3_delta_waypoint.messages import short_repr


class WaypointPlanner(Protocol):
    """
    A planner: a ``torch.nn.Module`` with these attributes and methods. Its constructor is called as
    ``Class(horizon_steps=…, plan_dt=…, **keyword arguments of its own)``.

    Two members are optional. ``fit_normalisation(observations, waypoints)`` receives the training data, (N, …) by name and
    (N, H, 2) metres, before the first gradient step. The buffer ``residual_std`` (H, 2), metres, holds the standard deviation
    of the planner's error on held-out data; the policy scales its residuals by it.
    """

    horizon_steps: int
    """H, number of waypoints in a plan."""
    plan_dt: float
    """Seconds from one waypoint to the next; 0.1 if a planner lacks the attribute."""
    observation_keys: tuple[str, ...]
    """Names of the observations that the planner reads; ``state`` and ``route`` if it lacks the attribute."""

    def config(self) -> dict[str, Any]:
        """
        Return the constructor's arguments. A planner that is never saved need not have this method.

        :return: keyword arguments from which the class builds the planner again, primitives only
        """

    def forward(self, observation: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """
        Return plans for a batch of observations.

        :param observation: observations by name, each (B, …), physical units, images from 0 to 1; there may be more of them
            than the planner reads
        :return: latent (B, D), waypoints (B, H, 2) in metres, ego frame
        """


def observation_keys(planner: Any) -> tuple[str, ...]:
    """
    Return the names of the observations that a planner reads.

    :param planner: a planner
    :return: the names, ``state`` and ``route`` by default
    """
    return tuple(getattr(planner, "observation_keys", EGO_GROUPS))


def plan_dt(planner: Any) -> float:
    """
    Return the time step of a planner's waypoints.

    :param planner: a planner, or an object that runs one
    :return: seconds from one waypoint to the next
    """
    return float(getattr(planner, "plan_dt", PLAN_DT))


def check_attributes(planner: Any, name: str) -> None:
    """
    :param planner: a planner
    :param name: its name, for the message
    :raises ValueError: naming the first attribute that makes no sense
    """
    step, keys = getattr(planner, "plan_dt", PLAN_DT), getattr(planner, "observation_keys", EGO_GROUPS)
    if not (is_number(step) and step > 0):
        raise ValueError(f"planner '{name}': plan_dt is {short_repr(step)}; expected a positive number of seconds")
    if isinstance(keys, str) or not (isinstance(keys, Collection) and all(isinstance(key, str) for key in keys)):
        raise ValueError(
            f"planner '{name}': observation_keys is {short_repr(keys)}; expected names, such as ('state', 'route')"
        )
    std = getattr(planner, "residual_std", None)
    if std is None:
        return
    expected = f"expected {(planner.horizon_steps, 2)}, finite numbers of metres, 0 at least"
    if not isinstance(std, torch.Tensor):
        raise ValueError(f"planner '{name}': residual_std is {short_repr(std)}; {expected}, a buffer")
    if std.shape != (planner.horizon_steps, 2):
        raise ValueError(f"planner '{name}': residual_std has the shape {tuple(std.shape)}; {expected}")
    if not (std.is_floating_point() and std.isfinite().all() and (std >= 0).all()):
        raise ValueError(f"planner '{name}': residual_std holds {short_repr(std.flatten().tolist())}; {expected}")


def plan(planner: Any, observation: Mapping[str, torch.Tensor], name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """
    Run a planner on a batch of observations and check its output.

    :param planner: a planner
    :param observation: observations by name, each (B, …)
    :param name: name of the planner, for the error message
    :return: latent (B, D), waypoints (B, H, 2), metres, ego frame
    :raises ValueError: if the output is anything else; the message names the fault and the remedy
    """
    output = planner(observation)
    if not (isinstance(output, tuple) and len(output) == 2 and all(isinstance(part, torch.Tensor) for part in output)):
        kind = f"a {type(output).__name__}"
        if isinstance(output, tuple):
            kind = f"{len(output)} values" + (", not all tensors" if len(output) == 2 else "")
        raise ValueError(f"planner '{name}': forward() gives {kind}; return the tensors (latent, waypoints)")
    latent, waypoints = output
    for what, values in (("latent", latent), ("waypoints", waypoints)):
        if values.dtype != torch.float32:
            raise ValueError(f"planner '{name}': its {what} are {values.dtype}; expected torch.float32: convert by .float()")
    batch = len(next(observation[key] for key in (*observation_keys(planner), *observation) if key in observation))
    if latent.dim() != 2 or len(latent) != batch:
        raise ValueError(
            f"planner '{name}': its latent has the shape {tuple(latent.shape)}; expected ({batch}, D): flatten it, "
            "latent.flatten(1)"
        )
    expected = (batch, planner.horizon_steps, 2)
    if waypoints.shape != expected:
        raise ValueError(
            f"planner '{name}': its waypoints have the shape {tuple(waypoints.shape)}; expected {expected}: x and y of "
            "horizon_steps waypoints, such as waypoints.view(-1, self.horizon_steps, 2)"
        )
    check_finite(waypoints, "waypoints", name)
    return latent, waypoints


def probe(planner: Any, observation: Mapping[str, torch.Tensor], name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """
    As :func:`plan`, once before a planner is used: what only training looks at is checked, too.

    :param planner: a planner
    :param observation: a batch of two at least, which tells a latent of one row from one of a row each
    :param name: of the planner, for the message
    :return: latent (B, D), waypoints (B, H, 2)
    :raises ValueError: as :func:`plan`, and if the latent is not finite
    """
    latent, waypoints = plan(planner, observation, name)
    check_finite(latent, "latent", name)
    return latent, waypoints


def check_finite(values: torch.Tensor, what: str, name: str) -> None:
    """
    :param values: of a planner
    :param what: what they are, for the message
    :param name: of the planner, for the message
    :raises ValueError: if one is infinite or NaN
    """
    if not values.isfinite().all():
        raise ValueError(f"planner '{name}': its {what} are not finite; normalise what it reads")


def check_trainable(planner: Any, observation: Mapping[str, torch.Tensor], name: str) -> None:
    """
    Check before training that a planner can be trained, and built again from its file.

    :param planner: a planner
    :param observation: a batch of training data, each (B, …)
    :param name: name of the planner, for the error message
    :raises ValueError: if it does not satisfy :class:`WaypointPlanner`; the message names the fault and the remedy
    """
    config = getattr(planner, "config", None)
    if not callable(config):
        raise ValueError(
            f"planner '{name}' lacks config(): return the constructor's arguments, so that its file can be loaded"
        )
    arguments = config()
    if not isinstance(arguments, dict):
        raise ValueError(f"planner '{name}': config() gives {short_repr(arguments)}; return the arguments by name, a dict")
    for key, value in arguments.items():
        if not (isinstance(key, str) and _is_primitive(value)):
            raise ValueError(
                f"planner '{name}': config() gives {short_repr({key: value})}, which its file cannot hold: return numbers, "
                "strings, None, and lists, tuples and dicts of them"
            )
    try:
        again = type(planner)(**arguments)
    except Exception as error:  # the planner's code may raise anything
        raise ValueError(
            f"planner '{name}' cannot be built again from its config(), {short_repr(arguments)}: {error}; return the "
            "arguments of its constructor"
        ) from error
    mine, its = ({key: tensor.shape for key, tensor in module.state_dict().items()} for module in (planner, again))
    if mine != its:
        differing = sorted(key for key in {*mine, *its} if mine.get(key) != its.get(key))
        raise ValueError(
            f"planner '{name}': built again from its config(), {short_repr(arguments)}, it has other tensors "
            f"({', '.join(differing[:3])}): config() must hold every argument that changes them"
        )
    if not any(parameter.requires_grad for parameter in planner.parameters()):
        raise ValueError(f"planner '{name}' has no parameters to train; use it as it is, by its import path")
    _, waypoints = probe(planner, observation, name)
    if not waypoints.requires_grad:
        raise ValueError(
            f"planner '{name}': its waypoints do not depend on its parameters; forward() must not detach them or run without "
            "gradients"
        )


def _is_primitive(value: Any) -> bool:
    # classes that derive from these, such as NumPy's float64, are not read without running code
    if type(value) in (list, tuple):
        return all(map(_is_primitive, value))
    if type(value) is dict:
        return all(map(_is_primitive, (*value.keys(), *value.values())))
    return value is None or type(value) in (bool, int, float, str)
