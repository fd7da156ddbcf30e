"""Saving planners, and loading them from a file, an object or an import path."""

import io
import re
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from sb3_delta_waypoint.files import refuse_compressed, refuse_expansion, write_atomically
from sb3_delta_waypoint.messages import short_repr, short_text
from sb3_delta_waypoint.sft.planners.finding import called, import_path_of, resolve
from sb3_delta_waypoint.sft.planners.protocol import check_attributes
from sb3_delta_waypoint.sft.trust import IMPORT_PATH, check_trusted, trust_typed, trusting

FORMAT = "sb3_delta_waypoint.planner/1"
DEFAULT_PLANNER = Path(__file__).parent / "default_planner.pt"
MAX_SHARING = 10
"""Maximum ratio of the size of a file's tensors, written out, to the size of the file; tied tensors share their storage."""


def save_planner(model: nn.Module, path: str | Path) -> Path:
    """
    Write a planner to one file, atomically: its class, its ``config()`` and its tensors. Warns of a class that is defined in
    the script that runs, which no other program can import.

    :param model: a planner with a ``config()`` of primitives from which its class can be built again
    :param path: path of the file
    :return: the path of the file
    :raises ValueError: if the planner has no ``config()``
    """
    description = describe_planner(model)
    if type(model).__module__ == "__main__":
        warnings.warn(
            f"{path} names the class {description['class']}, which only this script can load: move the class into a module, "
            "such as own_planners.py, and import it from there",
            stacklevel=2,
        )
    content = {
        "format": FORMAT,
        **description,
        "state_dict": {name: tensor.detach().cpu() for name, tensor in model.state_dict().items()},
    }
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return write_atomically(path, buffer.getvalue())


def load_planner(
    sft: str | Path | nn.Module | None = None,
    device: str | torch.device = "cpu",
    trust: str | Sequence[str] = (),
    kwargs: Mapping[str, Any] | None = None,
) -> nn.Module:
    """
    Load a planner: a module that satisfies :class:`~sb3_delta_waypoint.sft.planners.protocol.WaypointPlanner`.

    :param sft: a file (``model.pt``), an import path (``"package.module:attribute"``: a planner, or a class or function that
        makes one), a planner, which is returned unchanged, or None for the planner that ships with the package
    :param device: device for a planner from a file or an import path
    :param trust: names of modules whose classes a file may name. Always trusted are this package, the modules of import paths
        given in this process, and those in the environment variable ``SB3_DELTA_WAYPOINT_TRUST``
    :param kwargs: arguments of the class or function that an import path names
    :return: the planner; from a file, in evaluation mode
    :raises FileNotFoundError: if there is no such file
    :raises ~sb3_delta_waypoint.sft.trust.UntrustedError: if a file names a class of a module that is not trusted
    :raises ValueError: if the object found is not a planner, an import path cannot be resolved, or ``kwargs`` are given for
        something other than a class or a function
    """
    if kwargs and not is_import_path(sft):
        shown = type(sft).__name__ if isinstance(sft, nn.Module) else short_repr(str(sft or "the planner of this package"))
        raise ValueError(
            f"{shown} takes no arguments, but was given {', '.join(kwargs)}: only an import path, package.module:Class, does"
        )
    if isinstance(sft, nn.Module):
        return _checked(sft, type(sft).__name__)
    if sft is None:
        return _from_file(DEFAULT_PLANNER, device)
    if is_import_path(sft):
        trust_typed(str(sft))
        found = resolve(str(sft))
        if kwargs or not (isinstance(found, nn.Module) or not callable(found)):
            found = called(found, str(sft), kwargs or {})
        return _checked(found, str(sft)).to(device)
    with trusting(trust):
        return _from_file(Path(sft), device)


def is_import_path(sft: object) -> bool:
    """
    Return whether a planner is given by import path; an existing file of that name takes precedence.

    :param sft: the argument of :func:`load_planner`
    :return: whether it is an import path
    """
    return isinstance(sft, str | Path) and bool(IMPORT_PATH.fullmatch(str(sft))) and not Path(sft).exists()


def describe_planner(model: nn.Module) -> dict[str, Any]:
    """
    Return all that is needed to build a planner again, except its tensors.

    :param model: a planner with a ``config()`` of primitives from which its class can be built again
    :return: ``{"class": import path, "config": arguments}``, primitives only
    :raises ValueError: if the planner has no ``config()``
    """
    config = getattr(model, "config", None)
    if not callable(config):
        raise ValueError(f"a {type(model).__name__} cannot be saved: it lacks config(), the arguments to build it again")
    return {"class": import_path_of(type(model)), "config": config()}


def build_planner(description: Any, file: str | Path = "the saved state", state: Mapping[str, Any] | None = None) -> nn.Module:
    """
    Build a planner from its description, the inverse of :func:`describe_planner`.

    :param description: ``{"class": import path, "config": arguments}``
    :param file: file that the description comes from, for the error message
    :param state: the tensors saved with the description; a planner of this package that would be much larger is refused
    :return: the planner, with newly initialised tensors
    :raises ~sb3_delta_waypoint.sft.trust.UntrustedError: if the class is of a module that is not trusted
    :raises ValueError: if the description is malformed, or the class cannot be found or is not a module
    """
    planner_class, config = _described(description, file)
    if state is not None and planner_class.__module__.startswith(f"{__name__.partition('.')[0]}."):
        with torch.device("meta"):  # allocates no memory
            asked = _size(planner_class(**config).state_dict())
        if asked > MAX_SHARING * _size(state):
            raise ValueError(f"its configuration asks for {asked:,} bytes of tensors, the file holds {_size(state):,}")
    return planner_class(**config)


