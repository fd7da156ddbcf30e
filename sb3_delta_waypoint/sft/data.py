"""Training data of a planner: frames of episodes, and the split into training and held-out frames."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from sb3_delta_waypoint.episodes.reader import Episode

MIN_EPISODES_TO_SPLIT = 5
"""Minimum number of episodes for holding out whole ones; below it single frames are held out, as an episode is too much of
the data."""


@dataclass
class Frames:
    """
    Frames of any number of episodes, concatenated.

    :param observations: observations by name, each (N, …), physical units
    :param waypoints: the expert's plans, (N, H, 2), metres, ego frame
    """

    observations: Mapping[str, torch.Tensor]
    waypoints: torch.Tensor

    def __len__(self) -> int:
        return len(self.waypoints)

    def __getitem__(self, index: torch.Tensor) -> "Frames":
        return Frames({name: values[index] for name, values in self.observations.items()}, self.waypoints[index])


def plans_of(episodes: Sequence[Episode]) -> tuple[int, float]:
    """
    Return the shape in time that the plans of all episodes share.

    :param episodes: demonstrations
    :return: number of waypoints in a plan, and seconds from one waypoint to the next
    :raises ValueError: if their plans differ, or there are fewer than two frames
    """
    specs = {(episode.horizon_steps, episode.dt) for episode in episodes}
    if len(specs) > 1:
        raise ValueError(f"the episodes' plans differ in (horizon_steps, dt): {sorted(specs)}; train on one kind at a time")
    n_frames = sum(map(len, episodes))
    if n_frames < 2:
        raise ValueError(f"{len(episodes)} episodes with {n_frames} frames are too few: expected at least 2 frames")
    return specs.pop()


def frames_of(episodes: Sequence[Episode], names: Sequence[str], device: torch.device) -> Frames:
    """
    Concatenate the frames of all episodes.

    :param episodes: demonstrations
    :param names: names of the observations to include
    :param device: device of the returned tensors
    :return: the frames
    :raises ValueError: if an episode lacks an observation
    """
    for episode in episodes:
        for name in names:
            if name not in episode.observations:
                raise ValueError(
                    f"{episode.path}: the episode lacks {name!r}, which the planner reads; it has "
                    f"{', '.join(sorted(episode.observations))}: record in an env that gives it"
                )

    def stacked(parts: list[np.ndarray]) -> torch.Tensor:
        return torch.from_numpy(np.concatenate(parts)).to(device)

    observations = {name: stacked([episode.observations[name] for episode in episodes]) for name in names}
    return Frames(observations, stacked([episode.waypoints for episode in episodes]))


def split(episodes: Sequence[Episode], frames: Frames, fraction: float, seed: int) -> tuple[Frames, Frames, dict[str, Any]]:
    """
    Split frames into training and held-out ones: by whole episodes, or by single frames if there are fewer than five episodes.

    :param episodes: demonstrations
    :param frames: the frames of all episodes
    :param fraction: share to hold out
    :param seed: seed of the random choice
    :return: training frames, held-out frames, and a description of what was held out
    """
    by_episode = len(episodes) >= MIN_EPISODES_TO_SPLIT
    owner = (
        np.repeat(np.arange(len(episodes)), [len(episode) for episode in episodes]) if by_episode else np.arange(len(frames))
    )
    n_owners = int(owner[-1]) + 1
    n_held_out = min(max(round(fraction * n_owners), 1), n_owners - 1)
    chosen = np.sort(np.random.default_rng(seed).permutation(n_owners)[:n_held_out])
    held_out = torch.from_numpy(np.isin(owner, chosen)).to(frames.waypoints.device)
    data = {
        "episodes": len(episodes),
        "frames": len(frames),
        "held_out_frames": int(held_out.sum()),
        "held_out_episodes": [episodes[index].episode_id for index in chosen] if by_episode else [],
    }
    return frames[~held_out], frames[held_out], data
