"""Videos: pictures beside one another under titles, and files of them."""

import importlib
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from itertools import chain
from pathlib import Path

import numpy as np
from gymnasium.error import DependencyNotInstalled

from sb3_delta_waypoint.files import write_atomically
from sb3_delta_waypoint.rendering.canvas import load_pygame
from sb3_delta_waypoint.rendering.colours import INK, Colour

SUFFIXES = (".gif", ".mp4")
"""Kinds of files that :func:`write_video` writes."""
TITLE_HEIGHT, TITLE_SIZE = 44, 34
"""Height of the bar above a picture, and of the letters in it, in pixels."""
TITLE_BAR = (255, 255, 255)
GAP = 4
"""Width of the line between two pictures in pixels."""
GIF_WIDTH = 1280
"""Wider pictures are scaled down in a .gif, whose frames are hardly compressed."""
GIF_COLOURS = 128


def titled(picture: np.ndarray, title: str, note: str, colour: Colour = INK) -> np.ndarray:
    """
    Put a bar with text above a picture.

    :param picture: uint8 ``(height, width, 3)``
    :param title: text at the left
    :param note: text at the right
    :param colour: colour of the note
    :return: uint8 ``(height + TITLE_HEIGHT, width, 3)``
    """
    pygame = load_pygame()
    pygame.font.init()
    font = pygame.font.Font(None, TITLE_SIZE)
    width = picture.shape[1]
    bar = pygame.Surface((width, TITLE_HEIGHT), 0, 32)
    bar.fill(TITLE_BAR)
    left, right = font.render(title, True, INK), font.render(note, True, colour)
    top = (TITLE_HEIGHT - left.get_height()) // 2
    bar.blit(left, (16, top))
    bar.blit(right, (width - 16 - right.get_width(), top))
    pixels = np.frombuffer(pygame.image.tobytes(bar, "RGB"), np.uint8).reshape(TITLE_HEIGHT, width, 3)
    return np.concatenate([pixels, picture])


def in_a_row(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """
    Put pictures of one height beside one another, with a line between them.

    :param pictures: uint8 ``(height, width, 3)`` each
    :return: uint8 ``(height, sum of the widths and gaps, 3)``
    """
    line = np.full((len(pictures[0]), GAP, 3), INK, np.uint8)
    parts = [part for picture in pictures for part in (line, picture)]
    return np.concatenate(parts[1:], axis=1)


def check_video_file(path: str | Path) -> None:
    """
    Check that a video can be written to a file of this name.

    :param path: the file
    :raises ValueError: if it ends neither in ``.gif`` nor in ``.mp4``
    :raises DependencyNotInstalled: for an ``.mp4`` without imageio-ffmpeg, which brings the encoder
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"{path} is no file for a video: its name must end in {' or '.join(SUFFIXES)}")
    if suffix == ".mp4":
        try:
            importlib.import_module("imageio_ffmpeg").get_ffmpeg_exe()
        except (ImportError, RuntimeError) as error:
            raise DependencyNotInstalled(
                f"{path}: an .mp4 needs an encoder: pip install imageio-ffmpeg; or name a .gif, which needs nothing"
            ) from error


def write_video(pictures: Iterable[np.ndarray], path: str | Path, fps: float) -> Path:
    """
    Write a video. Pictures are taken one at a time, and the file appears when it is complete.

    :param pictures: uint8 ``(height, width, 3)``, all of one size, at least one
    :param path: the file, ``.gif`` or ``.mp4``; its folder is created if it does not exist
    :param fps: pictures per second
    :return: the path
    :raises ValueError: if there is no picture, or for the reasons of :func:`check_video_file`
    :raises DependencyNotInstalled: for the reasons of :func:`check_video_file`
    """
    check_video_file(path)
    pictures = iter(pictures)
    first = next(pictures, None)
    if first is None:
        raise ValueError(f"{path}: there is no picture to write")
    encode = _gif if Path(path).suffix.lower() == ".gif" else _mp4
    return write_atomically(path, encode(chain([first], pictures), first.shape[:2], fps))


def _gif(pictures: Iterator[np.ndarray], size: tuple[int, int], fps: float) -> bytes:
    from PIL import Image

    height, width = size
    shrunk = (GIF_WIDTH, round(height * GIF_WIDTH / width)) if width > GIF_WIDTH else (width, height)

    def frames() -> Iterator[Image.Image]:
        for picture in pictures:
            image = Image.fromarray(picture).resize(shrunk, Image.Resampling.LANCZOS)
            yield image.quantize(GIF_COLOURS, dither=Image.Dither.NONE)

    images, file = frames(), BytesIO()
    # a picture that equals the one before lengthens it
    next(images).save(file, "GIF", save_all=True, append_images=images, duration=round(1000 / fps), loop=0)
    return file.getvalue()


def _mp4(pictures: Iterator[np.ndarray], size: tuple[int, int], fps: float) -> bytes:
    ffmpeg = importlib.import_module("imageio_ffmpeg")
    # the encoder takes even numbers of pixels only
    height, width = (length - length % 2 for length in size)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "video.mp4")
        writer = ffmpeg.write_frames(
            str(file), (width, height), fps=fps, quality=8, macro_block_size=2, ffmpeg_log_level="error"
        )
        writer.send(None)
        try:
            for picture in pictures:
                writer.send(np.ascontiguousarray(picture[:height, :width]))
        finally:
            writer.close()
        return file.read_bytes()
