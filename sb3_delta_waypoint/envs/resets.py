"""Checks of the options of ``reset()``, and of whether an env has been reset."""

from collections.abc import Mapping
from typing import Any

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
