"""rl_zoo3's experiment manager with this package's envs, evaluation and run folder."""

import argparse
import io
import shutil
import warnings
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout, suppress
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any

import gymnasium as gym
from rl_zoo3.callbacks import SaveVecNormalizeCallback
from rl_zoo3.exp_manager import ExperimentManager
from rl_zoo3.utils import ALGOS, get_latest_run_id
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import CheckpointCallback
from stable_baselines3.common.vec_env import SubprocVecEnv, VecEnv

from sb3_delta_waypoint.callbacks.bounded_schedules import BoundedSchedulesCallback
from sb3_delta_waypoint.callbacks.critic_warmup import CriticWarmupCallback
from sb3_delta_waypoint.callbacks.evaluation import WaypointEvalCallback
from sb3_delta_waypoint.callbacks.max_episodes import StopAfterEpisodes
from sb3_delta_waypoint.callbacks.run_artifacts import RunArtifactsCallback
from sb3_delta_waypoint.grpo import GRPO, ScenarioGroups
from sb3_delta_waypoint.policies.inference import WaypointPolicy
from sb3_delta_waypoint.policies.observed import observe_for
from sb3_delta_waypoint.sft.checkpoint import load_planner
from sb3_delta_waypoint.vec_env import WholeEpisodeMonitor, has_native_vec_env, make_waypoint_vec_env
from sb3_delta_waypoint.vec_env.normalization import refuse_normalized_observations
from sb3_delta_waypoint.zoo.algorithms import ALGORITHMS
from sb3_delta_waypoint.zoo.arguments import check_arguments, check_config, check_hyperparameters, in_one_line
from sb3_delta_waypoint.zoo.hyperparameters import as_policy_kwargs, default_config
from sb3_delta_waypoint.zoo.interrupts import StopOnInterrupt
from sb3_delta_waypoint.zoo.saving import atomic_saves

TRAINING_ONLY = ("start", "max_episode_steps")
"""Env arguments of a yaml that make training easier or harder, and are ignored by evaluations and ``enjoy``."""
MIXTURE = ("hard_scenarios", "hard_share")
"""Env arguments that only training envs get, wherever they are given: evaluations play the scenarios of their own seed."""

CHECKPOINTS = "checkpoints"
"""Subfolder of the run folder for the models that ``--save-freq`` requests."""


BOUNDED_SCHEDULES = f"{BoundedSchedulesCallback.__module__}.{BoundedSchedulesCallback.__name__}"
"""Class path of the policy, in rl_zoo3's format."""


