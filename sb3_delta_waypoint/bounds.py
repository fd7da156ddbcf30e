"""Bounds of numeric parameters, and the checks that raise an error for a value out of bounds."""

import math
import numbers
from typing import Any, NamedTuple, TypeGuard, get_type_hints

from sb3_delta_waypoint.messages import short_repr


class Bounds(NamedTuple):
    """Bounds of a parameter, used in its annotation: ``Annotated[float, Bounds(0.0, 1.0)]``."""

    low: float
    high: float
    """Both bounds are accepted values."""
    unit: str = ""
    whole: bool = False
    """Whether only whole numbers are accepted."""


def is_number(value: object, whole: bool = False) -> TypeGuard[float]:
    """
    Whether a value is a finite real number. ``bool`` does not count as one.

    :param value: any object
    :param whole: whether only integer types are accepted
    :return: whether it is
    """
    kind: Any = numbers.Integral if whole else numbers.Real
    # NaN compares false with everything, and no integer is too large to compare
    return isinstance(value, kind) and not isinstance(value, bool) and -math.inf < value < math.inf


def check_number(name: str, value: object, bounds: Bounds) -> None:
    """
    Check that a value is a number within bounds.

    :param name: name of the value, for the message
    :param value: any object
    :param bounds: bounds of the value
    :raises ValueError: if it is not a number (``bool`` is not), not finite, or out of bounds
    """
    if is_number(value, bounds.whole) and bounds.low <= value <= bounds.high:
        return
    expected = f"a {'whole ' * bounds.whole}number between {bounds.low:.10g} and {bounds.high:.10g} {bounds.unit}".rstrip()
    raise ValueError(f"{name}={short_repr(value)}: expected {expected}")


def check_parameters(name: str, parameters: Any) -> None:
    """
    Check every field that is annotated with :class:`Bounds`.

    :param name: name of the parameters, for the message; ``""`` if each field is an argument by itself
    :param parameters: a named tuple or a dataclass
    :raises ValueError: naming the first field that is out of bounds
    """
    for field, hint in get_type_hints(type(parameters), include_extras=True).items():
        for bounds in getattr(hint, "__metadata__", ()):
            check_number(f"{name}: {field}" if name else field, getattr(parameters, field), bounds)
