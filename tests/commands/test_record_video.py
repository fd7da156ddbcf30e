"""``record-video`` makes a film."""

import pytest

from tests.command_line import succeeded

pytest.importorskip("rl_zoo3")


def test_record_video(logs, run):
    pytest.importorskip("moviepy")
    succeeded("record-video", "--algo", "ppo", "-f", logs, "--exp-id", 1, "--load-best", "-n", 5)
    (video,) = (run / "videos").glob("*.mp4")
    assert video.stat().st_size > 1000
