"""Files of hard scenarios: the numbers of those that a policy failed in."""

from pathlib import Path
from typing import Any

import numpy as np

from sb3_delta_waypoint.bounds import Bounds, check_number, is_number
from sb3_delta_waypoint.driving.scenarios import NO_HARD_SCENARIOS, HardScenarios, scenario_seed
from sb3_delta_waypoint.files import read_json, write_json
from sb3_delta_waypoint.messages import short_repr

SEED, NUMBER = Bounds(0, 2**63 - 1, whole=True), Bounds(0, 2**62, whole=True)


def write_hard_scenarios(path: str | Path, seed: int, numbers: np.ndarray) -> Path:
    """
    Write a file of hard scenarios, ``{"seed": 7, "scenarios": [3, 17, …]}``.

    :param path: the file to write
    :param seed: base seed of the scenarios
    :param numbers: their numbers
    :return: the path
    :raises OSError: if the file cannot be written
    """
    return write_json(path, {"seed": seed, "scenarios": numbers})


def read_hard_scenarios(path: str | Path | None, share: float) -> HardScenarios:
    """
    Read a file of hard scenarios.

    :param path: a file of :func:`write_hard_scenarios`; None for no hard scenarios
    :param share: probability that a scenario is one of them
    :return: their seeds and the share
    :raises FileNotFoundError: if there is no such file
    :raises ValueError: if it is no such file, names no scenario, or the share is not between 0 and 1
    """
    check_number("hard_share", share, Bounds(0.0, 1.0))
    if path is None:
        return NO_HARD_SCENARIOS
    if not isinstance(path, str | Path):
        raise ValueError(f"hard_scenarios={short_repr(path)}: expected a file that names hard scenarios, or None")
    content: Any = read_json(path, "file of hard scenarios")
    seed, numbers = (content.get(key) for key in ("seed", "scenarios")) if isinstance(content, dict) else (None, None)
    if not is_number(seed, whole=True) or not isinstance(numbers, list):
        raise ValueError(
            f'{path}: {short_repr(content)} is no list of hard scenarios: expected {{"seed": 7, "scenarios": [3, 17]}}'
        )
    if not numbers:
        raise ValueError(f"{path}: it names no scenario: leave hard_scenarios out, or evaluate in more scenarios")
    check_number(f"{path}: seed", seed, SEED)
    for number in numbers:
        check_number(f"{path}: scenarios", number, NUMBER)
    return HardScenarios(np.array([scenario_seed(int(seed), number) for number in numbers], np.uint64), float(share))
