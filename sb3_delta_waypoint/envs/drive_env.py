"""Base class of the scalar envs: one car, its expert and its picture."""

import gymnasium as gym
import numpy as np

from sb3_delta_waypoint.contract import CONTROL_DT
from sb3_delta_waypoint.driving.drive import Drive
from sb3_delta_waypoint.driving.frames import to_ego, to_world
from sb3_delta_waypoint.driving.plans import checked_plans
from sb3_delta_waypoint.driving.score import COLLISION
from sb3_delta_waypoint.envs.resets import check_reset
from sb3_delta_waypoint.rendering.birds_eye import Renderer
from sb3_delta_waypoint.rendering.scene import Scene, pose, scene


class DriveEnv(gym.Env[dict[str, np.ndarray], np.ndarray]):
    """
    Base class of envs of one car, which is drawn with its route and its plans.

    :param render_mode: ``"human"``, ``"rgb_array"`` or None
    :raises ValueError: for another mode
    """

    metadata = {"render_modes": ["human", "rgb_array"], "render_fps": round(1 / CONTROL_DT)}
    drive: Drive
    """The car's route, state, totals and metrics."""

    def __init__(self, render_mode: str | None = None):
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            raise ValueError(f"render_mode={render_mode!r}; accepted are {self.metadata['render_modes']} and None")
        self.render_mode = render_mode
        self.overlay: dict[str, np.ndarray] = {}
        """Plans to draw beside the driven one, float32 ``(H, 2)``, metres, ego frame, such as ``{"sft": plan}``."""
        self._renderer: Renderer | None = None
        self._begun = False  # whether a car is on a route, so that it can be drawn and the expert can plan
        self._running = False  # whether its episode goes on
        self._outcome = 0
        self._trail: list[tuple[float, float]] = []
        self._shown: dict[str, np.ndarray] = {}  # plans to draw, in the world frame
        self._faults: dict[int, bool] = {}  # rows of the others that were hit, and whether the car is at fault

    @property
    def time_limit(self) -> float:
        """Time limit of the running episode [s]."""
        return float(self.drive.cars[0]["max_steps"] * CONTROL_DT)

    def expert_plan(self) -> np.ndarray:
        """
        The expert's plan from the current state.

        :return: float32 ``(H, 2)``, metres, ego frame, within the action space
        :raises ResetNeeded: before the first ``reset()``, and after ``close()``
        """
        check_reset(self._begun)
        return self.drive.expert_plans()[0]

    def _begin_episode(self) -> None:
        """Start the picture of a new episode."""
        self._begun = self._running = True
        self._outcome, self._shown, self.overlay, self._trail = 0, {}, {}, []
        self._faults = {}
        self._has_moved()

    def _show_plans(self, action: np.ndarray) -> None:
        """Keep the plans, at the pose where they were made, for the picture after the step."""
        if self.render_mode is not None:
            action = checked_plans(action, self.drive.config.horizon_steps, 2)
            plans = {"expert": self.expert_plan(), **self.overlay, "final": action}
            self._shown = {name: to_world(plan, pose(self.drive, 0)) for name, plan in plans.items()}

    def _has_moved(self) -> None:
        """Extend the trail, note who was hit, and refresh the window."""
        if self.render_mode is not None:
            self._trail.append(pose(self.drive, 0)[:2])
            # an at-fault collision ends the episode
            for row in np.flatnonzero(self.drive.world.agents[0]["collided"]).tolist():
                self._faults.setdefault(row, self._outcome == COLLISION)
            if self.render_mode == "human":
                self.render()

    def render(self) -> np.ndarray | None:
        """
        Draw road, route, plans, car and trail.

        :return: uint8 ``(height, width, 3)`` in mode ``rgb_array``, else None
        :raises ResetNeeded: before the first ``reset()``, and after ``close()``
        """
        if self.render_mode is None:
            gym.logger.warn("render() without a render_mode: pass render_mode='rgb_array' or 'human' to gym.make")
            return None
        check_reset(self._begun)
        if self._renderer is None:
            self._renderer = Renderer(self.render_mode, self.metadata["render_fps"])
        if self.render_mode == "rgb_array":
            return self._renderer.draw(self._scene())
        self._renderer.show(self._scene())
        return None

    def _scene(self) -> Scene:
        plans = {name: to_ego(plan, pose(self.drive, 0)) for name, plan in self._shown.items()}
        return scene(
            self.drive, 0, plans or {"expert": self.expert_plan()}, np.array(self._trail), self._outcome, self._faults
        )

    def close(self) -> None:
        """Close the window, if there is one, and end the episode."""
        self._begun = self._running = False
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None
