"""Driving a policy through a fixed list of scenarios, each exactly once."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv
from tqdm import tqdm

from sb3_delta_waypoint.contract import FAULT
from sb3_delta_waypoint.driving.metrics import as_rates
from sb3_delta_waypoint.envs.checker import kind_faults
from sb3_delta_waypoint.evaluation.seeds import REPORT_SEED
from sb3_delta_waypoint.policies.extractor import check_same_plans
from sb3_delta_waypoint.vec_env import NativeVecEnv, has_native_vec_env, make_waypoint_vec_env
from sb3_delta_waypoint.vec_env.normalization import refuse_normalized_observations

BatchPolicy = Callable[[dict[str, np.ndarray]], np.ndarray]
"""A function from a batch of observations to plans, (n, H, 2) metres, ego frame."""


@dataclass
class Scenarios:
    """
    A fixed list of scenarios and the env that plays them.

    :param n: number of scenarios
    :param seed: base seed of the scenarios
    :param n_envs: maximum number of envs if there is a native vector env; otherwise there is one env
    :param env_id: id of a registered waypoint env, or ``module:Id``
    :param env_kwargs: arguments of the env
    :param numbers: numbers of the scenarios to play, whose count is ``n`` then; None for 0 … ``n - 1``
    """

    n: int = 1000
    seed: int = REPORT_SEED
    n_envs: int = 256
    env_id: str = "ToyWaypoint-v0"
    env_kwargs: Mapping[str, Any] = field(default_factory=dict)
    numbers: Sequence[int] | None = None
    backend: str | None = field(default=None, init=False)
    """The server of the last evaluation: ``"loopback"`` or ``"carla"``; None for envs without a server."""

    def __post_init__(self) -> None:
        if self.numbers is not None:
            self.n = len(self.numbers)

    def evaluate(self, policy: BatchPolicy, progress: bool = False) -> dict[str, np.ndarray]:
        """
        Drive a policy through all scenarios.

        :param policy: a function from a batch of observations to plans, (n, H, 2) metres, ego frame
        :param progress: whether to show a progress bar
        :return: metrics, see :func:`evaluate_scenarios`
        :raises ValueError: if the env does not accept its arguments, or for the reasons of :func:`evaluate_scenarios`
        """
        with self._made() as venv:
            return evaluate_scenarios(policy, venv, self.n, self.seed, progress, self.numbers)

    def evaluate_expert(self, progress: bool = False) -> dict[str, np.ndarray]:
        """
        Drive the env's expert through all scenarios.

        :param progress: whether to show a progress bar
        :return: metrics, see :func:`evaluate_scenarios`; and, if the env says it, ``time_limit`` [s], which depends on the
            scenario only
        :raises ValueError: if the env has no expert, and as :meth:`evaluate`
        """
        with self._made() as venv:

            def expert(observations: dict[str, np.ndarray]) -> np.ndarray:
                return np.stack(venv.env_method("expert_plan"))

            try:
                return evaluate_scenarios(expert, venv, self.n, self.seed, progress, self.numbers, with_limits=True)
            except AttributeError as error:
                raise ValueError(f"{self.env_id} has no expert to ask for a plan: {error}") from error

    @contextmanager
    def _made(self) -> Iterator[VecEnv]:
        n_envs = min(self.n, self.n_envs) if has_native_vec_env(self.env_id) else 1
        try:
            venv = make_waypoint_vec_env(self.env_id, n_envs, **self.env_kwargs)
        except TypeError as error:
            raise ValueError(f"{self.env_id} cannot be made with {dict(self.env_kwargs)}: {error}") from error
        try:
            if faults := kind_faults(venv.observation_space, venv.action_space):
                raise ValueError(f"{self.env_id} is no waypoint env: {', and '.join(faults)}")
            self.backend = venv.get_attr("backend")[0] if venv.has_attr("backend") else None
            yield venv
        finally:
            venv.close()


def evaluate_scenarios(
    policy: BatchPolicy,
    venv: VecEnv,
    n_scenarios: int,
    seed: int = REPORT_SEED,
    progress: bool = False,
    numbers: Sequence[int] | None = None,
    with_limits: bool = False,
) -> dict[str, np.ndarray]:
    """
    Drive a policy through scenarios 0 … ``n_scenarios - 1`` of a base seed, or those of a list, each exactly once. Env ``i``
    of ``n`` plays scenarios ``i, i + n, i + 2n, …``, and further episodes are not counted. So short episodes are not
    favoured, and all policies drive the same scenarios. A list is played in batches of as many scenarios as there are envs.

    The native vector env numbers the scenarios of all its envs together. SB3 seeds the scalar envs of a ``DummyVecEnv`` or
    ``SubprocVecEnv`` separately, and each numbers its own scenarios: row ``k * n + i`` is the k-th scenario of seed
    ``seed + i``, so the set of scenarios depends on the number of envs.

    An episode that a fault aborted (``info["fault"]``) does not count; its env plays the scenario again.

    :param policy: a function from a batch of observations to plans, (n, H, 2) metres, ego frame
    :param venv: envs whose last info of an episode has ``scenario`` and ``episode_metrics``; left in mid-episode
    :param n_scenarios: number of scenarios
    :param seed: base seed of the scenarios
    :param progress: whether to show a progress bar if the output is a terminal
    :param numbers: numbers of the scenarios, ``n_scenarios`` of them; None for 0 … ``n_scenarios - 1``
    :param with_limits: whether to add ``time_limit`` [s], the time limits of the episodes, if the envs have that attribute
    :return: one array per metric, (n_scenarios,), in the order of the scenarios; the success rate is the mean of
        ``success_rate``
    :raises ValueError: if the envs normalise observations, report no metrics, play a scenario more than once, or expect other
        plans than those of a :class:`~.WaypointPolicy`; for a list, if there are several scalar envs
    """
    if n_scenarios < 1:
        raise ValueError(f"n_scenarios must be at least 1, got {n_scenarios}")
    refuse_normalized_observations(venv)
    refuse_other_plans(policy, venv.action_space)
    with_limits = with_limits and venv.has_attr("time_limit")
    rows: list[dict[str, float]] = [{}] * n_scenarios
    play = _play_in_order(policy, venv, n_scenarios, seed, with_limits)
    if numbers is not None:
        play = _play_numbers(policy, venv, numbers, seed, with_limits)
    with tqdm(total=n_scenarios, unit="scenario", leave=False, disable=None if progress else True) as bar:
        for row, metrics in play:
            rows[row] = metrics
            bar.update()
    return as_rates({name: np.array([metrics[name] for metrics in rows], dtype=np.float64) for name in rows[0]})


def _play_in_order(
    policy: BatchPolicy, venv: VecEnv, n_scenarios: int, seed: int, with_limits: bool
) -> Iterator[tuple[int, dict[str, float]]]:
    """Play scenarios 0 … ``n_scenarios - 1``; yield row and metrics of each."""
    n_envs = venv.num_envs
    played = np.zeros(n_envs, dtype=np.int64)
    targets = np.array([len(range(index, n_scenarios, n_envs)) for index in range(n_envs)])
    one_numbering = isinstance(venv.unwrapped, NativeVecEnv)
    venv.seed(seed)
    for index, info, told in _finished(policy, venv, with_limits):
        if played[index] < targets[index] and FAULT not in info:
            row = int(played[index] * n_envs + index)
            yield row, _metrics(info, told, index, row if one_numbering else int(played[index]))
            played[index] += 1
            if (played == targets).all():
                return


def _play_numbers(
    policy: BatchPolicy, venv: VecEnv, numbers: Sequence[int], seed: int, with_limits: bool
) -> Iterator[tuple[int, dict[str, float]]]:
    """Play the scenarios of a list; yield row and metrics of each."""
    n_envs = venv.num_envs
    native = isinstance(venv.unwrapped, NativeVecEnv)
    if n_envs > 1 and not native:
        raise ValueError(f"a list of scenarios is played in one scalar env, not in {n_envs}, which number their own")
    pending = list(enumerate(numbers))
    while pending:
        batch, pending = pending[:n_envs], pending[n_envs:]
        chosen = [number for _, number in batch]
        venv.seed(seed)
        # envs without a scenario of their own play one that does not count
        filled = chosen + chosen[:1] * (n_envs - len(chosen))
        venv.set_options({"scenarios": filled} if native else {"scenario": chosen[0]})
        waiting = dict(enumerate(batch))
        for index, info, told in _finished(policy, venv, with_limits):
            if index in waiting:
                row, number = waiting.pop(index)
                if FAULT in info:
                    pending.append((row, number))
                else:
                    yield row, _metrics(info, told, index, number)
                if not waiting:
                    break


def _finished(policy: BatchPolicy, venv: VecEnv, with_limits: bool) -> Iterator[tuple[int, dict[str, Any], dict[str, float]]]:
    """Drive on and on; yield env, info, and what the env need not tell by itself, of each episode that ends."""
    native = isinstance(venv.unwrapped, NativeVecEnv)
    lengths, returns = np.zeros(venv.num_envs, dtype=np.int64), np.zeros(venv.num_envs)
    observations = venv.reset()
    while True:
        limits = venv.get_attr("time_limit") if with_limits else []
        observations, rewards, dones, infos = venv.step(policy(observations))  # type: ignore[arg-type]
        returns += rewards
        lengths += 1
        for index in np.flatnonzero(dones).tolist():
            told = {"episode_reward": float(returns[index]), "episode_length": float(lengths[index])}
            if with_limits:
                told["time_limit"] = float(limits[0][index] if native else limits[index])
            yield index, infos[index], told
        returns[dones], lengths[dones] = 0.0, 0


def _metrics(info: dict[str, Any], told: dict[str, float], index: int, expected: int) -> dict[str, float]:
    """Return the metrics of an episode of env ``index`` that should have played scenario ``expected``."""
    scenario, metrics = _end_of_episode(info, index)
    if scenario != expected:
        raise ValueError(
            f"env {index} played scenario {scenario} where {expected} was due: evaluation needs every scenario "
            "once; build the evaluation env with group_size=1"
        )
    if "is_success" in info:
        told = {**told, "success": float(info["is_success"])}
    # reward, length and success are added if the env does not report them as metrics
    return {**metrics, **{name: value for name, value in told.items() if name not in metrics}}


def refuse_other_plans(policy: object, action_space: spaces.Space) -> None:
    """
    Check that policy and envs agree on the number of waypoints in a plan and the time between them.

    :param policy: a :class:`~.WaypointPolicy`, a model's policy, …; a policy without ``horizon_steps`` is not checked
    :param action_space: action space of the envs
    :raises ValueError: if ``horizon_steps`` or ``plan_dt`` differ
    """
    # in models of older versions the action space has no plan_dt, but the planner does
    planner = getattr(getattr(policy, "features_extractor", None), "planner", policy)
    if hasattr(planner, "horizon_steps") and isinstance(action_space, spaces.Box):
        check_same_plans(planner, action_space.shape[0], getattr(action_space, "plan_dt", None))


def _end_of_episode(info: dict[str, Any], index: int) -> tuple[int, dict[str, float]]:
    """Return the scenario that ended and its metrics, from the info of env ``index``."""
    missing = [key for key in ("scenario", "episode_metrics") if key not in info]
    if missing:
        raise ValueError(
            f"env {index} ended an episode without {' and '.join(missing)} in its info: evaluation needs a waypoint env such "
            "as ToyWaypoint-v0, or one that reports these at the end of each episode"
        )
    return int(info["scenario"]), info["episode_metrics"]
