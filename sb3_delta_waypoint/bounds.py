"""Which numbers a parameter accepts, and the error for one that it does not."""

import math
import numbers
from typing import Any, NamedTuple, TypeGuard, get_type_hints

from sb3_delta_waypoint.messages import short_repr


class Bounds(NamedTuple):
    """The numbers that a parameter accepts; its annotation: ``Annotated[float, Bounds(0.0, 1.0)]``."""

    low: float
    high: float
    """The ends are accepted, too."""
    unit: str = ""
    whole: bool = False
    """Only whole numbers."""


def is_number(value: object, whole: bool = False) -> TypeGuard[float]:
    """
    :param value: anything
    :param whole: accept only whole numbers, of an integer type
    :return: whether it is a finite real number; a truth value is none
    """
    kind: Any = numbers.Integral if whole else numbers.Real
    # NaN compares false with everything, and no integer is too large to compare
    return isinstance(value, kind) and not isinstance(value, bool) and -math.inf < value < math.inf


def check_number(name: str, value: object, bounds: Bounds) -> None:
    """
    :param name: what the caller calls the value
    :param value: anything
    :param bounds: what is accepted
    :raises ValueError: if it is no number (a truth value is none), not finite, or out of bounds
    """
    if is_number(value, bounds.whole) and bounds.low <= value <= bounds.high:
        return
    expected = f"a {'whole ' * bounds.whole}number between {bounds.low:.10g} and {bounds.high:.10g} {bounds.unit}".rstrip()
    raise ValueError(f"{name}={short_repr(value)}: expected {expected}")


def check_parameters(name: str, parameters: Any) -> None:
    """
    Check every field that is annotated with :class:`Bounds`.

    :param name: what the caller calls the parameters; ``""`` where each field is an argument of its own
    :param parameters: a named tuple or a dataclass
    :raises ValueError: naming the first field that is out of bounds
    """
    for field, hint in get_type_hints(type(parameters), include_extras=True).items():
        for bounds in getattr(hint, "__metadata__", ()):
            check_number(f"{name}: {field}" if name else field, getattr(parameters, field), bounds)
