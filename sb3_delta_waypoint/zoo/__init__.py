"""
rl_zoo3 as a front end: its own scripts, with this package's envs, hyperparameters, evaluation and run folder.

rl_zoo3 freezes its ``--algo`` choices before it imports ``--gym-packages``, so ``rl_zoo3 train`` cannot be extended from
outside. :func:`register` inserts into its tables in place; :func:`train` and :func:`run_script` then run its own scripts.
"""

import argparse
import importlib
import io
import runpy
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout, suppress
from functools import partial
from pathlib import Path
from typing import Any, NoReturn
from unittest.mock import patch

import rl_zoo3.enjoy
import rl_zoo3.hyperparams_opt
import rl_zoo3.train
import rl_zoo3.utils
from huggingface_sb3 import EnvironmentName, ModelName
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecEnv

from sb3_delta_waypoint.evaluation.rollout import refuse_other_plans
from sb3_delta_waypoint.zoo.algorithms import ALGORITHMS
from sb3_delta_waypoint.zoo.arguments import KeysAndValues, check_device
from sb3_delta_waypoint.zoo.manager import CHECKPOINTS, WaypointExperimentManager

TRAIN_DEFAULTS = {"--env": "ToyWaypoint-v0", "--eval-episodes": "256", "--n-eval-envs": "64", "--save-freq": "50000"}
"""Where the defaults of :func:`train` differ from rl_zoo3's, which evaluates on 5 episodes and keeps no checkpoints."""


def register() -> None:
    """Make rl_zoo3 know this package: its algorithms, its experiment manager, its run folder. May be called again."""
    for name, (algorithm, sampler, converter) in ALGORITHMS.items():
        rl_zoo3.utils.ALGOS[name] = algorithm
        rl_zoo3.hyperparams_opt.HYPERPARAMS_SAMPLER[name] = sampler  # type: ignore[assignment]
        rl_zoo3.hyperparams_opt.HYPERPARAMS_CONVERTER[name] = converter  # type: ignore[assignment]
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
    ``rl_zoo3 train`` with this package's defaults.

    :param arguments: command-line arguments of ``rl_zoo3 train``
    :param policy_kwargs: policy arguments on top of those in the yaml
    :param env_kwargs: env arguments on top of those in the yaml and in ``arguments``
    :param hyperparams: arguments of the algorithm on top of those in the yaml and in ``arguments``
    :param selection: ``metric`` and ``where`` by which the best model is chosen, see :class:`WaypointEvalCallback`
    :param max_episodes: number of episodes, over all envs, after which training ends; None for no bound
    :return: the experiment manager, which knows the run folder and whether training was interrupted
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

    # of two equal options the last counts, so ours are defaults
    defaults = [item for pair in TRAIN_DEFAULTS.items() for item in pair]
    with patch.object(rl_zoo3.train, "ExperimentManager", make_manager):
        try:
            _run("train", [*defaults, *arguments])
        finally:
            if managers:
                managers[0].remove_unused_folder()
    return managers[0]


def run_script(name: str, arguments: Sequence[str]) -> None:
    """
    Run a script of rl_zoo3 in this process, with this package registered.

    :param name: ``train``, ``enjoy``, ``record_video``, ``plot_train``, ``all_plots``
    :param arguments: its command-line arguments
    :raises ValueError: if the script refuses an argument
    """
    register()
    with _checked_action_spaces() if name == "enjoy" else nullcontext():
        _run(name, arguments)


@contextmanager
def _checked_action_spaces() -> Iterator[None]:
    """rl_zoo3's ``enjoy`` loads a model without its env, so that nobody else compares what they mean by an action."""
    made: list[VecEnv] = []
    make_env, load = rl_zoo3.enjoy.create_test_env, vars(BaseAlgorithm)["load"].__func__

    def make_and_remember(*args: Any, **keywords: Any) -> VecEnv:
        made.append(make_env(*args, **keywords))
        return made[-1]

    def load_and_check(algorithm: type[BaseAlgorithm], *args: Any, **keywords: Any) -> BaseAlgorithm:
        model: BaseAlgorithm = load(algorithm, *args, **keywords)
        if made and model.action_space != made[-1].action_space:
            raise ValueError(
                f"the model acts in {model.action_space} and the env in {made[-1].action_space}: give the --env-kwargs of the "
                "training, or none"
            )
        if made:
            refuse_other_plans(model.policy, made[-1].action_space)
        return model

    with (
        patch.object(rl_zoo3.enjoy, "create_test_env", make_and_remember),
        patch.object(BaseAlgorithm, "load", classmethod(load_and_check)),
    ):
        yield


def _run(name: str, arguments: Sequence[str]) -> None:
    def refuse(parser: argparse.ArgumentParser, message: str) -> NoReturn:
        if message.startswith("argument --algo:"):
            message += f"; envs of this package take {', '.join(ALGORITHMS)}"
        raise ValueError(f"{message} (see {parser.prog} --help)")

    # argparse would print all of rl_zoo3's usage and exit
    with (
        patch.object(sys, "argv", [f"sb3-delta-waypoint {name}", *arguments]),
        patch.object(argparse.ArgumentParser, "error", refuse),
        patch.object(rl_zoo3.train, "StoreDict", KeysAndValues),
        patch.object(rl_zoo3.enjoy, "StoreDict", KeysAndValues),
    ):
        check_device(arguments)
        try:
            _script(name)()
        except AssertionError as error:  # rl_zoo3 checks paths that way
            raise ValueError(str(error)) if str(error) else error from error


def script_options(name: str) -> str:
    """
    :param name: name of a script, see :func:`run_script`
    :return: its options as its ``--help`` explains them
    """
    with redirect_stdout(io.StringIO()) as text, suppress(SystemExit):
        run_script(name, ["--help"])
    options = text.getvalue().partition("options:\n")[2]
    return options.partition("\n")[2].rstrip()  # without the line of --help itself


def get_model_path(
    exp_id: int,
    folder: str,
    algo: str,
    env_name: EnvironmentName,
    load_best: bool = False,
    load_checkpoint: int | None = None,
    load_last_checkpoint: bool = False,
) -> tuple[str, str, str]:
    """rl_zoo3's ``get_model_path``, which also finds checkpoints in the folder ``checkpoints`` of a run."""
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


def _script(name: str) -> Callable[[], object]:
    if name == "record_video":  # exists as a main program only
        return partial(runpy.run_module, "rl_zoo3.record_video", run_name="__main__")
    module = importlib.import_module("rl_zoo3.plots" if "plot" in name else f"rl_zoo3.{name}")
    script = getattr(module, name)
    assert callable(script)
    return script
