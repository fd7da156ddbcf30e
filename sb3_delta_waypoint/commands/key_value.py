"""The parameter type KEY:VALUE, for arguments of an env and hyperparameters."""

from typing import Any

import click


class KeyValue(click.ParamType):
    """
    A parameter type for ``KEY:VALUE``. A value is evaluated as Python, such as ``200``, ``2**11``, ``[84, 64]``,
    ``dict(lateral=1.0)``. If it uses names other than ``dict`` or is not valid Python, it is a string: ``town:Town01.xodr``.
    """

    name = "KEY:VALUE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Any]:
        key, colon, text = value.partition(":")
        if not (key and colon and text):
            example = "n_steps:64" if param is not None and param.name == "hyperparams" else "route_length:200"
            self.fail(f"{value!r} is not KEY:VALUE, such as {example}", param, ctx)
        try:
            return key, eval(text, {"__builtins__": {}, "dict": dict})
        except Exception:  # the value is not valid Python
            return key, text


KEY_VALUE = KeyValue()
