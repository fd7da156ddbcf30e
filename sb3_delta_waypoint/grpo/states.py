"""Groups that begin in a state of a running episode, and not only at the start of a scenario."""

from collections import deque
from collections.abc import Iterable
from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper, VecMonitor

from sb3_delta_waypoint.vec_env.monitor import WholeEpisodeMonitor
from sb3_delta_waypoint.vec_env.normalization import refuse_normalized_observations

N_KEPT = 512
"""Number of states that are kept: one per step of the envs at most, so that they span a few episodes."""


class GroupStates:
    """
    The states in which groups begin.

    In each step of the envs, one env is drawn, and its state is kept unless its episode has just begun, or has itself begun in
    a state; the latest :data:`N_KEPT` states are kept. When the first member of a group begins, it is drawn whether the group
    begins in a state, and in which of those kept. Members that begin later begin in the same one.

    So each step of each episode from a start is equally likely, as in the states that the policy visits. States of the moment
    in which a group begins would not be: at that moment an episode of another member has ended, and those that began with it
    are near their ends, too. A state may be some updates old, which does not bias the comparison within a group.

    :param venv: the envs
    :param group_size: number of episodes in a group
    :param share: probability that a group begins in a state
    :param seed: seed of the draws
    """

    def __init__(self, venv: VecEnv, group_size: int, share: float, seed: int):
        self._venv: Any = venv.unwrapped
        self._group_size, self._share = group_size, share
        self._random = np.random.default_rng(seed % 2**64)
        self._kept: deque[Any] = deque(maxlen=N_KEPT)
        self._groups: dict[int, list[Any]] = {}  # of each group: its state, or None for a start, and how many have begun
        self.in_state = np.zeros(venv.num_envs, bool)
        """Whether the current episode of each env began in a state, ``(n,)``."""

    def keep(self, steps: np.ndarray) -> None:
        """
        Keep the state of one env, or none.

        :param steps: number of steps in the current episode of each env, ``(n,)``
        """
        i = int(self._random.integers(len(steps)))
        if steps[i] > 0 and not self.in_state[i]:
            self._kept.append(self._venv.state_of(i))

    def begin(self, envs: Iterable[int], groups: Iterable[int], observations: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """
        Put envs that have just begun an episode of a group into its state, if it has one.

        :param envs: indices of these envs
        :param groups: the group that each begins
        :param observations: observations of all envs
        :return: the same, with the observations of the envs that were put into a state
        """
        together: dict[int, list[int]] = {}
        for i, group in zip(envs, groups, strict=True):
            together.setdefault(group, []).append(i)
        for group, members in together.items():
            if group not in self._groups:
                self._groups[group] = [self._draw(), 0]
            state = self._groups[group][0]
            self._groups[group][1] += len(members)
            if self._groups[group][1] == self._group_size:
                del self._groups[group]
            self.in_state[members] = state is not None
            if state is not None:
                begun = self._venv.begin_in_state(members, state)
                # a copy, since others may hold the observations of the step
                observations = {name: values.copy() for name, values in observations.items()}
                for name, values in observations.items():
                    values[members] = begun[name]
        return observations

    def _draw(self) -> Any:
        if self._random.random() < self._share and self._kept:
            return self._kept[int(self._random.integers(len(self._kept)))]
        return None


def check_states(venv: VecEnv) -> None:
    """
    Check that groups can begin in a state.

    :param venv: the envs
    :raises ValueError: if the envs cannot, or if a wrapper changes observations, or records episodes that are not whole
    """
    setting = "group_start='state'"
    base = venv.unwrapped
    if not getattr(base, "has_states", False):
        raise ValueError(
            f"{setting}: {type(base).__name__} cannot begin an episode in a state of another one, as the native vector envs "
            "of make_waypoint_vec_env can; group_start='start' needs no states"
        )
    refuse_normalized_observations(venv)
    if venv.observation_space != base.observation_space:
        raise ValueError(f"{setting}: a wrapper changes the observations, and does not know when an episode begins in a state")
    while isinstance(venv, VecEnvWrapper):
        if isinstance(venv, VecMonitor) and not isinstance(venv, WholeEpisodeMonitor):
            raise ValueError(
                f"{setting}: VecMonitor would record episodes that are not whole; leave it out, since these envs report their "
                "episodes themselves, or use sb3_delta_waypoint.vec_env.WholeEpisodeMonitor"
            )
        venv = venv.venv
