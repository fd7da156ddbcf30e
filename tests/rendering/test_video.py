"""Videos: titles, pictures in a row, and what can be written."""

import sys

import numpy as np
import pytest
from gymnasium.error import DependencyNotInstalled
from PIL import Image

from sb3_delta_waypoint.rendering.colours import HIT, INK
from sb3_delta_waypoint.rendering.video import GAP, TITLE_BAR, TITLE_HEIGHT, check_video_file, in_a_row, titled, write_video


def pictures(n, size=(48, 64)):
    return [np.full((*size, 3), 20 * k, np.uint8) for k in range(n)]


def frames_of(path):
    image = Image.open(path)
    for k in range(image.n_frames):
        image.seek(k)
        yield np.asarray(image.convert("RGB")), image.info["duration"]


def test_a_title_is_written_above_the_picture():
    picture = pictures(4, (30, 400))[3]
    image = titled(picture, "planner", "2.3 s", HIT)
    np.testing.assert_array_equal(image[TITLE_HEIGHT:], picture)
    bar = image[:TITLE_HEIGHT]
    assert (bar[0] == TITLE_BAR).all()
    assert (bar[:, :150] == INK).all(axis=2).any() and (bar[:, 300:] == HIT).all(axis=2).any()
    assert (bar[:, 150:300] == TITLE_BAR).all()


def test_pictures_in_a_row():
    first, second = pictures(3)[1:]
    image = in_a_row([first, second])
    assert image.shape == (48, 128 + GAP, 3)
    np.testing.assert_array_equal(image[:, :64], first)
    np.testing.assert_array_equal(image[:, -64:], second)
    assert (image[:, 64:-64] == INK).all()


def test_a_gif_has_every_picture_at_its_time(tmp_path):
    path = write_video(iter(pictures(5)), tmp_path / "new" / "drive.gif", fps=10)
    shown = list(frames_of(path))
    assert [duration for _, duration in shown] == [100] * 5
    for (image, _), picture in zip(shown, pictures(5), strict=True):
        np.testing.assert_allclose(image.astype(int), picture, atol=2)


def test_a_wide_gif_is_scaled_down(tmp_path):
    path = write_video(pictures(2, (100, 2560)), tmp_path / "drive.gif", fps=10)
    assert Image.open(path).size == (1280, 50)


@pytest.mark.parametrize("size", [(48, 64), (49, 67)])
def test_an_mp4_has_every_picture(tmp_path, size):
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    path = write_video(iter(pictures(12, size)), tmp_path / "drive.mp4", fps=10)
    reader = ffmpeg.read_frames(str(path))
    meta = next(reader)
    assert meta["size"] == (size[1] // 2 * 2, size[0] // 2 * 2) and meta["fps"] == 10
    frames = [np.frombuffer(frame, np.uint8).mean() for frame in reader]
    np.testing.assert_allclose(frames, 20.0 * np.arange(12), atol=4)


@pytest.mark.parametrize("name", ["drive.avi", "drive", "drive.gif.txt"])
def test_other_files_are_refused_before_anything_is_drawn(tmp_path, name):
    drawn = []
    with pytest.raises(ValueError, match=r"must end in \.gif or \.mp4"):
        write_video((drawn.append(1) for _ in range(2)), tmp_path / name, fps=10)
    assert not drawn and not list(tmp_path.iterdir())


def test_a_missing_encoder_is_named_with_the_remedy(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(DependencyNotInstalled, match="pip install imageio-ffmpeg; or name a .gif"):
        check_video_file(tmp_path / "drive.mp4")
    check_video_file(tmp_path / "drive.gif")


def test_no_picture_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no picture"):
        write_video([], tmp_path / "drive.gif", fps=10)


@pytest.mark.parametrize("suffix", ["gif", "mp4"])
def test_a_video_that_fails_half_way_leaves_the_old_file(tmp_path, suffix):
    if suffix == "mp4":
        pytest.importorskip("imageio_ffmpeg")
    path = tmp_path / f"drive.{suffix}"
    path.write_bytes(b"old")

    def broken():
        yield from pictures(2)
        raise RuntimeError("the server is gone")

    with pytest.raises(RuntimeError, match="gone"):
        write_video(broken(), path, fps=10)
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]
