"""Checks of the command line and the yaml of a training run, before anything is written."""

import argparse
import difflib
import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from inspect import signature
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from gymnasium.error import Error as GymnasiumError
from stable_baselines3.common.base_class import BaseAlgorithm

from sb3_delta_waypoint.bounds import is_number
from sb3_delta_waypoint.files import read_yaml
from sb3_delta_waypoint.messages import short_repr, short_text

ZOO_KEYS = {
    *("n_timesteps", "n_envs", "policy", "policy_kwargs", "env_kwargs", "monitor_kwargs", "normalize", "frame_stack"),
    *("env_wrapper", "vec_env_wrapper", "callback"),
}
"""Keys of a yaml that rl_zoo3 itself uses; all others are arguments of the algorithm."""

OPTIONS = {"env": "--env", "seed": "--seed", "device": "--device", "verbose": "--verbose", "tensorboard_log": "-tb"}
"""Arguments of an algorithm that are options of the command line."""

SCHEDULES = ("learning_rate", "clip_range", "clip_range_vf")
COUNTS = ("n_envs", "n_steps", "batch_size", "n_epochs", "frame_stack")
SHARES = ("gamma", "gae_lambda")

LOWEST = {
    "eval_episodes": ("--eval-episodes", 1, None, ""),
    "n_eval_envs": ("--n-eval-envs", 1, None, ""),
    "n_timesteps": ("-n", 1, -1, ", or -1 for the n_timesteps of the yaml"),
    "log_interval": ("--log-interval", 1, -2, ", -1 for the default or -2 for no logging"),
    "n_trials": ("--n-trials", 1, None, ""),
    "n_jobs": ("--n-jobs", 1, -1, ", or -1 for one per processor"),
    "n_evaluations": ("--n-evaluations", 1, None, ""),
}
"""Whole numbers on the command line: option, minimum, minimum of the negative values with a special meaning, that meaning."""


