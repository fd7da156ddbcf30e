"""Writing episode files."""

import numpy as np
import pytest

from sb3_delta_waypoint.episodes.schema import EpisodeError
from sb3_delta_waypoint.episodes.writer import write_episode


def test_files_are_compact(tmp_path, circle):
    written = write_episode(tmp_path / "circle.json", circle())
    # 12 frames of 33 numbers
    assert written.stat().st_size < 12 * (33 * 9 + 100)


def test_the_writer_refuses_what_the_reader_would(tmp_path, circle):
    episode = circle()
    episode.waypoints[3, 1, 0] = np.nan
    with pytest.raises(EpisodeError, match="bad.json: frame 3, expert.waypoints: holds nan"):
        write_episode(tmp_path / "bad.json", episode)
    episode = circle()
    episode.t[5] = episode.t[4]
    with pytest.raises(EpisodeError, match="bad.json: frame 5, t: is 0.4 after 0.4"):
        write_episode(tmp_path / "bad.json", episode)
    episode = circle()
    episode.observations["state"] = episode.observations["state"][:-1]
    with pytest.raises(ValueError, match="observations.state has 11 frames, t has 12"):
        write_episode(tmp_path / "bad.json", episode)
    assert list(tmp_path.iterdir()) == []
