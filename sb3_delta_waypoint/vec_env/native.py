"""A Gymnasium vector env as a Stable-Baselines3 ``VecEnv``, without a Python loop over the envs."""

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnv, VecEnvIndices, VecEnvObs, VecEnvStepReturn

from sb3_delta_waypoint.bounds import check_number
from sb3_delta_waypoint.contract import START_STEP
from sb3_delta_waypoint.driving.simulation import N_CARS
from sb3_delta_waypoint.messages import short_repr
from sb3_delta_waypoint.registration import env_spec


class NativeVecEnv(VecEnv):
    """
    An SB3 ``VecEnv`` around a vector env with autoreset within the step (SAME_STEP) that reports ``episode_metrics``.

    The info of an env is empty unless its episode has just ended; then it holds ``terminal_observation``,
    ``TimeLimit.truncated``, ``episode`` as SB3's ``Monitor`` writes it, ``is_success``, ``scenario`` and
    ``episode_metrics``. Of an episode that began in a state of another one (:meth:`begin_in_state`) it holds ``start_step``
    in the place of ``episode``, ``is_success`` and ``episode_metrics``, so that the episode counts nowhere.
    ``seed(s)`` makes the next ``reset()`` start again from scenario 0 of base seed ``s``.

    :param env: the vector env
    :raises ValueError: if it has another autoreset mode
    """

    def __init__(self, env: VectorEnv[Any, Any, Any]):
        mode = env.metadata.get("autoreset_mode")
        if mode != AutoresetMode.SAME_STEP:
            raise ValueError(f"{env} has the autoreset mode {mode}; SB3 needs AutoresetMode.SAME_STEP")
        self.env = env
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)
        self._actions = np.empty(0)
        self._started = time.time()

    def reset(self) -> VecEnvObs:
        """Begin an episode in every env."""
        options = next(filter(None, self._options), None)
        observations, _ = self.env.reset(seed=self._seeds[0], options=options)
        self._reset_seeds()
        self._reset_options()
        return observations

    def step_async(self, actions: np.ndarray) -> None:
        """
        Store the actions of the next step.

        :param actions: float32 ``(n, H, 2)``, metres, ego frame
        """
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        """
        Step all envs with the stored actions.

        :return: observations, float32 rewards in a new array, dones, infos
        """
        observations, rewards, terminated, truncated, final = self.env.step(self._actions)
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        if final:
            info = final["final_info"]
            for i in np.flatnonzero(final["_final_info"]).tolist():
                infos[i] = {
                    "terminal_observation": final["final_obs"][i],
                    "TimeLimit.truncated": bool(truncated[i] and not terminated[i]),
                    "scenario": int(info["scenario"][i]),
                }
            whole = np.flatnonzero(info["_episode_metrics"])
            metrics = {
                name: values[whole].tolist() for name, values in info["episode_metrics"].items() if not name.startswith("_")
            }
            seconds = round(time.time() - self._started, 6)
            for i, *row in zip(whole.tolist(), *metrics.values(), strict=True):
                episode = dict(zip(metrics, row, strict=True))
                infos[i] |= {
                    "episode": {"r": episode["episode_reward"], "l": int(episode["episode_length"]), "t": seconds},
                    "is_success": bool(info["is_success"][i]),
                    "episode_metrics": episode,
                }
            for i in np.flatnonzero(info.get(f"_{START_STEP}", ())).tolist():
                infos[i][START_STEP] = int(info[START_STEP][i])
        return observations, rewards.astype(np.float32), terminated | truncated, infos

    @property
    def has_states(self) -> bool:
        """Whether episodes can begin in a state of another one."""
        return hasattr(self.env, "begin_in_state")

    def state_of(self, index: int) -> Any:
        """
        Copy the state of an env in mid-episode.

        :param index: index of the env
        :return: the state, for :meth:`begin_in_state`
        """
        env: Any = self.env
        return env.state_of(index)

    def begin_in_state(self, indices: Sequence[int], state: Any) -> dict[str, np.ndarray]:
        """
        Begin the current episodes of some envs again, all in one state of a running episode, whose scenario, clock and time
        limit they then have.

        :param indices: indices of the envs
        :param state: the state, from :meth:`state_of`
        :return: the observations of these envs, in their order
        """
        env: Any = self.env
        return env.begin_in_state(indices, state)

    def close(self) -> None:
        """Close the vector env."""
        self.env.close()

    def get_images(self) -> Sequence[np.ndarray | None]:
        """Draw a picture of each env."""
        pictures: Any = self.env.render()
        return pictures or [None] * self.num_envs

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """Get an attribute of the vector env, repeated for each of the given envs."""
        return [getattr(self.env, attr_name)] * len(self._get_indices(indices))

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Set an attribute of the vector env, which all its envs share."""
        if indices is not None:
            raise ValueError(f"{attr_name} is one attribute for all envs: set it without indices")
        setattr(self.env, attr_name, value)

    def env_method(
        self, method_name: str, *method_args: Any, indices: VecEnvIndices = None, **method_kwargs: Any
    ) -> list[Any]:
        """
        Call a method of all envs at once: ``env_method("expert_plan")`` calls ``expert_plans()`` of the vector env.

        :param method_name: name of the method of the scalar env; the vector env has its plural
        :param method_args: passed to the method
        :param indices: envs whose results are wanted; None for all
        :param method_kwargs: passed to the method
        :return: the result of each of these envs
        :raises IndexError: for an index that no env has
        :raises AttributeError: if the envs have no such method
        """
        wanted = self._get_indices(indices)
        method = getattr(self.env, f"{method_name}s", None)
        if method is None:
            singular = method_name.removesuffix("s")
            remedy = f"; the method of one env is {singular!r}" if hasattr(self.env, f"{singular}s") else ""
            raise AttributeError(f"the envs have no method {method_name!r}{remedy}")
        results = method(*method_args, **method_kwargs)
        return [results[i] for i in wanted]

    def env_is_wrapped(self, wrapper_class: type[gym.Wrapper], indices: VecEnvIndices = None) -> list[bool]:
        """Whether the envs do what a wrapper does; true only for ``Monitor``, since they report their episodes as it does."""
        return [issubclass(wrapper_class, Monitor)] * len(self._get_indices(indices))

    def _get_indices(self, indices: VecEnvIndices) -> list[int]:
        found = list(super()._get_indices(indices))
        for i in found:
            if not 0 <= i < self.num_envs:
                raise IndexError(f"indices={short_repr(indices)}: there is no env {i}, only 0 to {self.num_envs - 1}")
        return found


def make_waypoint_vec_env(
    env_id: str = "ToyWaypoint-v0", n_envs: int = 1, seed: int | None = None, group_size: int = 1, **env_kwargs: Any
) -> VecEnv:
    """
    Make waypoint envs as an SB3 ``VecEnv``.

    This is the native vector env where there is one, else (CARLA) a ``DummyVecEnv`` of scalar envs, each with its own server.

    :param env_id: id of a registered waypoint env, or ``module:Id``, where importing the module registers it
    :param n_envs: number of envs
    :param seed: base seed of the scenarios; None for a random one
    :param group_size: number of consecutive episodes that share a scenario; for scalar envs, :class:`~.GRPO` assigns the
        scenarios instead
    :param env_kwargs: passed to the env
    :return: the vec env
    :raises ValueError: for a number of envs out of range, or arguments that the env refuses
    """
    check_number("n_envs", n_envs, N_CARS)
    if has_native_vec_env(env_id):
        venv: VecEnv = NativeVecEnv(gym.make_vec(env_id, num_envs=n_envs, group_size=group_size, **env_kwargs))
    else:
        venv = DummyVecEnv([partial(_monitored, env_id, env_kwargs)] * n_envs)
    venv.seed(seed)
    return venv


def has_native_vec_env(env_id: str) -> bool:
    """
    Whether this package has a vector env for an env.

    :param env_id: id of a registered env
    :return: whether it has one
    """
    return str(env_spec(env_id).vector_entry_point).startswith("sb3_delta_waypoint.")


def _monitored(env_id: str, env_kwargs: dict[str, Any]) -> Monitor:
    return Monitor(gym.make(env_id, **env_kwargs))
