"""The hard split: the scenarios in which other planners fail, computed once and kept in a file."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sb3_delta_waypoint.evaluation.rollout import Scenarios
from sb3_delta_waypoint.files import read_json, write_json
from sb3_delta_waypoint.messages import short_repr

FORMAT = "sb3_delta_waypoint.scenarios/1"
MIN_SCORE = 50.0
"""``closed_loop_score`` below which a planner has failed."""
POLICY_ARGUMENTS = ("observe", "horizon_steps", "plan_dt")
"""Arguments of an env that follow from the policy that drives, and are not part of a scenario."""


def hard_numbers(results: Sequence[Mapping[str, np.ndarray]], at_least: int = 2) -> list[int]:
    """
    Return the rows in which several planners fail. A planner fails if it has an at-fault collision or its score is below
    :data:`MIN_SCORE`; in an env without these metrics, if it does not succeed.

    :param results: metrics of each planner on the same scenarios, one value per scenario for each metric, (n,) each
    :param at_least: number of planners that must fail
    :return: the rows, ascending
    """
    failures = np.sum([_failed(metrics) for metrics in results], axis=0)
    return np.flatnonzero(failures >= at_least).tolist()


def _failed(metrics: Mapping[str, np.ndarray]) -> np.ndarray:
    failed = np.zeros(len(next(iter(metrics.values()))), dtype=bool)
    if not {"collision_at_fault", "closed_loop_score"} & set(metrics):
        return metrics["success_rate"] == 0.0
    if "collision_at_fault" in metrics:
        failed |= metrics["collision_at_fault"] > 0.0
    if "closed_loop_score" in metrics:
        failed |= metrics["closed_loop_score"] < MIN_SCORE
    return failed


def save_scenarios(path: str | Path, scenarios: Scenarios, numbers: Sequence[int], planners: Sequence[str | Path]) -> Path:
    """
    Write a list of scenarios to a JSON file, atomically.

    :param path: path of the file
    :param scenarios: the scenarios that they are chosen from
    :param numbers: their numbers
    :param planners: files of the planners that they were chosen by, which are named with their digests
    :return: the path of the file
    """
    kwargs = {name: value for name, value in scenarios.env_kwargs.items() if name not in POLICY_ARGUMENTS}
    content = {
        "format": FORMAT,
        "env": scenarios.env_id,
        "env_kwargs": kwargs,
        "seed": scenarios.seed,
        "chosen_from": scenarios.n,
        "planners": {str(planner): hashlib.sha256(Path(planner).read_bytes()).hexdigest() for planner in planners},
        "numbers": list(numbers),
    }
    return write_json(path, content)


def read_scenarios(path: str | Path) -> Scenarios:
    """
    Read a list of scenarios.

    :param path: a file that :func:`save_scenarios` wrote
    :return: the scenarios, with the env and its arguments, except those that follow from the policy
    :raises FileNotFoundError: if there is no such file
    :raises ValueError: if it is something else, or names no scenario
    """
    content: Any = read_json(path, "list of scenarios")
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f"{path} is not a list of scenarios: it lacks format '{FORMAT}'; 'hard-split' writes such files")
    expected = {"env": str, "env_kwargs": dict, "seed": int, "numbers": list}
    for name, kind in expected.items():
        if not isinstance(content.get(name), kind):
            raise ValueError(f"{path}: {name} is {short_repr(content.get(name))}, expected {kind.__name__}")
    numbers = content["numbers"]
    if not numbers or any(type(number) is not int or not 0 <= number < 2**63 for number in numbers):
        raise ValueError(f"{path}: numbers is {short_repr(numbers)}, expected scenario numbers, at least one")
    return Scenarios(seed=content["seed"], env_id=content["env"], env_kwargs=content["env_kwargs"], numbers=numbers)
