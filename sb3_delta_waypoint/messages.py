"""Formatting of values and texts for messages: short and on one line, whatever they contain."""

import reprlib
from typing import Any


def short_repr(value: Any) -> str:
    """
    Format a value for a message, in a time that does not depend on its size or depth.

    :param value: any object, such as one read from a file
    :return: its ``repr``, shortened to about 100 characters on one line
    """
    return short_text(_SHORT.repr(value), 100)


def short_text(text: object, length: int = 200) -> str:
    """
    Format a text for a message.

    :param text: text, or an object such as an exception
    :param length: largest number of characters before an ellipsis replaces the middle
    :return: the text on one line, without control characters
    """
    line = " ".join(str(text)[: 100 * length].split())
    if len(line) > length:
        line = f"{line[: length // 2]} … {line[-(length // 2) :]}"
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in line)


class _Short(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxstring, self.maxother = 3, 80, 80

    def repr_int(self, x: int, level: int) -> str:
        # Python refuses to write out integers of more than 4,300 digits
        return super().repr_int(x, level) if x.bit_length() < 1000 else f"<an integer of {x.bit_length()} bits>"


_SHORT = _Short()
