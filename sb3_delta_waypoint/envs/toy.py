"""``ToyWaypoint-v0``: one car."""

from typing import Any

import gymnasium as gym
import numpy as np

from sb3_delta_waypoint.driving.frames import to_ego, to_world
from sb3_delta_waypoint.driving.simulation import CONTROL_DT, Observation, Simulation, succeeded, terminated, truncated
from sb3_delta_waypoint.envs.configuration import driving_config
from sb3_delta_waypoint.envs.rendering import Renderer, Scene
from sb3_delta_waypoint.envs.scenes import pose, scene
from sb3_delta_waypoint.envs.spaces import action_space, observation_space


class ToyWaypointEnv(gym.Env[dict[str, np.ndarray], np.ndarray]):
    """
    A car follows a route by plans: each action is where it should be over the next seconds, tracked for 0.1 s.

    ``reset(seed=s)`` plays scenario 0 of ``s``, further resets play the next ones;
    ``reset(options={"scenario": g})`` replays scenario ``g``.

    :param render_mode: ``"human"``, ``"rgb_array"`` or None
    :param kwargs: see :func:`~.configuration.driving_config`
    """

    metadata = {"render_modes": ["human", "rgb_array"], "render_fps": round(1 / CONTROL_DT)}

    def __init__(self, render_mode: str | None = None, **kwargs: Any):
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            raise ValueError(f"render_mode={render_mode!r}; accepted are {self.metadata['render_modes']} and None")
        self.render_mode = render_mode
        self.simulation = Simulation(1, driving_config(**kwargs), autoreset=False)
        self.observation_space = observation_space()  # type: ignore[assignment]
        self.action_space = action_space(self.simulation.config.horizon_steps)
        self.overlay: dict[str, np.ndarray] = {}
        """Plans to draw beside the one that is driven, float32 ``(H, 2)``, ego frame, such as ``{"sft": plan}``."""
        self._renderer: Renderer | None = None
        self._seeded = False
        self._outcome = 0
        self._trail: list[tuple[float, float]] = []
        self._shown: dict[str, np.ndarray] = {}  # plans to draw, in the world frame

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """
        Begin an episode.

        :param seed: base seed of the scenarios, which then start from number 0; None to go on to the next
        :param options: ``{"scenario": g}`` plays scenario ``g`` and leaves the order of the others alone
        :return: observation and ``{"scenario": number}``
        :raises ValueError: for a negative scenario number
        """
        super().reset(seed=seed)
        if seed is not None or not self._seeded:
            self.simulation.seed(int(self.np_random.integers(2**62)) if seed is None else seed)
            self._seeded = True
        scenario = (options or {}).get("scenario")
        if scenario is not None and scenario < 0:
            raise ValueError(f"options['scenario']={scenario}: scenarios are numbered from 0")
        observation = self.simulation.reset(scenario)
        self._outcome, self._shown, self.overlay = 0, {}, {}
        self._trail = [(self._car["x"], self._car["y"])]
        if self.render_mode == "human":
            self.render()
        return _first(observation), {"scenario": int(self._car["scenario"])}

    def step(self, action: np.ndarray) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        """
        Track a plan for one control step of 0.1 s.

        :param action: float32 ``(H, 2)``, metres, ego frame
        :return: observation, reward, terminated, truncated and info; at the end of an episode the info holds
            ``is_success``, ``scenario`` and ``episode_metrics``
        :raises ValueError: for another shape, or a value that is not finite
        """
        if self.render_mode is not None:
            # the picture after the step shows the plans where they were made
            plans = {"expert": self.expert_plan(), **self.overlay, "final": action}
            self._shown = {name: to_world(plan, pose(self.simulation, 0)) for name, plan in plans.items()}
        observation, reward, outcome = self.simulation.step(np.asarray(action)[None])
        self._outcome = int(outcome[0])
        info: dict[str, Any] = {}
        if self._outcome:
            info["is_success"] = bool(succeeded(outcome)[0])
            info["scenario"] = int(self.simulation.final_scenario[0])
            metrics = self.simulation.final_metrics[0].tolist()
            info["episode_metrics"] = dict(zip(self.simulation.metric_names, metrics, strict=True))
        self._trail.append((self._car["x"], self._car["y"]))
        if self.render_mode == "human":
            self.render()
        return _first(observation), float(reward[0]), bool(terminated(outcome)[0]), bool(truncated(outcome)[0]), info

    def expert_plan(self) -> np.ndarray:
        """
        What the expert would plan from here.

        :return: float32 ``(H, 2)``, metres, ego frame
        """
        return self.simulation.expert_plans()[0]

    def render(self) -> np.ndarray | None:
        """
        Draw road, route, plans, car and trail.

        :return: uint8 ``(height, width, 3)`` in mode ``rgb_array``, else None
        """
        if self.render_mode is None:
            gym.logger.warn("render() without a render_mode: pass render_mode='rgb_array' or 'human' to gym.make")
            return None
        if self._renderer is None:
            self._renderer = Renderer(self.render_mode, self.metadata["render_fps"])
        if self.render_mode == "rgb_array":
            return self._renderer.draw(self._scene())
        self._renderer.show(self._scene())
        return None

    def _scene(self) -> Scene:
        plans = {name: to_ego(plan, pose(self.simulation, 0)) for name, plan in self._shown.items()}
        return scene(self.simulation, 0, plans or {"expert": self.expert_plan()}, np.array(self._trail), self._outcome)

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    @property
    def _car(self) -> np.void:
        return self.simulation.cars[0]


def _first(observation: Observation) -> dict[str, np.ndarray]:
    return {"state": observation.state[0], "route": observation.route[0]}
