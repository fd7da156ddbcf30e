"""Writing of demonstration episodes."""

import json
from pathlib import Path

import numpy as np

from sb3_delta_waypoint.contract import GROUPS
from sb3_delta_waypoint.episodes.reader import Episode, check_times
from sb3_delta_waypoint.episodes.schema import check_structure, stack_numbers
from sb3_delta_waypoint.files import write_atomically

DECIMALS = 5
"""Decimal places written: 0.01 mm, finer than the accuracy of any quantity, at half the file size of full precision."""


def write_episode(path: str | Path, episode: Episode) -> Path:
    """
    Write an episode file, one line per frame, after the checks that a reader makes.

    The file is written atomically. Observations that are not a group of the contract, such as images, are not written.

    :param path: the file; its folder is created if it does not exist
    :param episode: the episode; its ``path`` is ignored
    :return: the path
    :raises EpisodeError: if the episode breaks the contract, naming frame and field
    """
    header = {
        "episode_id": episode.episode_id,
        "domain": episode.domain,
        "source": dict(episode.source),
        "waypoint_spec": {"horizon_steps": episode.horizon_steps, "dt": episode.dt, "frame": "ego", "units": "m"},
    }
    n_frames = len(episode)
    t = check_times(path, _rounded(path, "t", episode.t, n_frames, ()))
    observed = {
        name: _rounded(path, f"observations.{name}", values, n_frames, GROUPS[name].shape).tolist()
        for name, values in episode.observations.items()
        if name in GROUPS
    }
    waypoints = _rounded(path, "expert.waypoints", episode.waypoints, n_frames, (episode.horizon_steps, 2))
    frames = [
        {
            "t": time,
            "observations": {name: values[index] for name, values in observed.items()},
            "expert": {"waypoints": plan},
        }
        for index, (time, plan) in enumerate(zip(t.tolist(), waypoints.tolist(), strict=True))
    ]
    check_structure({**header, "frames": frames}, path)

    head = json.dumps(header)
    body = ",\n".join(json.dumps(frame, separators=(",", ":")) for frame in frames)
    return write_atomically(path, f'{head[:-1]}, "frames": [\n{body}\n]}}\n')


def _rounded(path: str | Path, field: str, values: np.ndarray, n_frames: int, shape: tuple[int, ...]) -> np.ndarray:
    if len(values) != n_frames:
        raise ValueError(f"{path}: {field} has {len(values)} frames, t has {n_frames}")
    return np.round(stack_numbers(path, field, list(values), shape), DECIMALS) + 0.0  # no "-0.0" in the file
