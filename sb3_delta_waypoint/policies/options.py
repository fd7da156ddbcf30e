"""Checks of the policy's options."""

from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from torch import nn

from sb3_delta_waypoint.bounds import is_number
from sb3_delta_waypoint.policies.extractor import HEAD_INPUTS

OF_THE_STATE = (
    "delta_hidden_dim", "value_hidden_dim", "max_delta", "head_inputs", "basis", "residual_scale", "state_dependent_std"
)  # fmt: skip
"""The options that change the meaning of a policy's tensors."""

LARGEST_LOG_STD = 20.0
"""Maximum magnitude of the initial log standard deviation; beyond it the value must be a mistake."""


def checked_options(options: dict[str, Any]) -> dict[str, Any]:
    """
    Check the options of a policy and convert them to plain Python types.

    :param options: options of a ``DeltaWaypointPolicy``, by name
    :return: the same options, with numbers and sequences of Python's own types, which a file of tensors may contain
    :raises ValueError: naming the first invalid option, its value, and what is valid
    """

    def check(name: str, fits: Callable[[Any], bool], wanted: str) -> None:
        if not fits(options[name]):
            raise ValueError(f"{name}={options[name]!r}: {wanted}")

    check(
        "sft", lambda sft: sft is None or isinstance(sft, str | Path | nn.Module), "a file, an import path, a module, or None"
    )
    check("sft_kwargs", _are_arguments, "arguments by name, a mapping, or None")
    check("delta_hidden_dim", _is_width, "a whole number, 1 at least")
    check("value_hidden_dim", _is_width, "a whole number, 1 at least")
    check("max_delta", lambda bound: bound is None or _is_positive(bound), "a positive number of metres, or None for no bound")
    check(
        "head_inputs",
        lambda names: names is None or _are_head_inputs(names),
        f"accepted are one or more of {HEAD_INPUTS}, each once, and None",
    )
    check("residual_scale", _is_residual_scale, "accepted are 'planner' and two positive sizes in metres")
    check("log_std_init", _is_log_std, f"a number between {-LARGEST_LOG_STD:g} and {LARGEST_LOG_STD:g}")
    check("state_dependent_std", lambda answer: isinstance(answer, bool), "True or False")
    check("delta_lr_scale", lambda scale: is_number(scale) and scale >= 0.0, "a number, 0 at least")
    check("value_lr_scale", lambda scale: is_number(scale) and scale >= 0.0, "a number, 0 at least")
    return {name: _plain(value) for name, value in options.items()}


def check_state_fits(options: dict[str, Any], saved: dict[str, Any]) -> None:
    """
    Check that a saved state was trained with the same options.

    :param options: options of the policy that loads the state
    :param saved: options of the policy that saved the state
    :raises ValueError: naming the first option that differs
    """
    for name, value in saved.items():
        if options.get(name) != value:
            raise ValueError(
                f"{name}={options.get(name)!r}, but the state to load was trained with {name}={value!r}: make the policy with "
                "that value, or load the whole model, which brings its options"
            )


def _plain(value: Any) -> Any:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(map(_plain, value))
    if isinstance(value, bool) or not isinstance(value, Real):
        return value
    return int(value) if isinstance(value, Integral) else float(value)


def _is_positive(value: Any) -> bool:
    return is_number(value) and value > 0.0


def _is_width(value: Any) -> bool:
    return is_number(value, whole=True) and value >= 1


def _is_log_std(value: Any) -> bool:
    return is_number(value) and abs(value) <= LARGEST_LOG_STD


def _are_arguments(value: Any) -> bool:
    return value is None or isinstance(value, Mapping) and all(isinstance(name, str) for name in value)


def _are_head_inputs(names: Any) -> bool:
    if isinstance(names, str) or not isinstance(names, Sequence) or len(names) == 0:
        return False
    return all(name in HEAD_INPUTS for name in names) and len(set(names)) == len(names)


def _is_residual_scale(scale: Any) -> bool:
    if isinstance(scale, str) or not isinstance(scale, Sequence):
        return isinstance(scale, str) and scale == "planner"
    return len(scale) == 2 and all(map(_is_positive, scale))
