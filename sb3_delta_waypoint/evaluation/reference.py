"""The reference driver on the scenarios of an evaluation, and the times to the goal relative to its own."""

import hashlib
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sb3_delta_waypoint.contract import CONTROL_DT
from sb3_delta_waypoint.evaluation.rollout import Scenarios
from sb3_delta_waypoint.files import read_json, write_json

FILE = "reference.json"
"""Name of the file that keeps the reference driver's metrics in the folder of a report."""

_driven: dict[str, dict[str, np.ndarray]] = {}
"""The reference driver's metrics in this process, by :func:`_key`."""


def reference_metrics(scenarios: Scenarios, folder: str | Path | None = None, progress: bool = False) -> dict[str, np.ndarray]:
    """
    Return the metrics of the reference driver, the env's expert, on some scenarios. It drives them once in a process, and,
    given a folder, once for all reports written there.

    :param scenarios: the scenarios
    :param folder: folder whose ``reference.json`` keeps the metrics; None for none
    :param progress: whether to show a progress bar
    :return: one value per scenario for each metric, (n,) each, with ``time_limit`` [s] if the env says it
    :raises ValueError: if the env has no expert
    """
    key, file = _key(scenarios), Path(folder) / FILE if folder is not None else None
    if key not in _driven:
        kept = _kept(file, key)
        _driven[key] = scenarios.evaluate_expert(progress) if kept is None else kept
    if file is not None and _kept(file, key) is None:
        write_json(file, {"scenarios": key, "metrics": {name: values.tolist() for name, values in _driven[key].items()}})
    return _driven[key]


def with_times(metrics: Mapping[str, np.ndarray], reference: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """
    Add the times to the goal to the metrics of a policy.

    ``time_ratio`` is the policy's time to the goal over the reference driver's in the same scenario; it is NaN where one of
    them fails. ``time_with_failures`` [s] is the policy's time to the goal, or the scenario's time limit where it fails, so
    that a policy which gives up on hard scenarios does not look fast.

    :param metrics: one value per scenario for each metric, (n,) each
    :param reference: the result of :func:`reference_metrics` on the same scenarios
    :return: all metrics; ``time_with_failures`` only if the reference has ``time_limit``
    """
    reached = metrics["success_rate"] > 0.0
    both = reached & (reference["success_rate"] > 0.0)
    ratio = np.full(len(reached), np.nan)
    ratio[both] = metrics["episode_length"][both] / reference["episode_length"][both]
    times = {"time_ratio": ratio}
    if "time_limit" in reference:
        times["time_with_failures"] = np.where(reached, metrics["episode_length"] * CONTROL_DT, reference["time_limit"])
    return {**metrics, **times}


def _key(scenarios: Scenarios) -> str:
    """Return a digest of all that the reference driver's metrics depend on; what is observed does not matter to it."""
    kwargs = sorted((name, value) for name, value in scenarios.env_kwargs.items() if name != "observe")
    numbers = list(range(scenarios.n) if scenarios.numbers is None else scenarios.numbers)
    return hashlib.sha256(pickle.dumps((scenarios.env_id, kwargs, scenarios.seed, numbers))).hexdigest()


def _kept(file: Path | None, key: str) -> dict[str, np.ndarray] | None:
    """Return the metrics in a file; None if it has none of these scenarios."""
    if file is None or not file.exists():
        return None
    content: Any = read_json(file, "metrics of the reference driver")
    if not isinstance(content, dict) or content.get("scenarios") != key:
        return None
    return {name: np.array(values, dtype=np.float64) for name, values in content["metrics"].items()}
