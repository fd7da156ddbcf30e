"""The record of a training run as JSON files: its configuration, its training metrics and its evaluations."""

import inspect
import math
import platform
import secrets
import time
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.utils import ConstantSchedule, FloatSchedule
from torch import nn

from sb3_delta_waypoint.callbacks.evaluation import WaypointEvalCallback
from sb3_delta_waypoint.contract import FAULT
from sb3_delta_waypoint.evaluation.selection import TIE_BREAKERS
from sb3_delta_waypoint.files import write_json

ITERATION_KEYS = ("entropy", "clip_fraction", "kl_to_sft", "delta_norm_mean", "delta_norm_max")
"""Keys that every iteration has; null if the algorithm does not log them."""


def new_run_id(algorithm: str) -> str:
    """
    Return a new run id.

    :param algorithm: name of the algorithm, e.g. ``"ppo"``
    :return: a unique id such as ``ppo-delta-20260218-193000-abc123``
    """
    return f"{algorithm.lower()}-delta-{datetime.now():%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


class RunningMean:
    """Mean, standard deviation and maximum of a stream of numbers (Welford, 1962); NaN before the first number."""

    def __init__(self) -> None:
        self.count = 0
        self.mean = self.max = math.nan
        self._squares = 0.0

    def add(self, value: float) -> None:
        self.count += 1
        if self.count == 1:
            self.mean = self.max = value
            return
        deviation = value - self.mean
        self.mean += deviation / self.count
        self._squares += deviation * (value - self.mean)
        self.max = max(self.max, value)

    @property
    def std(self) -> float:
        return math.sqrt(self._squares / self.count) if self.count else math.nan


