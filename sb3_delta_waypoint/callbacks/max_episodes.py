"""Ending training after a number of episodes."""

import warnings

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback

from sb3_delta_waypoint.contract import FAULT, START_STEP


class StopAfterEpisodes(BaseCallback):
    """
    A callback that ends training after a number of episodes, in total over all envs; the limit of SB3's
    ``StopTrainingOnMaxEpisodes`` is per env. Episodes that a fault aborted (``info["fault"]``) or that began in a state of
    another one (``info["start_step"]``) do not count. Envs step together, so if several episodes end in the last step, all of
    them count.

    :param max_episodes: number of episodes, over all envs
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
        ended = (infos[index] for index in np.flatnonzero(self.locals["dones"]))
        self.n_episodes += sum(FAULT not in info and START_STEP not in info for info in ended)
        return self.n_episodes < self.max_episodes

    def _on_training_end(self) -> None:
        if not self._is_training:  # rl_zoo3 calls this twice
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
