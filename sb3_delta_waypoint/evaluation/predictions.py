"""Files of waypoint predictions: reading them, computing their errors, and pairing those of two planners."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sb3_delta_waypoint.driving.metrics import displacement
from sb3_delta_waypoint.evaluation.open_loop import open_loop_metrics
from sb3_delta_waypoint.files import naming, read_json
from sb3_delta_waypoint.messages import short_repr

MAX_COORDINATE = 1e9
"""Maximum magnitude of a coordinate of a plan [m]; errors of larger numbers would overflow."""

Key = tuple[str, float]
"""The frame of a sample: episode id and time [s], rounded to a microsecond."""


@dataclass(frozen=True)
class Predictions:
    """
    The predictions of a planner on recorded frames, with the expert's plans.

    :param path: path of the file
    :param dt: seconds between the waypoints of a plan
    :param keys: (episode id, time) of each of the N samples
    :param predicted: the planner's plans, (N, H, 2) metres, ego frame
    :param expert: the expert's plans, (N, H, 2) metres, ego frame
    """

    path: Path
    dt: float
    keys: list[Key]
    predicted: np.ndarray
    expert: np.ndarray

    def metrics(self) -> dict[str, np.ndarray]:
        """
        Return the errors by episode, as :func:`~sb3_delta_waypoint.evaluation.open_loop.evaluate_open_loop` does.

        :return: one array per metric, (n_episodes,), in the order of the episodes' first samples
        """
        episodes: dict[str, list[int]] = {}
        for index, (episode_id, _) in enumerate(self.keys):
            episodes.setdefault(episode_id, []).append(index)
        displacements = displacement(self.predicted, self.expert)
        return open_loop_metrics(np.array([displacements[indices].mean(axis=0) for indices in episodes.values()]))


def read_predictions(path: str | Path) -> Predictions:
    """
    Read a predictions file: ``{"horizon_steps": H, "dt": seconds, "samples": [{"episode_id": "…", "t": seconds, "predicted":
    [[x, y], …], "expert": [[x, y], …]}, …]}``, plans in the ego frame, metres.

    :param path: path of the file
    :return: the predictions
    :raises FileNotFoundError: if there is no such file
    :raises ValueError: naming the file, the sample and the field that is missing or malformed
    """
    path = Path(path)
    content = read_json(path, "predictions file")
    with naming(path):
        return _predictions(path, content)


def _predictions(path: Path, content: Any) -> Predictions:
    horizon = _field(content, "horizon_steps", str(path), int)
    dt = _field(content, "dt", str(path), float)
    samples = _field(content, "samples", str(path), list)
    if horizon < 1 or not dt > 0 or not samples:
        raise ValueError(
            f"{path}: horizon_steps is {short_repr(horizon)}, dt is {dt} and there are {len(samples)} samples: all must be "
            "positive"
        )
    keys: dict[Key, int] = {}
    plans: dict[str, list[np.ndarray]] = {"predicted": [], "expert": []}
    for index, sample in enumerate(samples):
        where = f"{path}: sample {index}"
        key = (_field(sample, "episode_id", where, str), round(_field(sample, "t", where, float), 6))
        if key in keys:
            raise ValueError(f"{where}: episode_id {short_repr(key[0])} at t = {key[1]:g} s is already sample {keys[key]}")
        keys[key] = index
        for name in plans:
            plans[name].append(_plan(sample, name, where, horizon))
    return Predictions(path, dt, list(keys), np.array(plans["predicted"]), np.array(plans["expert"]))


def pair(first: Predictions, second: Predictions) -> tuple[Predictions, Predictions]:
    """
    Put the samples of two planners into the same order.

    :param first: predictions of one planner
    :param second: predictions of another planner on the same frames, in any order
    :return: both predictions, the second in the order of the first
    :raises ValueError: if horizons or steps differ, a frame is in one file only, or the experts disagree on a frame
    """
    files = f"{first.path} and {second.path}"
    if first.predicted.shape[1] != second.predicted.shape[1] or not np.isclose(first.dt, second.dt):
        plans = [f"{plan.predicted.shape[1]} steps of {plan.dt:g} s" for plan in (first, second)]
        raise ValueError(f"{files} hold plans of {plans[0]} and of {plans[1]}: they must agree")
    for one, other in ((first, second), (second, first)):
        unpaired = sorted(set(one.keys) - set(other.keys))
        if unpaired:
            shown = ", ".join(f"({short_repr(episode_id)}, t = {t:g} s)" for episode_id, t in unpaired[:5])
            more = f" and {len(unpaired) - 5} more" if len(unpaired) > 5 else ""
            raise ValueError(f"{one.path} has samples that {other.path} lacks: {shown}{more}; both must hold the same frames")
    position = {key: index for index, key in enumerate(second.keys)}
    order = [position[key] for key in first.keys]
    apart = np.abs(first.expert - second.expert[order]).max(axis=(1, 2))
    if apart.max() > 1e-3:
        episode_id, t = first.keys[int(apart.argmax())]
        raise ValueError(
            f"{files} disagree on the expert's plan by {apart.max():.3g} m at ({short_repr(episode_id)}, t = {t:g} s): errors "
            "against different experts cannot be compared"
        )
    return first, Predictions(second.path, second.dt, first.keys, second.predicted[order], second.expert[order])


def _field(container: Any, name: str, where: str, kind: type) -> Any:
    """Return a field of the expected type, or raise an error that names the field."""
    if not isinstance(container, dict) or name not in container:
        raise ValueError(f"{where}: field {name!r} is missing")
    value = container[name]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind is float and number and abs(value) <= sys.float_info.max:
        return float(value)
    if kind is float or not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(f"{where}: field {name!r} is {short_repr(value)}, expected {_KINDS[kind]}")
    return value


_KINDS = {int: "a whole number", float: "a finite number", list: "a list", str: "a string"}


def _plan(sample: dict[str, Any], name: str, where: str, horizon: int) -> np.ndarray:
    """Return a plan, (H, 2) metres, or raise an error that names the field."""
    value = _field(sample, name, where, list)
    try:
        plan = np.array(value)
    except ValueError:
        plan = np.array("ragged")
    if plan.dtype.kind not in "iuf":
        raise ValueError(f"{where}: field {name!r} is not a list of [x, y] pairs of numbers")
    if plan.shape != (horizon, 2):
        shape = f"({short_repr(horizon)}, 2)"
        raise ValueError(f"{where}: field {name!r} has the shape {plan.shape}, expected {shape} from horizon_steps")
    if not (np.abs(plan) <= MAX_COORDINATE).all():
        raise ValueError(f"{where}: field {name!r} holds NaN, infinity or numbers beyond {MAX_COORDINATE:g}")
    return plan.astype(np.float64)
