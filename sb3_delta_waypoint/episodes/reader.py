"""Reading of demonstration episodes."""

import glob
import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

from sb3_delta_waypoint.contract import GROUPS
from sb3_delta_waypoint.episodes.schema import EpisodeError, check_structure, stack_numbers
from sb3_delta_waypoint.files import naming, read_json


@dataclass
class Episode:
    """
    A demonstration drive. Camera images that the file refers to are not read.

    :param episode_id: name of the episode
    :param domain: world in which it was driven, such as ``"toy"``
    :param source: origin of the episode: ``dataset``, ``split``, ``scene_id``
    :param path: file of the episode
    :param t: float64 (T,), time of each frame, seconds
    :param observations: float32 (T, …) by name of the observation group: ``state``, ``route``, and any other of
        :data:`~sb3_delta_waypoint.contract.GROUPS` that the env gave
    :param waypoints: float32 (T, H, 2), the expert's plan, ego frame, metres
    :param dt: seconds between the waypoints of a plan
    """

    episode_id: str
    domain: str
    source: dict[str, str]
    path: Path
    t: np.ndarray
    observations: dict[str, np.ndarray]
    waypoints: np.ndarray
    dt: float

    @property
    def horizon_steps(self) -> int:
        """Number of waypoints ``H`` in a plan."""
        return self.waypoints.shape[1]

    def __len__(self) -> int:
        return len(self.t)


def read_episode(path: str | Path, horizon_steps: int | None = None) -> Episode:
    """
    Read and check one episode file.

    :param path: the file
    :param horizon_steps: number of waypoints that its plans must have; None accepts any
    :return: the episode
    :raises FileNotFoundError: if there is no such file
    :raises EpisodeError: if it breaks the contract, naming file, frame and field
    """
    path = Path(path)
    try:
        data = read_json(path, "episode file")
        with naming(path):
            return _episode(path, data, horizon_steps)
    except (EpisodeError, FileNotFoundError):
        raise
    except OSError as error:
        raise EpisodeError(path, f"cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise EpisodeError(path, str(error).removeprefix(f"{path}: ")) from error


def _episode(path: Path, data: Any, horizon_steps: int | None) -> Episode:
    check_structure(data, path)
    spec, frames = data["waypoint_spec"], data["frames"]
    horizon, dt = int(spec["horizon_steps"]), float(spec["dt"])
    if horizon_steps is not None and horizon != horizon_steps:
        raise EpisodeError(path, f"is {horizon}, expected {horizon_steps}", field="waypoint_spec.horizon_steps")
    if not math.isfinite(dt):
        raise EpisodeError(path, f"is {dt}, expected a finite number of seconds", field="waypoint_spec.dt")
    return Episode(
        episode_id=data["episode_id"],
        domain=data["domain"],
        source=data["source"],
        path=path,
        t=check_times(path, stack_numbers(path, "t", [frame["t"] for frame in frames], ())),
        observations={
            name: _observed(path, frames, name, group.shape)
            for name, group in GROUPS.items()
            if any(name in frame["observations"] for frame in frames)
        },
        waypoints=stack_numbers(
            path, "expert.waypoints", [frame["expert"]["waypoints"] for frame in frames], (horizon, 2)
        ).astype(np.float32),
        dt=dt,
    )


def read_episodes(
    pattern: str, horizon_steps: int | None = None, skip_invalid: bool = False, progress: bool = False
) -> tuple[list[Episode], list[EpisodeError]]:
    """
    Read every episode that a glob pattern matches, in the order of their paths.

    All plans must have the same horizon and the same ``dt``. Where they differ, the most common pair counts as the right one.

    :param pattern: such as ``"out/episodes/**/*.json"``; ``**`` matches all folders below
    :param horizon_steps: number of waypoints that plans must have; None accepts any, as long as all have the same
    :param skip_invalid: whether to skip files that break the contract
    :param progress: whether to show a progress bar
    :return: the episodes, and the errors of the files that were skipped
    :raises FileNotFoundError: if nothing matches
    :raises EpisodeError: for the first file that breaks the contract, unless they are skipped
    """
    paths = sorted(path for path in glob.glob(str(Path(pattern).expanduser()), recursive=True) if Path(path).is_file())
    if not paths:
        remedy = f"; it is a folder: try '{pattern}/**/*.json'" if Path(pattern).is_dir() else ""
        raise FileNotFoundError(f"no episode file matches '{pattern}'{remedy}")
    episodes: list[Episode] = []
    errors: list[EpisodeError] = []

    def broken(error: EpisodeError) -> None:
        if not skip_invalid:
            raise error
        errors.append(error)

    for path in track(paths, description="Reading episodes", disable=not progress):
        try:
            episodes.append(read_episode(path, horizon_steps))
        except EpisodeError as error:
            broken(error)

    specs = Counter((episode.horizon_steps, episode.dt) for episode in episodes)
    if len(specs) > 1:
        (horizon, dt), count = specs.most_common(1)[0]
        for episode in episodes:
            if (episode.horizon_steps, episode.dt) != (horizon, dt):
                problem = f"has horizon_steps {episode.horizon_steps}, dt {episode.dt}; {count} others have {horizon}, {dt}"
                broken(EpisodeError(episode.path, problem, field="waypoint_spec"))
        episodes = [episode for episode in episodes if (episode.horizon_steps, episode.dt) == (horizon, dt)]
    return episodes, errors


def check_times(path: str | Path, t: np.ndarray) -> np.ndarray:
    """
    Check that times increase.

    :param path: the episode file, for the message
    :param t: (T,) seconds
    :return: ``t``
    :raises EpisodeError: naming the first frame that does not come after the one before
    """
    backward = np.flatnonzero(np.diff(t) <= 0)
    if len(backward):
        frame = int(backward[0]) + 1
        raise EpisodeError(path, f"is {t[frame]} after {t[frame - 1]}; times must increase from frame to frame", frame, "t")
    return t


def _observed(path: Path, frames: list[dict], key: str, shape: tuple[int, ...]) -> np.ndarray:
    for index, frame in enumerate(frames):
        if key not in frame["observations"]:
            raise EpisodeError(path, "the field is missing, which other frames have", index, f"observations.{key}")
    rows = [frame["observations"][key] for frame in frames]
    return stack_numbers(path, f"observations.{key}", rows, shape).astype(np.float32)
