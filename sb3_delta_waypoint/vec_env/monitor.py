"""A monitor of vector envs whose episodes may begin in a state of another one."""

import time
from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import VecMonitor
from stable_baselines3.common.vec_env.base_vec_env import VecEnvStepReturn

from sb3_delta_waypoint.contract import START_STEP


class WholeEpisodeMonitor(VecMonitor):
    """
    SB3's ``VecMonitor``, except that it does not record episodes that began in a state of another one (``start_step`` in the
    info of their last step).
    """

    def step_wait(self) -> VecEnvStepReturn:
        """
        Step all envs.

        :return: observations, rewards, dones, and infos with ``episode`` where a whole episode has ended
        """
        observations, rewards, dones, infos = self.venv.step_wait()
        self.episode_returns += rewards
        self.episode_lengths += 1
        new_infos = list(infos)
        for i in np.flatnonzero(dones).tolist():
            if START_STEP not in infos[i]:
                new_infos[i] = infos[i] | {"episode": self._record(i, infos[i])}
            self.episode_returns[i], self.episode_lengths[i] = 0, 0
        return observations, rewards, dones, new_infos

    def _record(self, i: int, info: dict[str, Any]) -> dict[str, Any]:
        seconds = round(time.time() - self.t_start, 6)
        episode = {"r": self.episode_returns[i], "l": self.episode_lengths[i], "t": seconds}
        episode |= {key: info[key] for key in self.info_keywords}
        self.episode_count += 1
        if self.results_writer:
            self.results_writer.write_row(episode)
        return episode
