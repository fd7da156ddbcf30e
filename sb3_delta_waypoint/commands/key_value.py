"""KEY:VALUE on the command line: arguments of an env, hyperparameters."""

from typing import Any

import click


class KeyValue(click.ParamType):
    """
    ``KEY:VALUE``. A value is what Python makes of it, such as ``200``, ``2**11``, ``[84, 64]``, ``dict(lateral=1.0)``; what
    names anything but ``dict``, or is no Python, is a string: ``town:Town01.xodr``.
    """

    name = "KEY:VALUE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Any]:
        key, colon, text = value.partition(":")
        if not (key and colon and text):
            example = "n_steps:64" if param is not None and param.name == "hyperparams" else "route_length:200"
            self.fail(f"{value!r} is not KEY:VALUE, such as {example}", param, ctx)
        try:
            return key, eval(text, {"__builtins__": {}, "dict": dict})
        except Exception:  # all that is not Python
            return key, text


KEY_VALUE = KeyValue()