def _described(description: Any, file: str | Path) -> tuple[type[nn.Module], dict[str, Any]]:
    """Return the class and the arguments that a file names; only trusted modules are imported."""
    if not isinstance(description, Mapping):
        raise ValueError(f"{short_repr(description)} does not describe a planner by class and config")
    named, config = description["class"], description["config"]
    planner_class = resolve(check_trusted(named, file))
    # a file may name a class to build, but nothing else to call
    if not (isinstance(planner_class, type) and issubclass(planner_class, nn.Module)):
        raise ValueError(f"{short_repr(named)} is not a torch.nn.Module")
    # a module's attributes include what it imports
    check_trusted(import_path_of(planner_class), file)
    refuse_expansion(config)
    if not isinstance(config, dict) or not all(isinstance(name, str) for name in config):
        raise ValueError(f"config is {short_repr(config)}, expected arguments by name")
    return planner_class, config


def _checked(planner: Any, name: str) -> nn.Module:
    if not isinstance(planner, nn.Module):
        raise ValueError(f"planner '{name}' is a {type(planner).__name__}; expected a torch.nn.Module, or what makes one")
    horizon_steps = getattr(planner, "horizon_steps", None)
    if not isinstance(horizon_steps, int) or horizon_steps < 1:
        raise ValueError(
            f"planner '{name}' needs the attribute horizon_steps, the number of waypoints in a plan; found {horizon_steps!r}"
        )
    check_attributes(planner, name)
    return planner


def _from_file(path: Path, device: str | torch.device) -> nn.Module:
    if not path.is_file():
        raise FileNotFoundError(f"there is no planner file {path}; 'sb3-delta-waypoint sft' writes one")
    content = _content(path, device)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f"{path} is not a planner file: it lacks format '{FORMAT}'; save_planner() writes such files")
    try:
        state = content["state_dict"]
        if not isinstance(state, dict) or not all(isinstance(tensor, torch.Tensor) for tensor in state.values()):
            raise ValueError("state_dict is not a dictionary of tensors")
        refuse_views(state, path)
        planner = build_planner(content, path, state)
        planner.load_state_dict(state)
    except KeyError as error:
        raise ValueError(f"{path} does not fit this version of the planner: {error} is missing") from error
    except (TypeError, ValueError, RuntimeError, AttributeError, ArithmeticError, MemoryError) as error:
        raise ValueError(f"{path} does not fit this version of the planner: {torch_reason(error)}") from error
    return _checked(planner, str(path)).to(device).eval()


def _content(path: Path, device: str | torch.device) -> Any:
    """Read what ``torch.save`` wrote, without running code from the file."""
    remedy = (
        "load it yourself and hand over the module, or name a function that does by its import path, package.module:function"
    )
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        if "policy.pth" in names:
            raise ValueError(f"{path} is a Stable-Baselines3 model; expected a planner, the model.pt that 'sft' writes")
        if any(name.endswith("/constants.pkl") for name in names):
            raise ValueError(f"{path} is a TorchScript module, not a planner file: {remedy}")
        refuse_compressed(path)
        return torch.load(path, map_location=device, weights_only=True)
    except zipfile.BadZipFile as error:
        reason = "it is no archive, as torch.save() writes them"
        raise ValueError(f"{path} is not a planner file, or is damaged: {reason}") from error
    except OSError:
        raise
    except Exception as error:  # torch raises exceptions of many types for damaged files
        if str(error).startswith(str(path)):
            raise
        reason = torch_reason(error)
        if "pickled" in reason:
            reason += f"; save_planner() writes planners without. If it is a whole module, {remedy}"
        raise ValueError(f"{path} is not a planner file, or is damaged: {reason}") from error


def torch_reason(error: Exception) -> str:
    """
    Return the reason in a torch exception, without its advice and its C++ stack trace.

    :param error: the exception that torch raised
    :return: one line
    """
    text = str(error).partition("Exception raised from")[0] or type(error).__name__
    if found := re.search(r"GLOBAL ([\w.]+) was not an allowed global", text):
        return f"it holds a pickled {found[1]}, which would run code"
    return short_text(text.rpartition("WeightsUnpickler error:")[2], 400)


def refuse_views(state: Mapping[str, Any], path: str | Path) -> None:
    """
    Refuse tensors whose shape is much larger than their storage, such as views of one number with stride 0.

    :param state: tensors by name; other values are ignored
    :param path: the file that the tensors come from
    :raises ValueError: if the tensors are much larger than the file
    """
    asked, size = _size(state), Path(path).stat().st_size
    if asked > MAX_SHARING * size:
        raise ValueError(f"its tensors would take {asked:,} bytes, {asked // max(size, 1):,} times the size of the file")


def _size(state: Mapping[str, Any]) -> int:
    """Return the size of all tensors, in bytes."""
    return sum(part.numel() * part.element_size() for part in state.values() if isinstance(part, torch.Tensor))
