"""
Checks of the arguments of calls, made before a call runs by the shapes in its signature.

A shape is ``bool``, ``int`` (unsigned, 32 bits), ``float`` (finite), ``str`` (short), a ``range`` of whole numbers, ``Any``, a
list ``[shape]`` or ``[shape, maximum length]``, a tuple with the shape of each field of a struct, or a function that takes a
value and its name and raises a ``ValueError``.
"""

import inspect
from collections.abc import Callable
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from sb3_delta_waypoint.messages import short_repr

Wire = list[Any]
"""A struct on the wire: its fields in order."""

MAX_NUMBER = 1e6
"""Largest magnitude of a number, in any unit: a road scene has no larger one."""
MAX_TEXT = 256
"""Largest length of a name or of an attribute's value."""
MAX_ITEMS = 1 << 16
"""Largest length of a list."""
MAX_ATTRIBUTES = 64
"""Largest number of attributes of a blueprint."""
MIN_STEP, MAX_STEP = 1e-4, 10.0
"""Bounds of the length of a step [s]."""


def check(value: Any, shape: Any, name: str) -> None:
    """
    Check that a value has a shape.

    :param value: the value received
    :param shape: the accepted shape
    :param name: name of the value, for the message
    :raises ValueError: naming the value and what is accepted, if it has another shape
    """
    if shape is Any:
        return
    if shape is float:
        # in this form, NaN does not pass
        if type(value) not in (int, float) or not abs(value) <= MAX_NUMBER:
            raise ValueError(f"{name} is {short_repr(value)}; accepted are finite numbers up to ±{MAX_NUMBER:g}")
    elif shape is bool:
        if type(value) is not bool:
            raise ValueError(f"{name} is {short_repr(value)}; accepted are true and false")
    elif shape is int or isinstance(shape, range):
        accepted = shape if isinstance(shape, range) else range(2**32)
        if type(value) is not int or value not in accepted:
            raise ValueError(f"{name} is {short_repr(value)}; accepted are whole numbers from {accepted[0]} to {accepted[-1]}")
    elif shape is str:
        if type(value) is not str or len(value) > MAX_TEXT:
            raise ValueError(f"{name} is {short_repr(value)}; accepted are texts of at most {MAX_TEXT} characters")
    elif isinstance(shape, list):
        item, most = (*shape, MAX_ITEMS)[:2]
        if type(value) is not list or len(value) > most:
            raise ValueError(f"{name} is {short_repr(value)}; accepted are lists of at most {most} items")
        if item is not Any:
            for index, part in enumerate(value):
                check(part, item, f"{name}[{index}]")
    elif isinstance(shape, tuple):
        if type(value) is not list or len(value) != len(shape):
            raise ValueError(f"{name} is {short_repr(value)}; accepted are {len(shape)} values")
        for index, (part, field) in enumerate(zip(value, shape, strict=True)):
            check(part, field, f"{name}[{index}]")
    else:
        shape(value, name)


def optional(shape: Any) -> Callable[[Any, str], None]:
    """
    Make the shape of an optional value.

    :param shape: shape of the value
    :return: the shape of ``[false]`` and ``[true, value]``
    """

    def check_optional(value: Any, name: str) -> None:
        check(value, (bool,) if value == [False] else (bool, shape), name)

    return check_optional


def _step_length(value: Any, name: str) -> None:
    check(value, float, name)
    if value != 0.0 and not MIN_STEP <= value <= MAX_STEP:
        raise ValueError(f"{name} is {value}; accepted are 0 and {MIN_STEP} to {MAX_STEP} s")


def _text(value: Any, name: str) -> None:
    if type(value) is not str:
        raise ValueError(f"{name} is {short_repr(value)}; accepted is a text")


def _duration(value: Any, name: str) -> None:
    check(value, float, name)
    if value < 0.0:
        raise ValueError(f"{name} is {value}; accepted are seconds, not below 0")


VECTOR = (float, float, float)
CURVE = [(float, float), 256]
WHEEL = (*(float,) * 9, Any)

Seconds = Annotated[float, _duration]
Text = Annotated[str, _text]
"""A text of any length."""
Vector = Annotated[list[float], VECTOR]
Transform = Annotated[list[list[float]], (VECTOR, VECTOR)]
"""Location x, y, z [m] and rotation pitch, yaw, roll [degrees], in CARLA's frame."""
Description = Annotated[Wire, (int, str, [(str, int, str), MAX_ATTRIBUTES])]
"""ActorDescription: the blueprint and its attributes (name, type, value)."""
Settings = Annotated[
    Wire, (bool, bool, optional(_step_length), bool, float, range(-(2**31), 2**31), float, bool, float, float, bool)
]
"""EpisodeSettings."""
Weather = Annotated[Wire, (float,) * 14]
VehicleControl = Annotated[Wire, (float, float, float, bool, bool, bool, range(-(2**31), 2**31))]
WalkerControl = Annotated[Wire, (VECTOR, float, bool)]
PhysicsControl = Annotated[
    Wire,
    (
        CURVE, float, float, float, float, float, bool, float, float, float, [VECTOR, 64], float, float, VECTOR, CURVE,
        [WHEEL, 32], bool,
    ),
]  # fmt: skip
"""VehiclePhysicsControl."""


def checked(call: Callable[..., Any]) -> Callable[..., Any]:
    """
    Make a call check its arguments.

    :param call: a call whose annotations are or hold the shapes of its arguments; any other annotation accepts any value
    :return: the call, which raises ``ValueError`` for other arguments or another number of them
    """
    hints = get_type_hints(call, include_extras=True)
    parameters = list(inspect.signature(call).parameters.values())
    names, shapes = [parameter.name for parameter in parameters], [_shape(hints[parameter.name]) for parameter in parameters]
    most, least = len(parameters), sum(parameter.default is parameter.empty for parameter in parameters)

    def checked_call(*arguments: Any) -> Any:
        if not least <= len(arguments) <= most:
            raise ValueError(f"{call.__name__} got {len(arguments)} arguments; accepted are {', '.join(names) or 'none'}")
        for argument, shape, name in zip(arguments, shapes, names, strict=False):
            check(argument, shape, name)
        return call(*arguments)

    return checked_call


def _shape(hint: Any) -> Any:
    if get_origin(hint) is Annotated:
        return get_args(hint)[1]
    if get_origin(hint) is list:
        return [_shape(get_args(hint)[0])]
    return hint if hint in (bool, int, float, str) else Any