@contextmanager
def in_one_line(what: str, *more: type[Exception]) -> Iterator[None]:
    """
    Convert errors within a context to a ValueError that names their source; bad settings cause errors of many types.

    :param what: the source, such as ``"the yaml"``
    :param more: further types of errors to convert
    :raises ValueError: in place of the error
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, ValueError | OSError | ImportError | GymnasiumError) and not isinstance(error, more):
            raise
        reason = short_text(error, 300)
        raise ValueError(f"{what}: {type(error).__name__}: {reason} (--debug shows where)") from error


def check_arguments(args: argparse.Namespace) -> None:
    """
    Check the command line of a training run.

    :param args: the command line as parsed by rl_zoo3
    :raises ValueError: naming the invalid option
    """
    for name, (option, lowest, special, meaning) in LOWEST.items():
        value = getattr(args, name)
        if value is not None and value < lowest and not (special is not None and special <= value < 0):
            raise ValueError(f"{option} {value}: expected at least {lowest}{meaning}")


def check_config(path: str, env_id: str, is_atari: bool = False, is_given: bool = True) -> None:
    """
    Check that rl_zoo3 can read a file of hyperparameters. Files in Python, which it runs, are not checked.

    :param path: the yaml, or a Python file or module
    :param env_id: id of the env
    :param is_atari: whether the hyperparameters may be under the key ``atari``
    :param is_given: whether the user named the file
    :raises ValueError: naming the file and the fault
    :raises FileNotFoundError: if there is no such file
    """
    file = Path(path)
    unknown = (
        f"no hyperparameters of {file.stem} for {env_id} ship with this package or with rl_zoo3: write some into a file, "
        f"such as '{env_id}: {{n_timesteps: 100000, policy: sb3_delta_waypoint.DeltaWaypointPolicy}}', and give it with -conf"
    )
    if file.suffix not in (".yml", ".yaml", ".py"):
        if not re.fullmatch(r"\w+(\.\w+)*", path) or file.exists():
            raise ValueError(f"-conf {path}: expected a .yml or .py file with hyperparameters by env, or a module's name")
        if find_spec(path.partition(".")[0]) is None:
            raise ValueError(f"-conf {path}: there is no such module, and a file's name would end in .yml or .py")
        return
    if not file.is_file():
        if not is_given:
            raise ValueError(unknown)
        raise FileNotFoundError(f"-conf {path}: there is no such file; omit -conf for the hyperparameters that ship with it")
    if file.suffix == ".py":
        return
    content = read_yaml(file, "file of hyperparameters")
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds {short_repr(content)}, expected hyperparameters by env, such as 'CartPole-v1: {{…}}'")
    for name in (env_id, *["atari"] * is_atari, "default"):
        if name in content:
            if not isinstance(content[name], dict):
                raise ValueError(f"{path}: {name} is {short_repr(content[name])}, expected keys and values")
            return
    if not is_given:
        raise ValueError(unknown)
    known = ", ".join(map(str, list(content)[:20])) or "nothing"
    raise ValueError(f"{path} has no hyperparameters of {env_id}, but of {known}: add them, or give another file with -conf")


def check_hyperparameters(algorithm: type[BaseAlgorithm], hyperparams: Mapping[str, Any], source: str) -> None:
    """
    Check names and types of hyperparameters against the algorithm's signature, before rl_zoo3 works with them.

    :param algorithm: the algorithm
    :param hyperparams: hyperparameters from the yaml and the command line
    :param source: their source, for the error message
    :raises ValueError: naming the first invalid hyperparameter
    """
    parameters = signature(algorithm).parameters
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    known = {*parameters, *ZOO_KEYS} - {*OPTIONS, "_init_setup_model"}
    for name in ("policy", "n_timesteps"):
        if name not in hyperparams:
            raise ValueError(f"{source}: {name} is missing")
    hints = {name: parameter.annotation for name, parameter in parameters.items()}
    for name, value in hyperparams.items():
        if name in OPTIONS:
            raise ValueError(f"{source}: {name} is no hyperparameter, but the option {OPTIONS[name]}")
        if name not in known and not takes_any:
            close = difflib.get_close_matches(str(name), known, n=1)
            remedy = f"did you mean {close[0]}?" if close else f"there are {', '.join(sorted(known))}"
            raise ValueError(f"{source}: {algorithm.__name__} has no hyperparameter {name!r}; {remedy}")
        expected = _expected(name, value, hints)
        if expected:
            raise ValueError(f"{source}: {name} is {short_repr(value)}; expected {expected}")


def _expected(name: str, value: Any, hints: Mapping[str, Any]) -> str:
    """Return what a hyperparameter should be; empty if it is valid."""
    if name in SCHEDULES:
        fits = is_number(value) and (value >= 0 or name != "learning_rate")
        return "" if fits or _is_schedule(value) else "a number, or one that falls linearly to zero, such as 'lin_1e-3'"
    if name in COUNTS:
        return "" if is_number(value, whole=True) and value >= 1 else "a whole number from 1"
    if name in SHARES:
        return "" if is_number(value) and 0 <= value <= 1 else "a number from 0 to 1"
    if name == "n_timesteps":
        return "" if is_number(value) and value >= 1 else "a number from 1"
    if name == "policy":
        return "" if isinstance(value, str | type) else "a policy's name or import path"
    if name == "env_kwargs":
        # rl_zoo3 passes it unchanged, but evaluates the others
        return "" if isinstance(value, Mapping | NoneType) else "a mapping, such as {route_length: 200}; it is not evaluated"
    if name.endswith("_kwargs"):
        return "" if isinstance(value, Mapping | str | NoneType) else "keys and values"
    hint = hints.get(name, Any)
    return "" if name in ZOO_KEYS or _fits(value, hint) else str(getattr(hint, "__name__", hint)).replace("typing.", "")


def _is_schedule(value: Any) -> bool:
    try:
        return isinstance(value, str) and float(value.partition("_")[2]) >= 0
    except ValueError:
        return False


def _fits(value: Any, hint: Any) -> bool:
    """Return whether a value has the annotated type; True for complex annotations, whose check is left to the algorithm."""
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return any(_fits(value, part) for part in get_args(hint))
    if origin is Literal:
        return value in get_args(hint)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)
    if hint is int:
        return is_number(value, whole=True)
    if hint in (bool, str, NoneType):
        return isinstance(value, hint)
    if origin is type or origin is Callable or hint is Callable:
        return callable(value)
    if isinstance(origin, type):
        return isinstance(value, origin)
    return True
