"""Atomic saving during training with the front end; SB3 itself writes models and statistics in place."""

import io
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stable_baselines3.common import base_class
from stable_baselines3.common.save_util import save_to_zip_file
from stable_baselines3.common.vec_env import VecNormalize

from sb3_delta_waypoint.files import write_atomically
from sb3_delta_waypoint.zoo.replaced import replaced


@contextmanager
def atomic_saves() -> Iterator[None]:
    """Make ``model.save(path)`` and ``VecNormalize.save(path)`` atomic within a context: a file is replaced when complete."""
    # callbacks of SB3 and rl_zoo3 pass paths, and both methods open these themselves
    with replaced(base_class, save_to_zip_file=_save_to_zip_file), replaced(VecNormalize, save=_save_vec_normalize):
        yield


def _save_to_zip_file(save_path: str | Path | io.BufferedIOBase, *content: Any, **keywords: Any) -> None:
    if not isinstance(save_path, str | Path):
        save_to_zip_file(save_path, *content, **keywords)
        return
    buffer = io.BytesIO()
    save_to_zip_file(buffer, *content, **keywords)
    # SB3 completes the name in the same way
    write_atomically(save_path if Path(save_path).suffix else f"{save_path}.zip", buffer.getvalue())


def _save_vec_normalize(venv: VecNormalize, save_path: str) -> None:
    write_atomically(save_path, pickle.dumps(venv))
