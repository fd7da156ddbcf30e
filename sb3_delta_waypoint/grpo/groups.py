"""Scenario numbers for envs that do not number their scenarios themselves."""

from typing import Any

import gymnasium as gym
import numpy as np
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv


class ScenarioGroups(gym.Wrapper[Any, Any, Any, Any]):
    """
    A wrapper that seeds every reset of an env, so that the episodes of a group have the same start: the k-th episode of env
    ``i`` of ``n`` plays scenario ``g = (k * n + i) // group_size``, by ``reset(seed=hash(s, g))``.

    The base seed ``s`` is that of the first env of a vec env after ``venv.seed(s)``. The info of an episode's last step
    contains its ``scenario``. :class:`~.GRPO` calls :meth:`number_scenarios` of each env, and wraps the envs of a
    ``DummyVecEnv`` itself; a ``SubprocVecEnv`` needs ``make_vec_env(..., wrapper_class=ScenarioGroups)``.

    The spaces of the env and of its wrappers are seeded as well, for envs that draw from ``action_space.sample()`` or
    ``observation_space.sample()``.

    :param env: an env whose randomness is determined by ``reset(seed=...)`` and the generators of its spaces
    """

    def __init__(self, env: gym.Env[Any, Any]):
        super().__init__(env)
        self._index, self._n_envs, self._group_size = 0, 1, 1
        self._base_seed: int | None = None
        self._episodes = 0
        self._scenario = 0

    def number_scenarios(self, index: int, n_envs: int, group_size: int) -> None:
        """
        Set which episodes this env plays; the numbers start from 0 again at the next seeded reset.

        :param index: index of this env, ``i``
        :param n_envs: number of envs, ``n``
        :param group_size: number of consecutive episodes that share a scenario
        """
        self._index, self._n_envs, self._group_size = index, n_envs, group_size

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """
        Begin the next episode.

        :param seed: base seed plus the env's index, as ``VecEnv.seed`` hands it out; None for the next scenario
        :param options: options for the env; None is not forwarded, so that ``reset`` need not accept ``options``
        :return: observation and info
        """
        if seed is not None or self._base_seed is None:
            self._base_seed = int(np.random.randint(2**31)) if seed is None else seed - self._index
            self._episodes = 0
        self._scenario = (self._episodes * self._n_envs + self._index) // self._group_size
        self._episodes += 1
        seed = reset_seed(self._base_seed, self._scenario)
        _seed_spaces(self.env, seed)
        return self.env.reset(seed=seed, **({} if options is None else {"options": options}))

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Step the env; the info of an episode's last step contains the ``scenario``."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        if terminated or truncated:
            info = {**info, "scenario": self._scenario}
        return observation, reward, terminated, truncated, info


def reset_seed(base_seed: int, scenario: int) -> int:
    """
    Return the seed with which envs are reset to a scenario.

    :param base_seed: base seed of the run
    :param scenario: number of the scenario, from 0
    :return: the seed, 31 bits, since not every env accepts more
    """
    return int(np.random.SeedSequence((base_seed % 2**64, scenario)).generate_state(1)[0] >> 1)


def _seed_spaces(env: gym.Env[Any, Any], seed: int) -> None:
    # other seeds than the env's: with the same one, draws from the spaces would repeat the env's own draws
    for_actions, for_observations = (int(word) >> 1 for word in np.random.SeedSequence(seed).generate_state(2))
    seeded = set()
    while True:
        for space, number in ((env.action_space, for_actions), (env.observation_space, for_observations)):
            if id(space) not in seeded:  # most wrappers return the spaces of their env
                space.seed(number)
                seeded.add(id(space))
        if not isinstance(env, gym.Wrapper):
            return
        env = env.env


def number_scenarios(venv: VecEnv, group_size: int, allow_different_starts: bool = False) -> None:
    """
    Make the episodes of a group play one scenario.

    :param venv: a vec env that numbers its scenarios itself (it has the attribute ``group_size``), or consists of
        ``ScenarioGroups``, or is a ``DummyVecEnv``, whose envs are then wrapped in place
    :param group_size: number of consecutive episodes that share a scenario
    :param allow_different_starts: accept vec envs whose envs cannot be seeded, and leave them unchanged
    :raises ValueError: if the vec env has groups of another size, or resets its envs where they cannot be wrapped
    """
    base, n_envs = venv.unwrapped, venv.num_envs
    if isinstance(base, DummyVecEnv):
        wrapped = base.env_is_wrapped(ScenarioGroups)
        base.envs = [env if done else ScenarioGroups(env) for env, done in zip(base.envs, wrapped, strict=True)]
    if all(base.env_is_wrapped(ScenarioGroups)):
        for i in range(n_envs):
            base.env_method("number_scenarios", i, n_envs, group_size, indices=i)
    elif not base.has_attr("group_size"):
        if allow_different_starts:
            return
        raise ValueError(
            f"GRPO must seed each reset, and {type(base).__name__} resets its envs out of reach: make them with "
            "make_vec_env(..., wrapper_class=ScenarioGroups), or in rl_zoo3's yaml "
            "'env_wrapper: sb3_delta_waypoint.grpo.ScenarioGroups'. allow_different_starts=True trains without"
        )
    elif base.get_attr("group_size")[0] != group_size:
        raise ValueError(
            f"group_size={group_size}, but the vec env plays each scenario {base.get_attr('group_size')[0]} times: make it "
            f"with make_waypoint_vec_env(..., group_size={group_size})"
        )