class WaypointExperimentManager(ExperimentManager):
    """
    rl_zoo3's experiment manager, adapted to the envs of this package: the native vector env, ``WaypointEvalCallback``, the run
    folder, and hyperparameters from this package's yaml if none is given. All other envs are treated as in rl_zoo3.

    For all envs, settings are checked before anything is written, models are saved atomically, and Ctrl-C ends training after
    the current step and saves the model.

    :param args: the command line as parsed by rl_zoo3
    :param positional: further arguments of rl_zoo3's manager
    :param extra_policy_kwargs: policy arguments that override those of the yaml
    :param extra_env_kwargs: env arguments that override those of the yaml and the command line
    :param extra_hyperparams: arguments of the algorithm that override those of the yaml and the command line
    :param selection: ``metric`` and ``where`` of :class:`WaypointEvalCallback`, by which the best model is chosen
    :param max_episodes: number of episodes, over all envs, after which training ends; None for no limit
    :param keywords: keyword arguments of rl_zoo3's manager
    :raises ValueError: naming the invalid option
    """

    def __init__(
        self,
        args: argparse.Namespace,
        *positional: Any,
        extra_policy_kwargs: Mapping[str, Any] | None = None,
        extra_env_kwargs: Mapping[str, Any] | None = None,
        extra_hyperparams: Mapping[str, Any] | None = None,
        selection: Mapping[str, Any] | None = None,
        max_episodes: int | None = None,
        **keywords: Any,
    ) -> None:
        check_arguments(args)
        super().__init__(args, *positional, **keywords)
        self.extra_policy_kwargs = dict(extra_policy_kwargs or {})
        self.extra_env_kwargs = dict(extra_env_kwargs or {})
        self.extra_hyperparams = dict(extra_hyperparams or {})
        self.selection = dict(selection or {})
        self.max_episodes = max_episodes
        self.plays_groups = self.algo == "grpo"
        self.is_waypoint_env = str(gym.spec(self.env_name.gym_id).entry_point).startswith("sb3_delta_waypoint.")
        self.is_vectorised = has_native_vec_env(self.env_name.gym_id)
        self.interrupted = False
        self.model: BaseAlgorithm | None = None
        """The model that is trained; set when training starts."""
        self.was_saved = False
        self._made_folders: list[Path] = []
        if self.is_waypoint_env and self.algo not in ALGORITHMS:
            raise ValueError(
                f"--algo {self.algo} does not refine planners: {self.env_name.gym_id} takes {', '.join(ALGORITHMS)}"
            )
        if self.selection and (self.optimize_hyperparameters or not self.is_waypoint_env):
            raise ValueError(
                "--metric and --where choose the best model of a run on a waypoint env; other envs and -optimize go by reward"
            )
        if max_episodes is not None and self.optimize_hyperparameters:
            raise ValueError("--max-episodes ends a run; the trials of -optimize all have as many steps as -n says")
        if "group_size" in self.extra_hyperparams and not self.plays_groups:
            raise ValueError(f"--group-size is an option of --algo grpo; {self.algo} does not compare episodes in groups")
        if self.continue_training and self.extra_policy_kwargs:
            raise ValueError(
                f"{', '.join(self.extra_policy_kwargs)} describe a new policy, but {self.trained_agent} carries its own: "
                "give either these or -i"
            )
        self._config_is_given = keywords.get("config") is not None
        if not self._config_is_given:
            self.config = default_config(self.algo, self.env_name.gym_id) or self.config

    def create_log_folder(self) -> None:
        # if two runs start at the same time, one of them takes the next number
        folder = Path(self.save_path)
        self._made_folders = [parent for parent in (Path(self.log_folder), Path(self.log_path)) if not parent.exists()]
        folder.parent.mkdir(parents=True, exist_ok=True)
        while True:
            try:
                folder.mkdir()
                break
            except FileExistsError:
                folder = folder.with_name(f"{self.env_name}_{get_latest_run_id(self.log_path, self.env_name) + 1}")
        self._made_folders.append(folder)
        self.save_path, self.params_path = str(folder), str(folder / self.env_name)
        super().create_log_folder()

    def remove_unused_folder(self) -> None:
        """Remove the run folder if this run has neither trained a step nor saved a model, since ``enjoy`` would pick it."""
        if self.was_saved or (self.model is not None and self.model.num_timesteps > 0):
            return
        for folder in reversed(self._made_folders):
            if folder == Path(self.save_path):
                shutil.rmtree(folder, ignore_errors=True)
            else:
                with suppress(OSError):  # another run uses it
                    folder.rmdir()

    def setup_experiment(self) -> tuple[BaseAlgorithm, dict[str, Any]] | None:
        settings = f"{self.config}, -params"
        with in_one_line(f"{self.algo} cannot be set up on {self.env_name.gym_id} with the settings of {settings}"):
            return super().setup_experiment()

    def hyperparameters_optimization(self) -> None:
        with in_one_line("the hyperparameters cannot be tuned"):
            super().hyperparameters_optimization()

    def read_hyperparameters(self) -> tuple[dict[str, Any], dict[str, Any]]:
        check_config(self.config, self.env_name.gym_id, self._is_atari, self._config_is_given)
        # rl_zoo3 would replace all of these by those of the command line, and not pass the yaml's env_kwargs to the eval env
        given_env_kwargs, self.env_kwargs = {**self.env_kwargs, **self.extra_env_kwargs}, {}
        with redirect_stdout(io.StringIO()):
            hyperparams, _ = super().read_hyperparameters()
        check_hyperparameters(ALGOS[self.algo], hyperparams, f"the hyperparameters of {self.algo} ({self.config}, -params)")
        with in_one_line(f"policy_kwargs ({self.config}, -params)"):
            policy_kwargs = {**as_policy_kwargs(hyperparams.get("policy_kwargs")), **self.extra_policy_kwargs}
        shipped = {**self._observed(policy_kwargs), **dict(hyperparams.get("env_kwargs") or {})}
        env_kwargs = {**shipped, **given_env_kwargs}
        merged = {"policy_kwargs": policy_kwargs, "env_kwargs": env_kwargs}
        given = {name: value for name, value in merged.items() if value}
        self.custom_hyperparams = {**(self.custom_hyperparams or {}), **self.extra_hyperparams, **given}
        self.env_kwargs = env_kwargs
        result = super().read_hyperparameters()
        if self._eval_env_kwargs_args is None:
            exam = {name: value for name, value in shipped.items() if name not in TRAINING_ONLY} | given_env_kwargs
            self.eval_env_kwargs = {name: value for name, value in exam.items() if name not in MIXTURE}
        # enjoy builds its env with these
        self.args.env_kwargs = self.eval_env_kwargs or None
        return result

    def _observed(self, policy_kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the env argument ``observe`` for the planner, or for the model whose training is continued."""
        if not self.is_waypoint_env:
            return {}
        try:
            if self.continue_training:
                return observe_for(self.env_name.gym_id, WaypointPolicy(self.trained_agent, "cpu"), exactly=True)
            planner = load_planner(policy_kwargs.get("sft"), kwargs=policy_kwargs.get("sft_kwargs"))
            return observe_for(self.env_name.gym_id, WaypointPolicy(planner, "cpu"))
        except (ImportError, OSError, TypeError, ValueError):
            return {}  # the error is raised when the policy is built

    def _preprocess_hyperparams(self, hyperparams: dict[str, Any]) -> Any:
        self.group_size = 1
        if self.plays_groups:
            self.group_size = hyperparams.get("group_size", signature(GRPO).parameters["group_size"].default)
        callback = hyperparams.get("callback") or []
        # also if the yaml does not name it; a second one has no further effect
        hyperparams["callback"] = [*(callback if isinstance(callback, list) else [callback]), BOUNDED_SCHEDULES]
        with in_one_line(f"{self.config}, -params", ImportError):
            return super()._preprocess_hyperparams(hyperparams)

    def create_envs(self, n_envs: int, eval_env: bool = False, no_log: bool = False) -> VecEnv:
        env_wrapper = self.env_wrapper
        if self.plays_groups and not eval_env and self.vec_env_class is SubprocVecEnv:
            # it resets its envs in worker processes, where GRPO cannot seed them
            self.env_wrapper = partial(_in_groups, env_wrapper)
        env_kwargs = self.eval_env_kwargs if eval_env else self.env_kwargs
        try:
            with in_one_line(f"{self.env_name.gym_id} cannot be made with {env_kwargs}"):
                return self._create_envs(n_envs, eval_env, no_log)
        finally:
            self.env_wrapper = env_wrapper

    def _create_envs(self, n_envs: int, eval_env: bool, no_log: bool) -> VecEnv:
        # --vec-env subproc, or a wrapper for single envs, needs single envs
        native = self.is_vectorised and self.env_wrapper is None and self.vec_env_class is not SubprocVecEnv
        if native:
            log_folder = None if eval_env or no_log else self.save_path
            env_kwargs = self.eval_env_kwargs if eval_env else self.env_kwargs
            group_size = 1 if eval_env else self.group_size
            make_env = partial(self._make_native_env, env_kwargs, group_size, log_folder)
            self.vec_env_class = make_env  # type: ignore[assignment]
        return super().create_envs(n_envs, eval_env, no_log)

    def _make_native_env(
        self,
        env_kwargs: Mapping[str, Any],
        group_size: int,
        log_folder: str | None,
        env_fns: list[Any],
        **vec_env_kwargs: Any,
    ) -> VecEnv:
        """Make the native env in place of ``DummyVecEnv``; only the number of functions that make one env each is used."""
        venv = make_waypoint_vec_env(self.env_name.gym_id, len(env_fns), self.seed, group_size, **env_kwargs)
        with warnings.catch_warnings():
            # the env reports episodes itself; the wrapper writes monitor.csv, which rl_zoo3 plots
            warnings.filterwarnings("ignore", "The environment is already wrapped with a `Monitor`")
            return WholeEpisodeMonitor(venv, filename=log_folder, **self.monitor_kwargs)

    def _maybe_normalize(self, env: VecEnv, eval_env: bool) -> VecEnv:
        env = super()._maybe_normalize(env, eval_env)
        if self.is_waypoint_env:
            try:
                refuse_normalized_observations(env)
            except ValueError as error:
                raise ValueError(f'{error}. In the yaml: normalize: "dict(norm_obs=False, norm_reward=True)"') from None
        return env

    def _load_pretrained_agent(self, hyperparams: dict[str, Any], env: VecEnv) -> BaseAlgorithm:
        with in_one_line(f"-i {self.trained_agent} cannot go on as {self.algo} on {self.env_name.gym_id}", ValueError):
            return super()._load_pretrained_agent(hyperparams, env)

    def create_callbacks(self) -> None:
        if self.max_episodes is not None:
            self.callbacks.append(StopAfterEpisodes(self.max_episodes))
        if not self.is_waypoint_env or self.optimize_hyperparameters:
            super().create_callbacks()
            return
        eval_freq, save_freq = self.eval_freq, self.save_freq
        self.eval_freq = self.save_freq = -1
        super().create_callbacks()
        if save_freq > 0:
            folder = str(Path(self.save_path) / CHECKPOINTS)
            self.callbacks.append(CheckpointCallback(max(save_freq // self.n_envs, 1), folder))
        evaluation = None
        if eval_freq > 0:
            evaluation = WaypointEvalCallback(
                self.create_envs(min(self.n_eval_envs, self.n_eval_episodes) if self.is_vectorised else 1, eval_env=True),
                callback_on_new_best=SaveVecNormalizeCallback(save_freq=1, save_path=self.params_path),
                best_model_save_path=self.save_path,
                n_eval_episodes=self.n_eval_episodes,
                log_path=self.save_path,
                eval_freq=max(eval_freq // self.n_envs, 1),
                deterministic=self.deterministic_eval,
                verbose=self.verbose,
                **self.selection,
            )
            self.callbacks.append(evaluation)
        config = {"env": self.env_name.gym_id, "env_kwargs": self.env_kwargs, "arguments": vars(self.args)}
        self.callbacks.append(RunArtifactsCallback(self.save_path, evaluation, config, algorithm=self.algo))

    def learn(self, model: BaseAlgorithm) -> None:
        self.model = model
        for callback in self.callbacks:
            if isinstance(callback, CriticWarmupCallback):
                # the critic of a model whose training is continued (-i) has learnt already
                callback.warmup_steps = max(0, callback.warmup_steps - model.num_timesteps)
        # rl_zoo3 always starts from 0; any other number means that a step was trained
        model.num_timesteps = 0
        with StopOnInterrupt(at_once=self.vec_env_class is SubprocVecEnv) as stop, atomic_saves():
            self.callbacks.append(stop)
            try:
                super().learn(model)
            except Exception as error:
                if isinstance(error, OSError) and error.errno is not None and error.filename is None:
                    error.add_note(f"while training into {self.save_path}")  # a full disk
                if model.num_timesteps > 0:
                    self._save_after(error, model)
                raise
        self.interrupted = stop.requested

    def _save_after(self, error: Exception, model: BaseAlgorithm) -> None:
        # an error such as GRPO's refusal of an env has not changed the model
        try:
            self.save_trained_model(model)
            error.add_note(f"the model so far is {self.params_path}.zip")
        except OSError as second:
            error.add_note(f"nor could the model be saved: {second}")

    def save_trained_model(self, model: BaseAlgorithm) -> None:
        with StopOnInterrupt() as stop, atomic_saves():
            super().save_trained_model(model)
        self.was_saved = True
        self.interrupted |= stop.requested


def _in_groups(env_wrapper: Callable[[gym.Env], gym.Env] | None, env: gym.Env) -> gym.Env:
    return ScenarioGroups(env if env_wrapper is None else env_wrapper(env))
