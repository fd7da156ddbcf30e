"""Evaluation during training on a fixed set of scenarios, and selection of the best model by a metric under constraints."""

import io
import math
import warnings
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from stable_baselines3.common.callbacks import BaseCallback, EvalCallback
from stable_baselines3.common.vec_env import VecEnv, sync_envs_normalization, unwrap_vec_normalize

from sb3_delta_waypoint.driving.metrics import HEADLINE, displacement_names, metric_info
from sb3_delta_waypoint.evaluation.rollout import evaluate_scenarios, refuse_other_plans
from sb3_delta_waypoint.evaluation.seeds import SELECTION_SEED
from sb3_delta_waypoint.evaluation.selection import (
    Where,
    check_criterion,
    default_metric,
    describe_where,
    is_better,
    satisfies,
)
from sb3_delta_waypoint.evaluation.statistics import means
from sb3_delta_waypoint.files import write_atomically
from sb3_delta_waypoint.vec_env.normalization import refuse_normalized_observations


class WaypointEvalCallback(EvalCallback):
    """
    ``EvalCallback`` for waypoint envs. Every evaluation drives the same scenarios, each exactly once. Every metric goes to the
    logger (``eval/ade``, …) and, with what ``EvalCallback`` writes, to ``evaluations.npz``. ``best_model.zip`` is the best
    model by a chosen metric among the evaluations that meet the constraints. Ties are broken by route completion, then by
    lateral deviation, then in favour of the earliest (:func:`~sb3_delta_waypoint.evaluation.selection.is_better`).

    Results on the scenarios that select the model are biased in its favour: report results on others (another seed).

    :param eval_env: env(s) for evaluation, other than the training envs; with the native vector env the scenarios do not
        depend on its number of envs
    :param callback_on_new_best: called when there is a new best model
    :param callback_after_eval: called after every evaluation
    :param n_eval_episodes: number of scenarios
    :param eval_freq: number of calls of the callback between evaluations; no evaluations if not positive
    :param log_path: folder for ``evaluations.npz``
    :param best_model_save_path: folder for ``best_model.zip``
    :param deterministic: whether the policy acts without noise
    :param render: whether to render the env at every step
    :param verbose: 0: silent, 1: a line for each evaluation
    :param warn: accepted as in ``EvalCallback``, without effect: the metrics come from the env, so no Monitor is needed
    :param metric: the metric by which the best model is chosen; None for ``closed_loop_score`` in envs with a panel of
        behaviours (an attribute ``behaviours``), ``success_rate`` in others
    :param where: constraints that the best model must meet, such as ``{"success_rate": (">=", 0.9)}``
    :param seed: base seed of the scenarios
    :param evaluate_at_start: also evaluate before training, so that the curve starts at the planner
    :raises ValueError: if the metric is unknown or a constraint is malformed; when training starts, if the evaluation env
        expects other plans than the training env, or observations are normalised
    """

    def __init__(
        self,
        eval_env: gym.Env | VecEnv,
        callback_on_new_best: BaseCallback | None = None,
        callback_after_eval: BaseCallback | None = None,
        n_eval_episodes: int = 100,
        eval_freq: int = 10000,
        log_path: str | None = None,
        best_model_save_path: str | None = None,
        deterministic: bool = True,
        render: bool = False,
        verbose: int = 1,
        warn: bool = True,
        metric: str | None = None,
        where: Where | None = None,
        seed: int = SELECTION_SEED,
        evaluate_at_start: bool = True,
    ) -> None:
        super().__init__(
            eval_env,
            callback_on_new_best,
            callback_after_eval,
            n_eval_episodes,
            eval_freq,
            log_path,
            best_model_save_path,
            deterministic,
            render,
            verbose,
            warn,
        )
        self.metric = metric or default_metric(self.eval_env.has_attr("behaviours"))
        self.where = dict(where or {})
        check_criterion(self.metric, self.where)
        self.seed = seed
        self.evaluate_at_start = evaluate_at_start
        self.evaluations: list[dict[str, float]] = []
        """``timesteps`` and the mean of every metric, for each evaluation."""
        self.best: dict[str, float] | None = None
        """The evaluation of the best model, from :attr:`evaluations`; None until one meets the constraints."""
        self._per_episode: list[dict[str, np.ndarray]] = []
        self._continue_training = True

    def _init_callback(self) -> None:
        refuse_normalized_observations(self.training_env)
        refuse_normalized_observations(self.eval_env)
        for env in (self.training_env, self.eval_env):
            refuse_other_plans(self.model.policy, env.action_space)
        if self.model.action_space != self.eval_env.action_space:
            raise ValueError(
                f"the model acts in {self.model.action_space}, the evaluation env in {self.eval_env.action_space}: make it "
                "with the horizon_steps and plan_dt of the training env"
            )
        super()._init_callback()

    def _on_training_start(self) -> None:
        super()._on_training_start()
        self._continue_training = True
        # a continued run does not repeat its last evaluation
        evaluated = self.evaluations and self.evaluations[-1]["timesteps"] == self.num_timesteps
        if self.evaluate_at_start and self.eval_freq > 0 and not evaluated:
            self._continue_training = self._evaluate()

    def _on_step(self) -> bool:
        if self.eval_freq > 0 and self.n_calls % self.eval_freq == 0:
            self._continue_training = self._evaluate() and self._continue_training
        return self._continue_training

    def _on_training_end(self) -> None:
        if self.evaluations and self.best is None:
            warnings.warn(
                f"none of the {len(self.evaluations)} evaluations met {describe_where(self.where)}: there is no best model",
                stacklevel=2,
            )

    def _evaluate(self) -> bool:
        """Evaluate, log, and save the model if it is the best; return False to stop training."""
        if self.model.get_vec_normalize_env() is not None and unwrap_vec_normalize(self.eval_env) is not None:
            sync_envs_normalization(self.training_env, self.eval_env)
        metrics = evaluate_scenarios(self._act, self.eval_env, self.n_eval_episodes, self.seed)
        check_criterion(self.metric, self.where, metrics)
        mean = means(metrics)
        self.last_mean_reward = mean["episode_reward"]
        self.evaluations.append({"timesteps": self.num_timesteps, **mean})
        if self.log_path is not None:
            self._write_evaluations(metrics)
        self._log(mean)

        # the highest reward, whatever the criterion of the best model: SB3's and rl_zoo3's callbacks expect it here
        self.best_mean_reward = max(self.best_mean_reward, self.last_mean_reward)
        continue_training = True
        if satisfies(mean, self.where) and is_better(mean, self.best, self.metric):
            self.best = self.evaluations[-1]
            if self.best_model_save_path is not None:
                # saved to memory first, so that an interrupt leaves the previous best model intact
                buffer = io.BytesIO()
                self.model.save(buffer)
                write_atomically(Path(self.best_model_save_path) / "best_model.zip", buffer.getvalue())
            if self.verbose >= 1:
                print(f"New best model: {metric_info(self.metric).label} {mean[self.metric]:.3g}")
            if self.callback_on_new_best is not None:
                continue_training = self.callback_on_new_best.on_step()
        return continue_training and self._on_event()

    def _act(self, observations: dict[str, np.ndarray]) -> np.ndarray:
        if self.render:
            self.eval_env.render()
        return self.model.predict(observations, deterministic=self.deterministic)[0]

    def _write_evaluations(self, metrics: dict[str, np.ndarray]) -> None:
        self._per_episode.append(metrics)
        self.evaluations_timesteps.append(self.num_timesteps)
        self.evaluations_results.append(metrics["episode_reward"].tolist())
        self.evaluations_length.append(metrics["episode_length"].astype(int).tolist())
        self.evaluations_successes.append(metrics["success_rate"].astype(bool).tolist())
        columns: dict[str, Any] = {
            "timesteps": self.evaluations_timesteps,
            "results": self.evaluations_results,
            "ep_lengths": self.evaluations_length,
            "successes": self.evaluations_successes,
            **{name: np.array([evaluation[name] for evaluation in self._per_episode]) for name in metrics},
        }
        buffer = io.BytesIO()
        np.savez(buffer, **columns)
        write_atomically(f"{self.log_path}.npz", buffer.getvalue())

    def _log(self, mean: dict[str, float]) -> None:
        if self.verbose >= 1:
            told = [name for name in HEADLINE if not math.isnan(mean.get(name, math.nan))]
            values = ", ".join(f"{metric_info(name).label} {mean[name]:.3g}" for name in told)
            print(f"Eval num_timesteps={self.num_timesteps}, {self.n_eval_episodes} scenarios: {values}")
        self.logger.record("eval/mean_reward", mean["episode_reward"])
        self.logger.record("eval/mean_ep_length", mean["episode_length"])
        detail = {*displacement_names(mean), *(name for name in mean if name.startswith("reward_"))}
        for name, value in mean.items():
            # thirty more rows would be too many for the table in the terminal
            self.logger.record(f"eval/{name}", value, exclude=("stdout", "log") if name in detail else None)
        # dumped with the timestep of the evaluation
        self.logger.record("time/total_timesteps", self.num_timesteps, exclude="tensorboard")
        self.logger.dump(self.num_timesteps)
