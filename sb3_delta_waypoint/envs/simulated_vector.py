"""Base class of the vector envs of many simulated cars, as made by ``gym.make_vec``."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from sb3_delta_waypoint.bounds import check_number
from sb3_delta_waypoint.contract import CONTROL_DT, GROUPS, START_STEP, check_groups
from sb3_delta_waypoint.driving.observation import Observation
from sb3_delta_waypoint.driving.score import RUNNING, succeeded, terminated, truncated
from sb3_delta_waypoint.driving.simulation import N_CARS, Simulation
from sb3_delta_waypoint.driving.world import World
from sb3_delta_waypoint.envs.resets import check_reset, scenarios_of
from sb3_delta_waypoint.envs.simulated import SimulatedEnv
from sb3_delta_waypoint.envs.spaces import NOBODY, action_space, observation_space
from sb3_delta_waypoint.rendering.birds_eye import Renderer
from sb3_delta_waypoint.rendering.scene import scene


class SimulatedVectorEnv(VectorEnv[dict[str, np.ndarray], np.ndarray, np.ndarray]):
    """
    Base class of vector envs of many :class:`~.simulated.SimulatedEnv` in one loop, with autoreset within the step
    (SAME_STEP).

    The k-th episode of env ``i`` plays scenario ``(k * num_envs + i) // group_size`` of the base seed.

    :param num_envs: number of envs ``n``
    :param make: makes the simulation of so many cars
    :param observe: names of the observation groups, see :class:`~.simulated.SimulatedEnv`
    :param render_mode: ``"rgb_array"`` or None
    """

    metadata = {
        "render_modes": ["rgb_array"],
        "render_fps": SimulatedEnv.metadata["render_fps"],
        "autoreset_mode": AutoresetMode.SAME_STEP,
    }

    def __init__(self, num_envs: int, make: Callable[[int], Simulation], observe: Sequence[str], render_mode: str | None):
        if render_mode not in (None, "rgb_array"):
            raise ValueError(f"render_mode={render_mode!r}; a vector env accepts 'rgb_array' and None")
        check_number("num_envs", num_envs, N_CARS)
        self.num_envs = num_envs
        self.render_mode = render_mode
        self.groups = check_groups(observe, GROUPS)
        self.simulation = make(num_envs)
        self.single_observation_space = observation_space(self.groups)
        self.single_action_space = action_space(self.simulation.config)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._seeded = self._begun = False
        self._renderer: Renderer | None = None

    @property
    def group_size(self) -> int:
        """Number of consecutive episodes that share a scenario."""
        return self.simulation.group_size

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """
        Begin an episode in every env.

        :param seed: base seed of the scenarios, which then start from number 0; None to go on to the next
        :param options: ``{"scenarios": numbers}`` plays one chosen scenario in each env, and does not change the order of the
            others, which follow
        :return: observations, ``state (n, 4)`` and ``route (n, 10, 2)``, and an empty info
        :raises ValueError: for other options, or a list of seeds: one base seed numbers the scenarios of all envs
        """
        if isinstance(seed, list | tuple | np.ndarray):
            raise ValueError(f"seed={seed!r}: give one base seed; it numbers the scenarios of all {self.num_envs} envs")
        scenarios = scenarios_of(options, self.num_envs)
        super().reset(seed=seed)
        if seed is not None or not self._seeded:
            self.simulation.seed(int(self.np_random.integers(2**62)) if seed is None else seed)
            self._seeded = True
        observation = self.simulation.reset(scenarios)
        self._begun = True
        return self._observed(observation, self.num_envs), {}

    def step(self, actions: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """
        Track a plan in every env for one control step of 0.1 s.

        :param actions: float32 ``(n, H, 2)``, metres, ego frame
        :return: observations, rewards, terminations, truncations and infos; the infos are empty unless an episode ended, and
            then hold ``final_obs`` and ``final_info`` like those of Gymnasium's vector envs
        :raises ValueError: for another shape, or a value that is not finite or outside the action space, naming the env; no
            env has moved then
        :raises ResetNeeded: before the first ``reset()``, and after ``close()``
        """
        check_reset(self._begun)
        observation, rewards, outcome = self.simulation.step(actions)
        ended = np.flatnonzero(outcome != RUNNING)
        infos = self._final_infos(ended, succeeded(outcome)) if len(ended) else {}
        return self._observed(observation, self.num_envs), rewards, terminated(outcome), truncated(outcome), infos

    def _final_infos(self, ended: np.ndarray, success: np.ndarray) -> dict[str, Any]:
        finished = np.zeros(self.num_envs, bool)
        finished[ended] = True
        observations = np.empty(self.num_envs, object)  # of None
        last = self._observed(
            type(self.simulation.final.observation)(*(values[ended] for values in self.simulation.final.observation)),
            len(ended),
        )
        observations[ended] = [dict(zip(last, row, strict=True)) for row in zip(*last.values(), strict=True)]
        # an episode that began in a state of another one has neither success nor metrics
        start_steps = self.simulation.final.start_step
        whole = finished & (start_steps == 0)
        metrics = np.zeros((len(self.simulation.metric_names), self.num_envs))
        metrics[:, whole] = self.simulation.final_metrics[whole].T
        episode = dict(zip(self.simulation.metric_names, metrics, strict=True))
        info = _masked({"is_success": success & whole, "episode_metrics": _masked(episode, whole)}, whole)
        info |= _masked({"scenario": self.simulation.final.scenario.copy()}, finished)
        if (cut := finished & ~whole).any():
            info |= _masked({START_STEP: np.where(cut, start_steps, 0)}, cut)
        return _masked({"final_obs": observations, "final_info": info}, finished)

    def _observed(self, observation: Observation, n: int) -> dict[str, np.ndarray]:
        found = observation._asdict()
        return {name: found[name] if name in found else np.stack([NOBODY[name]] * n) for name in self.groups}

    @property
    def time_limit(self) -> np.ndarray:
        """Time limit of the running episode in every env, ``(n,)`` [s]."""
        return self.simulation.cars["max_steps"] * CONTROL_DT

    def expert_plans(self) -> np.ndarray:
        """
        The expert's plan in every env from its current state.

        :return: float32 ``(n, H, 2)``, metres, ego frame, within the action space
        :raises ResetNeeded: before the first ``reset()``, and after ``close()``
        """
        check_reset(self._begun)
        return self.simulation.expert_plans()

    def state_of(self, index: int) -> World:
        """
        Copy the state of an env in mid-episode.

        :param index: index of the env
        :return: the state, for :meth:`begin_in_state`
        :raises ResetNeeded: before the first ``reset()``, and after ``close()``
        """
        check_reset(self._begun)
        return self.simulation.state_of(index)

    def begin_in_state(self, indices: Sequence[int], state: World) -> dict[str, np.ndarray]:
        """
        Begin the current episodes of some envs again, all in one state of a running episode. Scenario, clock and time limit
        are those of that state; at the end of such an episode, ``final_info`` holds its ``start_step`` and ``scenario``, but
        neither ``is_success`` nor ``episode_metrics``. The order of the scenarios is not changed.

        :param indices: indices of the envs
        :param state: the state, from :meth:`state_of`
        :return: observations of these envs, in their order
        :raises ValueError: if it is no state of these envs
        :raises ResetNeeded: before the first ``reset()``, and after ``close()``
        """
        check_reset(self._begun)
        return self._observed(self.simulation.begin_in_state(indices, state), len(indices))

    def render(self) -> tuple[np.ndarray, ...] | None:
        """
        Draw a picture of every env, with the expert's plan but without trails and other plans.

        :return: ``n`` pictures, uint8 ``(height, width, 3)``; None without a render mode
        :raises ResetNeeded: before the first ``reset()``, and after ``close()``
        """
        if self.render_mode is None:
            return None
        check_reset(self._begun)
        if self._renderer is None:
            self._renderer = Renderer("rgb_array", self.metadata["render_fps"])
        plans = self.expert_plans()
        nowhere = np.zeros((0, 2))
        scenes = (scene(self.simulation, i, {"expert": plans[i]}, nowhere, 0) for i in range(self.num_envs))
        return tuple(self._renderer.draw(picture) for picture in scenes)

    def close_extras(self, **kwargs: Any) -> None:
        """Free the renderer, and end the episodes."""
        self._begun = False
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None


def _masked(values: dict[str, Any], which: np.ndarray) -> dict[str, Any]:
    """Add to every key a second one with an underscore, a mask of the envs that it applies to (Gymnasium's convention)."""
    return values | dict.fromkeys(map("_".__add__, values), which)
