"""``ToyWaypoint-v0``: one car."""

from typing import Any

import numpy as np

from sb3_delta_waypoint.driving.observation import Observation
from sb3_delta_waypoint.driving.score import succeeded, terminated, truncated
from sb3_delta_waypoint.driving.simulation import Simulation
from sb3_delta_waypoint.envs.configuration import driving_config
from sb3_delta_waypoint.envs.drive_env import DriveEnv
from sb3_delta_waypoint.envs.resets import check_reset, scenario_of
from sb3_delta_waypoint.envs.spaces import action_space, observation_space


class ToyWaypointEnv(DriveEnv):
    """
    A car follows a route by plans: each action is where it should be over the next seconds, tracked for 0.1 s.

    ``reset(seed=s)`` plays scenario 0 of ``s``, further resets play the next ones;
    ``reset(options={"scenario": g})`` replays scenario ``g``.

    :param render_mode: ``"human"``, ``"rgb_array"`` or None
    :param kwargs: see :func:`~.configuration.driving_config`
    """

    def __init__(self, render_mode: str | None = None, **kwargs: Any):
        super().__init__(render_mode)
        self.drive = self.simulation = Simulation(1, driving_config(**kwargs), autoreset=False)
        self.observation_space = observation_space()  # type: ignore[assignment]
        self.action_space = action_space(self.simulation.config)
        self._seeded = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """
        Begin an episode.

        :param seed: base seed of the scenarios, which then start from number 0; None to go on to the next
        :param options: ``{"scenario": g}`` plays scenario ``g`` and leaves the order of the others alone
        :return: observation and ``{"scenario": number}``
        :raises ValueError: for another option, or a number that no scenario has
        """
        scenario = scenario_of(options)
        super().reset(seed=seed)
        if seed is not None or not self._seeded:
            self.simulation.seed(int(self.np_random.integers(2**62)) if seed is None else seed)
            self._seeded = True
        observation = self.simulation.reset(scenario)
        self._begin_episode()
        return _first(observation), {"scenario": int(self.simulation.cars[0]["scenario"])}

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
        return _first(observation), float(reward[0]), bool(terminated(outcome)[0]), bool(truncated(outcome)[0]), info


def _first(observation: Observation) -> dict[str, np.ndarray]:
    return {"state": observation.state[0], "route": observation.route[0]}
