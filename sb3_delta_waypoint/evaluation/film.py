"""A video of several policies in one scenario, beside one another and in step."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from sb3_delta_waypoint.contract import CONTROL_DT, FAULT
from sb3_delta_waypoint.driving.metrics import METRICS
from sb3_delta_waypoint.envs.checker import kind_faults
from sb3_delta_waypoint.evaluation.rollout import BatchPolicy
from sb3_delta_waypoint.policies.delta_policy import DeltaWaypointPolicy
from sb3_delta_waypoint.policies.inference import WaypointPolicy
from sb3_delta_waypoint.registration import env_spec
from sb3_delta_waypoint.rendering.colours import HIT, INK, LAMPS
from sb3_delta_waypoint.rendering.video import check_video_file, in_a_row, titled, write_video

ENDS = ("collision_at_fault", "off_route", "timeout", "blocked", "collision")
"""Metrics that say how a failed episode ended; a collision only if nothing else did, since not every one ends an episode."""
LAST_PICTURE = 1.5
"""Time for which the last picture is shown [s]."""


def film_side_by_side(
    policies: Mapping[str, BatchPolicy],
    env_id: str,
    env_kwargs: Mapping[str, Any],
    seed: int,
    scenario: int,
    path: str | Path,
    show_planner: bool = True,
) -> Path:
    """
    Drive several policies through the same scenario and film them beside one another.

    Each has an env of its own, and all are stepped together. Where an episode is over, its last picture stays until the last
    one has ended.

    :param policies: functions from one observation to a plan, (H, 2) metres, ego frame, by their title
    :param env_id: id of a registered waypoint env that draws pictures, or ``module:Id``
    :param env_kwargs: arguments of the env
    :param seed: base seed of the scenarios
    :param scenario: number of the scenario
    :param path: the file, ``.gif``, or ``.mp4`` where imageio-ffmpeg is installed
    :param show_planner: whether the plan of a refined policy's planner is drawn beside its own
    :return: the path
    :raises ValueError: if there is no policy, the env is no waypoint env, draws no pictures or does not accept its arguments,
        or if the file is of another kind
    :raises DependencyNotInstalled: if the encoder of ``.mp4`` is missing
    """
    check_video_file(path)
    if not policies:
        raise ValueError("policies: there is none to film; expected one at least")
    entry_point: Any = env_spec(env_id).entry_point
    creator = gym.envs.registration.load_env_creator(entry_point) if isinstance(entry_point, str) else entry_point
    modes = getattr(creator, "metadata", {"render_modes": ["rgb_array"]}).get("render_modes", [])
    if "rgb_array" not in modes:
        raise ValueError(f"{env_id} draws no pictures: its render_modes are {modes}, and rgb_array is not among them")
    with ExitStack() as envs:
        drives = []
        for title, policy in policies.items():
            try:
                env = gym.make(env_id, render_mode="rgb_array", **env_kwargs)
            except TypeError as error:
                raise ValueError(f"{env_id} cannot be made with {dict(env_kwargs)}: {error}") from error
            envs.callback(env.close)
            if faults := kind_faults(env.observation_space, env.action_space):
                raise ValueError(f"{env_id} is no waypoint env: {', and '.join(faults)}")
            drives.append(_Drive(title, policy, env, show_planner))
        fps = env.metadata.get("render_fps") or 1.0 / CONTROL_DT
        return write_video(_pictures(drives, seed, scenario, round(LAST_PICTURE * fps)), path, fps)


def _pictures(drives: "list[_Drive]", seed: int, scenario: int, n_last: int) -> Iterator[np.ndarray]:
    for drive in drives:
        drive.begin(seed, scenario)
    yield in_a_row([drive.picture for drive in drives])
    while any(drive.running for drive in drives):
        for drive in drives:
            drive.step()
        yield in_a_row([drive.picture for drive in drives])
    for _ in range(n_last):
        yield in_a_row([drive.picture for drive in drives])


class _Drive:
    """The episode of one policy, and its picture."""

    def __init__(self, title: str, policy: BatchPolicy, env: gym.Env, show_planner: bool):
        self._title, self._policy, self._env = title, policy, env
        self._planner: WaypointPolicy | None = None
        if show_planner and isinstance(policy, WaypointPolicy) and isinstance(policy.module, DeltaWaypointPolicy):
            self._planner = policy if hasattr(env.unwrapped, "overlay") else None
        self.running = False

    def begin(self, seed: int, scenario: int) -> None:
        self._observation, _ = self._env.reset(seed=seed, options={"scenario": scenario})
        self.running, self._steps = True, 0
        self._draw("", INK)

    def step(self) -> None:
        """Make a step and draw it, unless the episode is over."""
        if not self.running:
            return
        if self._planner is not None:
            parts = self._planner(self._observation, parts=True)
            plan = parts.waypoints
            self._env.unwrapped.overlay = {"sft": parts.sft_waypoints}  # type: ignore[attr-defined]
        else:
            plan = self._policy(self._observation)
        self._observation, _, terminated, truncated, info = self._env.step(plan)
        self._steps += 1
        self.running = not (terminated or truncated)
        self._draw(*(("", INK) if self.running else _outcome(info)))

    def _draw(self, outcome: str, colour: tuple[int, int, int]) -> None:
        picture: Any = self._env.render()
        note = f"{self._steps * CONTROL_DT:.1f} s"
        self.picture = titled(picture, self._title, f"{outcome}   {note}" if outcome else note, colour)


def _outcome(info: Mapping[str, Any]) -> tuple[str, tuple[int, int, int]]:
    """How an episode ended, by the info of its last step, and the colour to say it in."""
    if FAULT in info:
        return "broken off", HIT
    if info.get("is_success"):
        return "goal reached", LAMPS[2]
    metrics = info.get("episode_metrics", {})
    return next((METRICS[name].label for name in ENDS if metrics.get(name)), "failed"), HIT
