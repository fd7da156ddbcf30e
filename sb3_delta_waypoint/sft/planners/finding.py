"""Building a planner from its class or its import path."""

import importlib
import inspect
import math
from collections.abc import Mapping
from typing import Any

from torch import nn

from sb3_delta_waypoint.messages import short_repr
from sb3_delta_waypoint.sft.planners.attention import AttentionWaypointModel
from sb3_delta_waypoint.sft.planners.mlp import SFTWaypointModel
from sb3_delta_waypoint.sft.planners.pooled import PooledWaypointModel
from sb3_delta_waypoint.sft.planners.protocol import check_attributes
from sb3_delta_waypoint.sft.planners.protocol import plan_dt as plan_dt_of
from sb3_delta_waypoint.sft.trust import IMPORT_PATH, trust_typed

PLANNERS: dict[str, type[nn.Module]] = {
    "mlp": SFTWaypointModel,
    "attention": AttentionWaypointModel,
    "pooled": PooledWaypointModel,
}
"""The classes of this package's planners by their short names."""


def import_path_of(planner_class: type) -> str:
    """
    Return the import path of a class.

    :param planner_class: a class
    :return: ``"package.module:Class"``
    """
    return f"{planner_class.__module__}:{planner_class.__qualname__}"


def new_planner(
    planner: str | type[nn.Module], horizon_steps: int, plan_dt: float, kwargs: Mapping[str, Any]
) -> tuple[nn.Module, str]:
    """
    Build an untrained planner.

    :param planner: the planner's class, its short name, or its import path, ``"package.module:Class"``
    :param horizon_steps: H, number of waypoints in a plan
    :param plan_dt: seconds from one waypoint to the next
    :param kwargs: the other arguments of the class
    :return: the planner, and its name for error messages
    :raises ValueError: if there is no such class, it does not accept these arguments, or the planner has another
        ``horizon_steps`` or ``plan_dt``
    """
    found, name = planner_class(planner)
    _check_arguments(kwargs, name)
    arguments = {"horizon_steps": horizon_steps, "plan_dt": plan_dt, **kwargs}
    made: Any = called(found, name, arguments)
    says = getattr(made, "horizon_steps", None)
    if says != horizon_steps:
        raise ValueError(
            f"planner '{name}' was built with horizon_steps={horizon_steps} and says {short_repr(says)}: "
            "keep it, self.horizon_steps = horizon_steps"
        )
    check_attributes(made, name)
    if not math.isclose(plan_dt_of(made), plan_dt, rel_tol=1e-5):
        raise ValueError(
            f"planner '{name}' was built with plan_dt={plan_dt:g} and plans in steps of {plan_dt_of(made):g} s: keep it, "
            "self.plan_dt = plan_dt"
        )
    return made, name


def planner_class(planner: str | type[nn.Module]) -> tuple[type[nn.Module], str]:
    """
    :param planner: the class of a planner, its short name, of :data:`PLANNERS`, or its import path, ``"package.module:Class"``
    :return: the class, and its name for messages
    :raises ValueError: if there is no such class
    """
    if isinstance(planner, str) and planner in PLANNERS:
        return PLANNERS[planner], planner
    if isinstance(planner, str):
        if not IMPORT_PATH.fullmatch(planner):
            raise ValueError(
                f"planner={short_repr(planner)}: expected a class or its import path, package.module:Class, "
                f"or one of {', '.join(PLANNERS)}"
            )
        trust_typed(planner)
        found, name = resolve(planner), planner
    else:
        found, name = planner, getattr(planner, "__qualname__", short_repr(planner))
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        raise ValueError(f"planner '{name}' is no class of torch.nn.Module: training builds a new planner, name its class")
    return found, name


def called(found: Any, name: str, arguments: Mapping[str, Any]) -> Any:
    """
    Call a class or a function that makes a planner, and name the argument that it does not accept or that is missing.

    :param found: the class or function
    :param name: name of the planner, for the error message
    :param arguments: keyword arguments
    :return: the result of the call
    :raises ValueError: if these arguments are not accepted
    """
    _check_arguments(arguments, name)
    accepted = inspect.signature(found)
    try:
        accepted.bind(**arguments)
        return found(**arguments)
    except OSError:  # names its file; where a saved policy brings the planner, an absent one is no error
        raise
    except Exception as error:  # whatever its code raises
        given = ", ".join(f"{key}={short_repr(value)}" for key, value in arguments.items()) or "no arguments"
        if getattr(found, "__init__", None) is nn.Module.__init__:
            raise ValueError(
                f"planner '{name}' cannot be built with {given}: give it an __init__() that takes them"
            ) from error
        what = f"{error or type(error).__name__}; it takes {accepted}"
        raise ValueError(f"planner '{name}' cannot be built with {given}: {what}") from error


def _check_arguments(arguments: Any, name: str) -> None:
    if not (isinstance(arguments, Mapping) and all(isinstance(key, str) for key in arguments)):
        raise ValueError(
            f"planner '{name}' cannot be built with {short_repr(arguments)}: expected arguments by name, a mapping"
        )


def resolve(import_path: str) -> Any:
    """
    Import the object that an import path names.

    :param import_path: ``"package.module:attribute"``
    :return: the object
    :raises ValueError: if there is no such object
    """
    module_name, _, attribute = import_path.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
    except Exception as error:  # the module's code may raise anything
        raise ValueError(
            f"planner '{import_path}': cannot import '{module_name}' ({error or type(error).__name__}); "
            "it must be installed or lie on PYTHONPATH"
        ) from error
    for name in attribute.split("."):
        if not hasattr(found, name):
            raise ValueError(f"planner '{import_path}': '{module_name}' has no '{attribute}'")
        found = getattr(found, name)
    return found
