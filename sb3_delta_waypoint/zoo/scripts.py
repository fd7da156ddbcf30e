"""Running rl_zoo3's scripts in this process, with this package registered."""

import argparse
import importlib
import runpy
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import rl_zoo3.enjoy
import rl_zoo3.hyperparams_opt
import rl_zoo3.train
import rl_zoo3.utils
from huggingface_sb3 import EnvironmentName, ModelName

from sb3_delta_waypoint.devices import find_device
from sb3_delta_waypoint.registration import env_spec
from sb3_delta_waypoint.zoo.algorithms import ALGORITHMS, check_algorithm
from sb3_delta_waypoint.zoo.manager import CHECKPOINTS, WaypointExperimentManager
from sb3_delta_waypoint.zoo.options import defaults
from sb3_delta_waypoint.zoo.replaced import replaced
from sb3_delta_waypoint.zoo.watching import watching


def register() -> None:
    """Register this package with rl_zoo3: algorithms, experiment manager, run folder. It may be called repeatedly."""
    for name, algorithm in ALGORITHMS.items():
        rl_zoo3.utils.ALGOS[name] = algorithm.load()
        rl_zoo3.hyperparams_opt.HYPERPARAMS_SAMPLER[name] = algorithm.sampler  # type: ignore[assignment]
        rl_zoo3.hyperparams_opt.HYPERPARAMS_CONVERTER[name] = algorithm.converter  # type: ignore[assignment]
    rl_zoo3.train.ExperimentManager = WaypointExperimentManager  # type: ignore[misc]
    rl_zoo3.enjoy.get_model_path = rl_zoo3.utils.get_model_path = get_model_path  # type: ignore[assignment]


def train(
    arguments: Sequence[str],
    policy_kwargs: Mapping[str, Any] | None = None,
    env_kwargs: Mapping[str, Any] | None = None,
    hyperparams: Mapping[str, Any] | None = None,
    selection: Mapping[str, Any] | None = None,
    max_episodes: int | None = None,
) -> WaypointExperimentManager:
    """
    Run ``rl_zoo3 train`` with this package's defaults.

    :param arguments: command-line arguments of ``rl_zoo3 train``
    :param policy_kwargs: policy arguments that override those of the yaml
    :param env_kwargs: env arguments that override those of the yaml and of ``arguments``
    :param hyperparams: arguments of the algorithm that override those of the yaml and of ``arguments``
    :param selection: ``metric`` and ``where`` by which the best model is chosen, see :class:`WaypointEvalCallback`
    :param max_episodes: number of episodes, over all envs, after which training ends; None for no limit
    :return: the experiment manager, with the run folder and whether training was interrupted
    :raises ValueError: if an argument is invalid
    """
    register()
    managers: list[WaypointExperimentManager] = []

    def make_manager(*args: Any, **keywords: Any) -> WaypointExperimentManager:
        manager = WaypointExperimentManager(
            *args,
            extra_policy_kwargs=policy_kwargs,
            extra_env_kwargs=env_kwargs,
            extra_hyperparams=hyperparams,
            selection=selection,
            max_episodes=max_episodes,
            **keywords,
        )
        managers.append(manager)
        return manager

    # the script builds its manager itself and does not return it
    with replaced(rl_zoo3.train, ExperimentManager=make_manager):
        try:
            _run("train", arguments)
        finally:
            if managers:
                managers[0].remove_unused_folder()
    return managers[0]


def run_script(name: str, arguments: Sequence[str], show_planner: bool = True) -> None:
    """
    Run a script of rl_zoo3 with this package's defaults.

    :param name: ``enjoy``, ``record_video``, ``plot_train`` or ``all_plots``
    :param arguments: command-line arguments of the script
    :param show_planner: whether ``enjoy`` and ``record_video`` also draw the plan of a refined model's planner
    :raises ValueError: if an argument is invalid
    """
    register()
    if name in ("enjoy", "record_video"):
        with watching(show_planner):
            _run(name, arguments)
    else:
        _run(name, arguments)


def _run(name: str, arguments: Sequence[str]) -> None:
    # if an option is repeated, the last one is used
    arguments = [*defaults(name), *arguments]
    _check(arguments)
    arguments = _import_env(arguments)
    # rl_zoo3's parsers read only sys.argv
    with replaced(sys, argv=[f"sb3-delta-waypoint {name}", *arguments]):
        try:
            _script(name)()
        except AssertionError as error:  # rl_zoo3 checks paths that way
            raise ValueError(str(error)) if str(error) else error from error
        except SystemExit as error:
            if not error.code:
                raise
            raise ValueError(f"rl_zoo3's {name} refuses the arguments {' '.join(arguments)}") from error


def _check(arguments: Sequence[str]) -> None:
    """Refuse in one line arguments that rl_zoo3 would refuse with its whole usage text, or late."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--algo")
    given = parser.parse_known_args(arguments)[0]
    find_device(given.device)
    if given.algo is not None:
        check_algorithm(given.algo)


def _import_env(arguments: list[str]) -> list[str]:
    """``--env module:Id`` as rl_zoo3 takes it: the module is imported, which registers the env, and the id is left."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--env")
    given, others = parser.parse_known_args(arguments)
    if given.env is None or ":" not in given.env:
        return arguments
    return ["--env", env_spec(given.env).id, *others]


def _script(name: str) -> Callable[[], object]:
    if name == "record_video":  # it is a main program without a function
        return partial(runpy.run_module, "rl_zoo3.record_video", run_name="__main__")
    module = importlib.import_module("rl_zoo3.plots" if "plot" in name else f"rl_zoo3.{name}")
    script = getattr(module, name)
    assert callable(script)
    return script


def get_model_path(
    exp_id: int,
    folder: str,
    algo: str,
    env_name: EnvironmentName,
    load_best: bool = False,
    load_checkpoint: int | None = None,
    load_last_checkpoint: bool = False,
) -> tuple[str, str, str]:
    """Return the path of a model, like rl_zoo3's ``get_model_path``, but find checkpoints in a run's ``checkpoints``, too."""
    if load_best or (load_checkpoint is None and not load_last_checkpoint):
        return _zoo_model_path(exp_id, folder, algo, env_name, load_best)
    run = exp_id or rl_zoo3.utils.get_latest_run_id(str(Path(folder, algo)), env_name)
    log_path = Path(folder, algo, f"{env_name}_{run}" if run > 0 else "")
    paths = [*log_path.glob("rl_model_*_steps.zip"), *log_path.glob(f"{CHECKPOINTS}/rl_model_*_steps.zip")]
    checkpoints = {int(path.stem.split("_")[-2]): path for path in paths}
    steps = load_checkpoint if load_checkpoint is not None else max(checkpoints, default=0)
    if steps not in checkpoints:
        known = ", ".join(map(str, sorted(checkpoints))) or "none"
        raise ValueError(f"no checkpoint after {steps} steps in {log_path}; there are: {known}")
    return f"checkpoint-{steps}-{ModelName(algo, env_name)}", str(checkpoints[steps]), str(log_path)


_zoo_model_path = rl_zoo3.utils.get_model_path
