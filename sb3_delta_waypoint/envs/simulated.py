"""Base class of the envs of one simulated car."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from sb3_delta_waypoint.contract import GROUPS, check_groups
from sb3_delta_waypoint.driving.observation import Observation
from sb3_delta_waypoint.driving.score import succeeded, terminated, truncated
from sb3_delta_waypoint.driving.simulation import Simulation
from sb3_delta_waypoint.envs.drive_env import DriveEnv
from sb3_delta_waypoint.envs.resets import check_reset, scenario_of
from sb3_delta_waypoint.envs.spaces import NOBODY, action_space, observation_space


class SimulatedEnv(DriveEnv):
    """
    Base class of envs of one simulated car. An action is a plan of the next seconds, which is tracked for 0.1 s.

    ``reset(seed=s)`` plays scenario 0 of the base seed ``s``, and further resets play the next ones.
    ``reset(options={"scenario": g})`` plays scenario ``g``.

    :param make: makes the simulation of this car, without autoreset
    :param observe: names of the observation groups, of :data:`~.contract.GROUPS`; those about traffic say that there is none
        where there is none, so that a planner for traffic can drive there, too
    :param render_mode: ``"human"``, ``"rgb_array"`` or None
    """

    def __init__(self, make: Callable[[], Simulation], observe: Sequence[str], render_mode: str | None):
        super().__init__(render_mode)
        self.groups = check_groups(observe, GROUPS)
        self.drive = self.simulation = make()
        self.observation_space = observation_space(self.groups)  # type: ignore[assignment]
        self.action_space = action_space(self.simulation.config)
        self._seeded = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """
        Begin an episode.

        :param seed: base seed of the scenarios, which then start from number 0; None to go on to the next
        :param options: ``{"scenario": g}`` plays scenario ``g`` and does not change the order of the others
        :return: observation and ``{"scenario": number}``
        :raises ValueError: for another option, or a value that is not a scenario number
        """
        scenario = scenario_of(options)
        super().reset(seed=seed)
        if seed is not None or not self._seeded:
            self.simulation.seed(int(self.np_random.integers(2**62)) if seed is None else seed)
            self._seeded = True
        observation = self.simulation.reset(scenario)
        self._begin_episode()
        return self._observed(observation), {"scenario": int(self.simulation.cars[0]["scenario"])}

    def step(self, action: np.ndarray) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        """
        Track a plan for one control step of 0.1 s.

        :param action: float32 ``(H, 2)``, metres, ego frame
        :return: observation, reward, terminated, truncated and info; at the end of an episode the info holds
            ``is_success``, ``scenario`` and ``episode_metrics``
        :raises ValueError: for another shape, or a value that is not finite or outside the action space
        :raises ResetNeeded: if no episode is running
        """
        check_reset(self._running)
        self._show_plans(action)
        observation, reward, outcome = self.simulation.step(np.asarray(action)[None])
        self._outcome = int(outcome[0])
        self._running = not self._outcome
        info: dict[str, Any] = {}
        if self._outcome:
            info["is_success"] = bool(succeeded(outcome)[0])
            info["scenario"] = int(self.simulation.final.scenario[0])
            metrics = self.simulation.final_metrics[0].tolist()
            info["episode_metrics"] = dict(zip(self.simulation.metric_names, metrics, strict=True))
        self._has_moved()
        return self._observed(observation), float(reward[0]), bool(terminated(outcome)[0]), bool(truncated(outcome)[0]), info

    def _observed(self, observation: Observation) -> dict[str, np.ndarray]:
        found = observation._asdict()
        return {name: found[name][0] if name in found else NOBODY[name].copy() for name in self.groups}
