"""Temporary replacement of attributes of other packages."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def replaced(owner: Any, **attributes: Any) -> Iterator[None]:
    """
    Replace attributes of a module or class within a context, in all threads. Use it only for what rl_zoo3 and SB3 look up by
    name and have no argument for.

    :param owner: the module or class
    :param attributes: new values of the attributes, by name
    """
    before = {name: vars(owner)[name] for name in attributes}
    try:
        for name, value in attributes.items():
            setattr(owner, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(owner, name, value)
