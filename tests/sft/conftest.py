"""Recorded demonstrations."""

import gymnasium as gym
import pytest

import sb3_delta_waypoint  # noqa: F401
from sb3_delta_waypoint.episodes.reader import read_episodes
from sb3_delta_waypoint.episodes.recorder import record_episodes


@pytest.fixture(scope="session")
def recorded(tmp_path_factory):
    """A folder with five episodes on short routes, plans of six waypoints."""
    out = tmp_path_factory.mktemp("episodes")
    record_episodes(gym.make("ToyWaypoint-v0", route_length=30.0, horizon_steps=6), 5, out)
    return out


@pytest.fixture(scope="session")
def episodes(recorded):
    return read_episodes(f"{recorded}/*.json")[0]
