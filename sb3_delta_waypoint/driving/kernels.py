"""How the functions about cars are compiled.

They divide as NumPy does (by zero to inf), since a check at every division costs more than the division. No ``fastmath``: it
would make ``isfinite`` true for NaN.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])


def kernel(function: Function) -> Function:
    """Decorator of a loop over cars, and of what it seldom calls."""
    compiled: Any = njit(function, cache=True, error_model="numpy")
    return compiled


def inlined(function: Function) -> Function:
    """Decorator of a function about one car: a call that is not inlined counts references to its arrays, atomically."""
    compiled: Any = njit(function, cache=True, error_model="numpy", inline="always")
    return compiled


def forget_stale_kernels(folder: Path) -> None:
    """
    Numba compiles a kernel again when its own file changes, not when the file of a function in it does.

    :param folder: of modules with kernels; they use functions of each other and of this package
    """
    sources = {*folder.glob("*.py"), *Path(__file__).parent.glob("*.py")}
    changed = max(source.stat().st_mtime for source in sources)
    for compiled in folder.glob("__pycache__/*.nb[ci]"):
        with suppress(OSError):  # not ours to write, or another process was faster
            if compiled.stat().st_mtime < changed:
                compiled.unlink()


forget_stale_kernels(Path(__file__).parent)
