"""Decorators that compile functions with numba.

Division follows NumPy (by zero to inf), since a check at every division costs more than the division. ``fastmath`` is not
used, because it would make ``isfinite`` true for NaN.
"""

import hashlib
import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from numba import njit
from numba.core import caching

Function = TypeVar("Function", bound=Callable[..., Any])

_PACKAGE = Path(__file__).parents[1]
_IMPORT = re.compile(rf"^from {_PACKAGE.name}\.([\w.]+) import", re.MULTILINE)


def kernel(function: Function) -> Function:
    """Decorator that compiles a loop over cars, or a function that such a loop seldom calls."""
    # said, so that a kernel that a lean function calls may allocate
    return _compiled(function, _nrt=True)


def inlined(function: Function) -> Function:
    """
    Decorator that compiles a function about one car, which allocates nothing itself, into the functions that call it.

    LLVM does that: numba analyses the function once, and not again at each call.
    """
    return _compiled(function, _nrt=False, forceinline=True)


def lean(function: Function) -> Function:
    """
    Decorator that compiles a function that allocates nothing itself.

    Counting references to the arrays in its arguments would cost several times its arithmetic.
    """
    return _compiled(function, _nrt=False)


def _compiled(function: Function, **options: Any) -> Function:
    # nobody calls these functions from C
    options |= {"error_model": "numpy", "no_cfunc_wrapper": True}
    compiled: Any = njit(function, **options)
    # as njit(cache=True), but with another test of whether a compiled function is stale
    compiled._cache = _Cache(function)
    return compiled


@lru_cache
def _imported(path: Path) -> frozenset[Path]:
    """The files of this package that one of its files imports from."""
    names = _IMPORT.findall(path.read_text(encoding="utf-8"))
    files = (_PACKAGE.joinpath(*name.split(".")).with_suffix(".py") for name in names)
    return frozenset(file for file in files if file.exists())


@lru_cache
def source_stamp(path: Path) -> str:
    """
    Digest of the source that a function is compiled from.

    numba's own stamp covers the file of the function, but not the files of the functions and constants that it uses.

    :param path: a file of this package
    :return: digest of its text and of the text of every file of this package that it needs
    """
    needed, new = {path}, {path}
    while new:
        new = {imported for file in new for imported in _imported(file)} - needed
        needed |= new
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in sorted(needed))).hexdigest()


def _stamped(locator: Any) -> Any:
    return type(locator.__name__, (locator,), {"get_source_stamp": lambda self: source_stamp(Path(self._py_file))})


class _CacheImpl(caching.CompileResultCacheImpl):
    # where the cache is kept: a folder that the user chose, beside the source, or in the user's cache folder
    _locator_classes = [
        _stamped(locator)
        for locator in (caching.UserProvidedCacheLocator, caching.InTreeCacheLocator, caching.UserWideCacheLocator)
    ]


class _Cache(caching.FunctionCache):
    _impl_class = _CacheImpl
