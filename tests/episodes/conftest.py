"""Synthetic drives."""

from pathlib import Path

import numpy as np
import pytest

from sb3_delta_waypoint.episodes.reader import Episode


@pytest.fixture
def circle():
    """A function that makes an episode of a car that drives a circle: it starts at the origin, along x, turning left."""

    def make(n_frames: int = 12, horizon: int = 4, radius: float = 10.0, speed: float = 5.0, name: str = "circle") -> Episode:
        def ahead(distance: np.ndarray) -> np.ndarray:
            angle = distance / radius
            return np.stack([radius * np.sin(angle), radius * (1 - np.cos(angle))], axis=-1).astype(np.float32)

        state = np.array([speed, 0.2, speed / radius, 0.0], np.float32)
        plan = ahead(speed * 0.1 * np.arange(1, horizon + 1))
        return Episode(
            episode_id=name,
            domain="test",
            source={"dataset": "circles", "split": "train", "scene_id": name},
            path=Path(f"{name}.json"),
            t=0.1 * np.arange(n_frames),
            observations={
                "state": np.tile(state, (n_frames, 1)),
                "route": np.tile(ahead(3.0 * np.arange(1, 11)), (n_frames, 1, 1)),
            },
            waypoints=np.tile(plan, (n_frames, 1, 1)),
            dt=0.1,
        )

    return make
