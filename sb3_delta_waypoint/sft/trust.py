"""Trusted modules: a file may name code of this package and of modules that the user trusts."""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from sb3_delta_waypoint.messages import short_repr

VARIABLE = "SB3_DELTA_WAYPOINT_TRUST"
"""Environment variable with the names of trusted modules, separated by commas."""
IMPORT_PATH = re.compile(r"[\w.]+:[\w.]+")
"""Pattern of an import path, ``package.module:attribute``."""

_OWN = __name__.partition(".")[0]
_typed: set[str] = set()
_trusted: ContextVar[tuple[str, ...]] = ContextVar("trusted", default=())


class UntrustedError(PermissionError):
    """
    Raised for a file that names code of a module that the user does not trust. Not a ValueError: ``PPO.load`` swallows those.
    """


@contextmanager
def trusting(trust: str | Sequence[str]) -> Iterator[None]:
    """
    Trust additional modules within a context. Threads that are started inside it do not inherit this trust.

    :param trust: names of modules or packages, such as ``("my_planners",)``; files may name classes of these and of their
        submodules
    """
    token = _trusted.set((*_trusted.get(), *((trust,) if isinstance(trust, str) else trust)))
    try:
        yield
    finally:
        _trusted.reset(token)


def trust_typed(import_path: str) -> None:
    """
    Trust the module of an import path that the user gave, until the process ends: its code has to run in any case.

    :param import_path: ``"package.module:attribute"``
    """
    _typed.add(_module(import_path))


def check_trusted(import_path: object, file: str | Path) -> str:
    """
    Check that an import path in a file is trusted, before anything is imported.

    :param import_path: the import path in the file, ``"package.module:attribute"``
    :param file: name of the file, for the error message
    :return: the import path
    :raises ValueError: if it is not an import path
    :raises UntrustedError: if the module is neither part of this package nor trusted; the message gives the remedy
    """
    if not isinstance(import_path, str) or not IMPORT_PATH.fullmatch(import_path):
        raise ValueError(f"{short_repr(import_path)} is not an import path, package.module:class")
    module = _module(import_path)
    from_environment = (name.strip() for name in os.environ.get(VARIABLE, "").split(","))
    trusted = {_OWN, *_typed, *map(_module, (*_trusted.get(), *from_environment))} - {""}
    if not any(module == name or module.startswith(f"{name}.") for name in trusted):
        if module == "__main__":
            raise UntrustedError(
                f"{file} names {short_repr(import_path)}, a class of the script that wrote it: move the class into a module, "
                "such as own_planners.py, import it from there, and write the file again"
            )
        shown = short_repr(module)[1:-1]
        raise UntrustedError(
            f"{file} names {short_repr(import_path)}, code outside of this package, which is not run unasked: if you trust "
            f"the file and the module, say so by trust=({shown!r},), --trust {shown} or {VARIABLE}={shown}"
        )
    return import_path


def _module(import_path: str) -> str:
    return import_path.partition(":")[0]
