"""Paths that recorded cars drove."""

from collections.abc import Iterable

import numpy as np

from sb3_delta_waypoint.contract import GROUPS
from sb3_delta_waypoint.episodes.reader import Episode

STATE_COLUMNS = [column.name for column in GROUPS["state"].columns]


def driven_paths(episodes: Iterable[Episode]) -> list[tuple[np.ndarray, np.ndarray]]:
    """
    Dead-reckon the driven paths from the recorded speeds and yaw rates.

    From one frame to the next the car is taken to move with a constant twist, for which the result is exact (the exponential
    map of SE(2): Lynch and Park, Modern Robotics, 3.3.3). Its speed is the mean of the two frames'; its yaw rate that of the
    later frame, which holds the rate of the step that led to it.

    :param episodes: E episodes
    :return: E pairs of points (T, 2) in metres, in the frame of the first ego pose, and speeds (T,) in m/s
    """
    return [_dead_reckoned(episode.t, episode.observations["state"].astype(np.float64)) for episode in episodes]


def _dead_reckoned(t: np.ndarray, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    speed, yaw_rate = (state[:, STATE_COLUMNS.index(name)] for name in ("speed", "yaw rate"))
    dt = np.diff(t)
    turn = yaw_rate[1:] * dt
    chord = 0.5 * (speed[:-1] + speed[1:]) * dt * np.sinc(turn / (2 * np.pi))
    heading = np.cumsum(turn) - 0.5 * turn  # of each chord
    steps = np.stack([chord * np.cos(heading), chord * np.sin(heading)], axis=1)
    return np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)]), speed