class RunArtifactsCallback(BaseCallback):
    """
    A callback that writes the record of a run to its folder, as JSON files that are valid at any time: ``config.json`` (model,
    settings and versions), ``train_metrics.json`` (every iteration) and, with an eval callback, ``metrics.json`` (every
    evaluation, the best one, and the criterion). Put it last in the list of callbacks, since it reads what the others log.

    :param folder: the run folder, created if it does not exist
    :param evaluation: the callback that evaluates, if any; it must come before this one in the list
    :param config: further content of ``config.json``, e.g. command-line arguments
    :param algorithm: name of the algorithm in the run id; by default its class name in lower case
    """

    WRITE_INTERVAL = 1.0
    """Minimum time between two writes of train_metrics.json [s], so that fast iterations do not wait for the disk."""

    def __init__(
        self,
        folder: str | Path,
        evaluation: WaypointEvalCallback | None = None,
        config: Mapping[str, Any] | None = None,
        algorithm: str | None = None,
    ) -> None:
        super().__init__()
        self.folder = Path(folder)
        self.evaluation = evaluation
        self.config = dict(config or {})
        self.algorithm = algorithm
        self.run_id = ""
        self._identity: dict[str, str] = {}
        self._selection: dict[str, Any] = {}
        if evaluation is not None:
            ties = [name for name in TIE_BREAKERS if name != evaluation.metric]
            self._selection = {"selection": {"metric": evaluation.metric, "ties": ties, "where": evaluation.where}}
        self.iterations: list[dict[str, float | None]] = []
        self._reward, self._ade, self._fde = RunningMean(), RunningMean(), RunningMean()
        self._finished: list[tuple[float, float]] = []
        self._rollout: dict[str, float | None] | None = None
        self._n_evaluations = 0
        self._last_write = -math.inf

    def _on_training_start(self) -> None:
        algorithm = self.algorithm or type(self.model).__name__
        if not self.run_id:
            self.run_id = new_run_id(algorithm)
        self._identity = {"run_id": self.run_id}
        if self.training_env.has_attr("backend"):
            # results of training in the loopback server are not CARLA results
            self._identity["backend"] = self.training_env.get_attr("backend")[0]
        config = {
            **self._identity,
            "algorithm": algorithm,
            **describe_model(self.model),
            **self._selection,
            **self.config,
        }
        write_json(self.folder / "config.json", config)
        self._write_train_metrics()
        self._write_metrics()

    def _on_step(self) -> bool:
        infos = self.locals["infos"]
        for index in np.flatnonzero(self.locals["dones"]):
            # neither is there for an episode that began in a state of another one
            episode, metrics = infos[index].get("episode"), infos[index].get("episode_metrics", {})
            if episode is not None and FAULT not in infos[index]:
                self._reward.add(float(episode["r"]))
                self._finished.append((float(episode["r"]), float(episode["l"])))
            if "ade" in metrics:
                self._ade.add(float(metrics["ade"]))
                self._fde.add(float(metrics["fde"]))
        if self.evaluation is not None and len(self.evaluation.evaluations) > self._n_evaluations:
            self._write_metrics()
        return True

    def _on_rollout_end(self) -> None:
        reward, length = np.mean(self._finished, axis=0).tolist() if self._finished else (None, None)
        self._rollout = {"timesteps": self.num_timesteps, "reward": reward, "length": length}
        # callbacks may have logged these at this point, and the algorithm dumps them before the update
        self._rollout.update({key: self._logged().get(key) for key in ITERATION_KEYS})
        self._finished = []

    def _on_rollout_start(self) -> None:
        self._end_iteration()

    def _on_training_end(self) -> None:
        self._end_iteration()
        self._write_train_metrics()
        self._write_metrics()

    def _end_iteration(self) -> None:
        """Store an iteration; called after the update has logged its losses, before the next evaluation dumps the logger."""
        if self._rollout is None:
            return
        self.iterations.append({**self._rollout, **self._logged()})
        self._rollout = None
        if time.monotonic() - self._last_write > self.WRITE_INTERVAL:
            self._write_train_metrics()

    def _logged(self) -> dict[str, float]:
        """Return the logger's values under ``train/``, which are those of the latest update: it dumps before each update."""
        logged: Mapping[str, Any] = self.logger.name_to_value
        numbers = {key.removeprefix("train/"): float(logged[key]) for key in logged if key.startswith("train/")}
        if "entropy_loss" in numbers:
            numbers["entropy"] = -numbers.pop("entropy_loss")
        return numbers

    def _write_train_metrics(self) -> None:
        self._last_write = time.monotonic()
        metrics = {
            **self._identity,
            "total_episodes": self._reward.count,
            "total_timesteps": self.num_timesteps,
            "avg_reward": self._reward.mean,
            "std_reward": self._reward.std,
            "avg_ade": self._ade.mean,
            "avg_fde": self._fde.mean,
            "best_reward": self._reward.max,
            "iterations": self.iterations,
        }
        write_json(self.folder / "train_metrics.json", metrics)

    def _write_metrics(self) -> None:
        evaluations = self.evaluation.evaluations if self.evaluation is not None else []
        best = self.evaluation.best if self.evaluation is not None else None
        self._n_evaluations = len(evaluations)
        metrics = {**self._identity, **self._selection, "evaluations": evaluations, "best": best}
        write_json(self.folder / "metrics.json", metrics)


def describe_model(model: BaseAlgorithm) -> dict[str, Any]:
    """
    Return a description of a model for ``config.json``.

    :param model: an algorithm that has been set up
    :return: its policy, its settings and the versions of its libraries, JSON values only
    """
    parameters = inspect.signature(type(model).__init__).parameters
    settings = {name: getattr(model, name) for name in parameters if hasattr(model, name)}
    for name in ("policy", "env", "policy_kwargs"):
        settings.pop(name, None)
    packages = ("sb3_delta_waypoint", "stable_baselines3", "gymnasium", "torch", "numpy")
    return {
        "policy": type(model.policy).__name__,
        "policy_kwargs": _describe(model.policy_kwargs),
        "n_envs": model.n_envs,
        "hyperparameters": _describe(settings),
        "versions": {"python": platform.python_version(), **{package: version(package) for package in packages}},
    }


def _describe(value: Any) -> Any:
    """Return numbers, strings and containers unchanged, and the name of anything else."""
    if isinstance(value, Mapping):
        return {str(key): _describe(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_describe(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, FloatSchedule):
        return _describe(value.value_schedule)
    if isinstance(value, ConstantSchedule):
        return value.val
    if isinstance(value, type):
        return value.__qualname__
    return type(value).__name__ if isinstance(value, nn.Module) else str(value)
