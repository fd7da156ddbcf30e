"""Values and texts as messages show them: short, on one line, whatever somebody has written into a file."""

import reprlib
from typing import Any


def short_repr(value: Any) -> str:
    """
    ``repr`` for a message.

    :param value: anything that came from a file
    :return: at most 100 characters on one line, in a time that does not depend on the value's size or depth
    """
    return short_text(_SHORT.repr(value), 100)


def short_text(text: object, length: int = 200) -> str:
    """
    Text for a message.

    :param text: what came from a file or from a library, an exception for instance
    :param length: characters
    :return: at most so many, and an ellipsis where some are missing, on one line, without control characters
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
