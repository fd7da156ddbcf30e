"""Checks of the options of ``reset()``, and of whether an env has been reset."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium.error import ResetNeeded

from sb3_delta_waypoint.bounds import Bounds, check_number
from sb3_delta_waypoint.messages import short_repr

SCENARIOS = Bounds(0, 2**63 - 1, whole=True)
"""Accepted scenario numbers."""


def check_reset(done: bool) -> None:
    """
    Check that an env has been reset.

    :param done: whether it has
    :raises ResetNeeded: if it has not
    """
    if not done:
        raise ResetNeeded("no episode is running: call reset() first")


def scenario_of(options: Mapping[str, Any] | None) -> int | None:
    """
    Get the scenario number from the options of ``reset(options={"scenario": g})``.

    :param options: options of ``reset()``
    :return: number of the scenario, None for the next in order
    :raises ValueError: for an unknown option, or a value that is not a scenario number
    """
    if options is not None and not isinstance(options, Mapping):
        raise ValueError(f"options={short_repr(options)}: expected a mapping, such as {{'scenario': 3}}")
    for name in options or {}:
        if name != "scenario":
            raise ValueError(
                f"options[{short_repr(name)}] is unknown; accepted is 'scenario', the number of the scenario to play"
            )
    scenario = (options or {}).get("scenario")
    if scenario is None:
        return None
    check_number("options['scenario']", scenario, SCENARIOS)
    return int(scenario)


def scenarios_of(options: Mapping[str, Any] | None, num_envs: int) -> np.ndarray | None:
    """
    Get the scenario numbers from the options of a vector env's ``reset(options={"scenarios": numbers})``.

    :param options: options of ``reset()``
    :param num_envs: number of envs
    :return: int64 ``(num_envs,)``, number of the scenario of each env; None for the next in order
    :raises ValueError: for an unknown option, or values that are not one scenario number per env
    """
    if not options:
        return None
    if not isinstance(options, Mapping) or set(options) != {"scenarios"}:
        raise ValueError(
            f"options={short_repr(options)}: a vector env takes 'scenarios', one number per env; "
            "the scalar env plays a chosen scenario, reset(options={'scenario': 3})"
        )
    numbers = options["scenarios"]
    if np.ndim(numbers) != 1 or len(numbers) != num_envs:
        raise ValueError(f"options['scenarios']={short_repr(numbers)}: expected {num_envs} numbers, one per env")
    for number in numbers:
        check_number("options['scenarios']", number, SCENARIOS)
    return np.array(numbers, dtype=np.int64)
