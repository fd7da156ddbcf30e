"""Checks of episode files: their structure by JSON schema, array shapes and finite numbers by NumPy."""

import json
from collections.abc import Sequence
from functools import lru_cache
from importlib import resources
from itertools import chain
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np

from sb3_delta_waypoint.messages import short_repr, short_text


class EpisodeError(ValueError):
    """
    Error for an episode file that breaks the contract.

    :param path: the file
    :param problem: what is wrong with the file and what is accepted
    :param frame: index of the frame with the problem, None where it concerns the file as a whole
    :param field: dotted name of the field, relative to the frame where one is given
    """

    def __init__(self, path: str | Path, problem: str, frame: int | None = None, field: str | None = None) -> None:
        self.path, self.problem, self.frame, self.field = Path(path), problem, frame, field
        where = ", ".join(part for part in (f"frame {frame}" if frame is not None else None, field) if part)
        super().__init__(f"{path}: {where}: {problem}" if where else f"{path}: {problem}")


@lru_cache(maxsize=1)
def episode_validator() -> jsonschema.Draft202012Validator:
    """
    Make the validator of the schema that ships with the package (``episodes/episode.schema.json``).

    :return: the validator
    """
    text = resources.files(__package__).joinpath("episode.schema.json").read_text(encoding="utf-8")
    return jsonschema.Draft202012Validator(json.loads(text))


def check_structure(data: Any, path: str | Path) -> None:
    """
    Check that parsed JSON has the structure of an episode.

    The contents of arrays are not checked here, but by :func:`stack_numbers`.

    :param data: the parsed file
    :param path: the file, for the message
    :raises EpisodeError: naming the frame and the field
    """
    # frames of the same structure pass or fail alike: validating one of each is twenty times faster than validating all
    frames = data.get("frames") if isinstance(data, dict) else None
    first_of_build: dict[Any, int] = {}
    if isinstance(frames, list):
        for index, frame in enumerate(frames):
            first_of_build.setdefault(_build(frame), index)
        data = {**data, "frames": [frames[index] for index in first_of_build.values()]}
    error = next(episode_validator().iter_errors(data), None)
    if error is None:
        return
    location = list(error.absolute_path)
    if len(location) > 1 and location[0] == "frames":
        location[1] = list(first_of_build.values())[int(location[1])]
    if error.validator == "additionalProperties":
        known = error.schema["properties"]
        unknown = next(name for name in error.instance if name not in known)
        frame, field = _frame_and_field([*location, unknown])
        raise EpisodeError(path, f"there is no such field; accepted are {', '.join(known)}", frame, field)
    if error.validator in ("required", "dependentRequired"):
        needed = error.validator_value
        if isinstance(needed, dict):
            needed = chain.from_iterable(names for name, names in needed.items() if name in error.instance)
        missing = next(name for name in needed if name not in error.instance)
        frame, field = _frame_and_field([*location, missing])
        raise EpisodeError(path, f"the field is missing{_hint(error.schema['properties'][missing])}", frame, field)
    frame, field = _frame_and_field(location)
    message = f"is {short_repr(error.instance)}, but {error.message}" if error.validator == "const" else error.message
    raise EpisodeError(path, f"{short_text(message)}{_hint(error.schema)}", frame, field)


def stack_numbers(path: str | Path, field: str, rows: Sequence[Any], shape: tuple[int, ...]) -> np.ndarray:
    """
    Check one array per frame, and stack them.

    :param path: the episode file, for the message
    :param field: name of their field, for the message
    :param rows: T entries, one per frame: numbers, nested lists or arrays
    :param shape: the shape that every row must have
    :return: float64 (T, \\*shape), finite, each number within the range of float32
    :raises EpisodeError: naming the first frame whose row has another shape, or holds anything but finite numbers
    """
    try:
        stacked = np.array(rows)
    except ValueError:  # rows of different lengths
        stacked = np.empty(0)
    if stacked.shape == (len(rows), *shape) and _finite(stacked):
        return stacked.astype(np.float64)
    checked = []
    for frame, row in enumerate(rows):
        try:
            values = np.array(row)
        except ValueError as error:
            raise EpisodeError(path, f"rows of different lengths, expected numbers of shape {shape}", frame, field) from error
        if values.dtype.kind in "iuf" and values.shape != shape:
            raise EpisodeError(path, f"has shape {values.shape}, expected {shape}", frame, field)
        if values.shape != shape or not _finite(values):
            value = next((item for item in np.array(row, object).ravel() if not _finite(np.array(item))), row)
            problem = f"holds {short_repr(value)}, expected finite numbers of shape {shape}"
            raise EpisodeError(path, problem, frame, field)
        checked.append(values.astype(np.float64))
    return np.array(checked).reshape(-1, *shape)


def _finite(values: np.ndarray) -> bool:
    return values.dtype.kind in "iuf" and bool((np.abs(values) <= np.finfo(np.float32).max).all())


def _build(value: Any) -> Any:
    """The structure of a frame as far as the schema checks it: keys, types, and lengths of arrays."""
    if isinstance(value, dict):
        return tuple((key, _build(item)) for key, item in value.items())
    if isinstance(value, list):
        return list, len(value)
    return (str, bool(value)) if isinstance(value, str) else type(value)


def _frame_and_field(location: Sequence[str | int]) -> tuple[int | None, str | None]:
    frame = None
    if len(location) > 1 and location[0] == "frames":
        frame, location = int(location[1]), location[2:]
    return frame, short_text(".".join(str(part) for part in location)) or None


def _hint(schema: Any) -> str:
    return f" ({schema['description']})" if "description" in schema else ""
