"""A planner's file, and finding a planner by file, object or import path."""

import importlib
import inspect
import io
import re
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import nn

from sb3_delta_waypoint.files import write_atomically

FORMAT = "sb3_delta_waypoint.planner/1"
DEFAULT_PLANNER = Path(__file__).parent / "default_planner.pt"


def save_planner(model: nn.Module, path: str | Path) -> Path:
    """
    Write a planner to one file, atomically: its class, its ``config()`` and its tensors.

    :param model: a planner with a ``config()`` of primitives from which its class can be built again
    :param path: the file
    :return: the path
    :raises ValueError: if the planner has no ``config()``
    """
    content = {
        "format": FORMAT,
        **describe_planner(model),
        "state_dict": {name: tensor.detach().cpu() for name, tensor in model.state_dict().items()},
    }
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return write_atomically(path, buffer.getvalue())


def load_planner(sft: str | Path | nn.Module | None = None, device: str | torch.device = "cpu") -> nn.Module:
    """
    Find a planner. Any module that maps the observation dictionary to ``(latent (B, D), waypoints (B, H, 2))``, metres, and
    has the attribute ``horizon_steps`` will do; ``plan_dt`` (0.1), ``observation_keys`` (all) and ``latent_dim`` are optional.

    :param sft: a file (``model.pt``), an import path (``"package.module:attribute"``; a module, or a class or function to be
        called without arguments), a module, which is returned as it is, or None for the planner that ships with the package
    :param device: where to put a planner from a file or an import path
    :return: the planner; from a file, in evaluation mode
    :raises FileNotFoundError: if there is no such file
    :raises ValueError: if what is found is not a planner, or an import path leads nowhere
    """
    if isinstance(sft, nn.Module):
        return _checked(sft, type(sft).__name__)
    if sft is None:
        return _from_file(DEFAULT_PLANNER, device)
    if not Path(sft).exists() and re.fullmatch(r"[\w.]+:[\w.]+", str(sft)):
        return _checked(_made(resolve(str(sft)), str(sft)), str(sft)).to(device)
    return _from_file(Path(sft), device)


def describe_planner(model: nn.Module) -> dict[str, Any]:
    """
    What is needed to build a planner again, but for its tensors.

    :param model: a planner with a ``config()`` of primitives from which its class can be built again
    :return: ``{"class": import path, "config": arguments}``, primitives only
    :raises ValueError: if the planner has no ``config()``
    """
    config = getattr(model, "config", None)
    if not callable(config):
        raise ValueError(f"a {type(model).__name__} cannot be saved: it lacks config(), the arguments to build it again")
    return {"class": f"{type(model).__module__}:{type(model).__qualname__}", "config": config()}


def build_planner(description: dict[str, Any]) -> nn.Module:
    """
    The reverse of :func:`describe_planner`.

    :param description: ``{"class": import path, "config": arguments}``
    :return: the planner, with fresh tensors
    :raises ValueError: if the class cannot be found or is not a module
    """
    planner_class = resolve(description["class"])
    # a file may name a class to build, but nothing else to call
    if not (isinstance(planner_class, type) and issubclass(planner_class, nn.Module)):
        raise ValueError(f"'{description['class']}' is not a torch.nn.Module")
    return planner_class(**description["config"])


def resolve(import_path: str) -> Any:
    """
    :param import_path: ``"package.module:attribute"``
    :return: what it names
    :raises ValueError: if it leads nowhere
    """
    module_name, _, attribute = import_path.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
    except ImportError as error:
        raise ValueError(
            f"planner '{import_path}': cannot import '{module_name}' ({error}); it must be installed or lie on PYTHONPATH"
        ) from error
    for name in attribute.split("."):
        if not hasattr(found, name):
            raise ValueError(f"planner '{import_path}': '{module_name}' has no '{attribute}'")
        found = getattr(found, name)
    return found


def _made(found: Any, import_path: str) -> Any:
    if isinstance(found, nn.Module) or not callable(found):
        return found
    needed = [
        name
        for name, parameter in inspect.signature(found).parameters.items()
        if parameter.default is parameter.empty and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    if needed:
        raise ValueError(f"planner '{import_path}' is called without arguments, but needs {', '.join(needed)}")
    return found()


def _checked(planner: Any, name: str) -> nn.Module:
    if not isinstance(planner, nn.Module):
        raise ValueError(f"planner '{name}' is a {type(planner).__name__}; expected a torch.nn.Module, or what makes one")
    horizon_steps = getattr(planner, "horizon_steps", None)
    if not isinstance(horizon_steps, int) or horizon_steps < 1:
        raise ValueError(
            f"planner '{name}' needs the attribute horizon_steps, the number of waypoints in a plan; found {horizon_steps!r}"
        )
    return planner


def _from_file(path: Path, device: str | torch.device) -> nn.Module:
    if not path.is_file():
        raise FileNotFoundError(f"there is no planner file {path}; 'sb3-delta-waypoint sft' writes one")
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if "policy.pth" in archive.namelist():
                raise ValueError(f"{path} is a Stable-Baselines3 model; expected a planner, the model.pt that 'sft' writes")
    try:
        content = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # torch raises whatever its unpickler stumbles over
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ValueError(f"{path} is not a planner file, or is damaged: {reason}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f"{path} is not a planner file: it lacks format '{FORMAT}'; save_planner() writes such files")
    try:
        planner = build_planner(content)
        planner.load_state_dict(content["state_dict"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{path} does not fit this version of the planner: {error}") from error
    return _checked(planner, str(path)).to(device).eval()
