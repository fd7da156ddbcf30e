"""Ending training after a number of episodes."""

import warnings

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback

from sb3_delta_waypoint.contract import FAULT


class StopAfterEpisodes(BaseCallback):
    """
    Ends training after a number of episodes, counted over all envs together; SB3's ``StopTrainingOnMaxEpisodes`` counts so
    many for each env. Episodes that a fault broke off (``info["fault"]``) do not count. Envs step together, so where several
    end their episodes in the last step, all of these count.

    :param max_episodes: number of episodes
    :raises ValueError: if it is less than 1
    """

    def __init__(self, max_episodes: int) -> None:
        super().__init__()
        if max_episodes < 1:
            raise ValueError(f"max_episodes is {max_episodes}; expected at least 1")
        self.max_episodes = max_episodes
        self.n_episodes = 0
        self._is_training = False

    def _on_training_start(self) -> None:
        self.n_episodes = 0
        self._is_training = True
        self._updates_before = self.model._n_updates

    def _on_step(self) -> bool:
        infos = self.locals["infos"]
        self.n_episodes += sum(FAULT not in infos[index] for index in np.flatnonzero(self.locals["dones"]))
        return self.n_episodes < self.max_episodes

    def _on_training_end(self) -> None:
        if not self._is_training:  # rl_zoo3 says the end of training twice
            return
        self._is_training = False
        if self.n_episodes < self.max_episodes:
            warnings.warn(
                f"training ended after {self.num_timesteps} steps and {self.n_episodes} episodes, before "
                f"max_episodes={self.max_episodes}: give it more steps (train -n)",
                stacklevel=2,
            )
        elif self.model._n_updates == self._updates_before:
            warnings.warn(
                f"{self.n_episodes} episodes were over before the first update, so nothing was learnt: raise "
                f"max_episodes={self.max_episodes}, or make n_steps or n_envs smaller",
                stacklevel=2,
            )
