"""Writing files so that a reader never meets half of one."""

import json
import math
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def write_atomically(path: str | Path, content: str | bytes) -> Path:
    """
    Write a file so that at any moment the path holds either the old content or the new one.

    :param path: the file to write; its folder is created where it is missing
    :param content: text (written as UTF-8) or bytes
    :return: the path
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode() if isinstance(content, str) else content
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        # mkstemp gives 0600; a result file should be as readable as any other the user makes
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


def write_json(path: str | Path, value: Any) -> Path:
    """
    Write a value as JSON, atomically. NumPy scalars and arrays become numbers and lists; NaN and infinities, which JSON does
    not have, become ``null``.

    :param path: the file to write
    :param value: anything made of mappings, sequences, numbers, strings and None
    :return: the path
    """
    return write_atomically(path, json.dumps(_plain(value), indent=2, allow_nan=False) + "\n")


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, str | bytes):
        return value
    if isinstance(value, Sequence):
        return [_plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    return value
