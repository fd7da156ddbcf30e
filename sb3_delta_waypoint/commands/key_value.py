"""Keyword arguments on the command line."""

import ast
from typing import Any

import click


def key_and_value(text: str, option: str = "--env-kwargs") -> tuple[str, Any]:
    """
    :param text: ``KEY:VALUE``, the value as Python writes it, or else a string
    :param option: what it was given with, for the message
    :return: both
    :raises click.BadParameter: if it is not of this form
    """
    key, colon, value = text.partition(":")
    if not (key and colon and value):
        raise click.BadParameter(f"{text!r} is not KEY:VALUE, such as route_length:200", param_hint=option)
    try:
        return key, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return key, value
