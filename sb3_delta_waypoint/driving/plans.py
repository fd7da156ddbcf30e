"""Checks of plans, shared by simulated and measured drives."""

import numpy as np
from numpy.typing import ArrayLike

from sb3_delta_waypoint.contract import POSITION_BOUND
from sb3_delta_waypoint.driving.kernels import kernel

_BOUND = np.float32(POSITION_BOUND)


@kernel
def _all_within(values: np.ndarray) -> bool:
    """``(abs(values) <= POSITION_BOUND).all()`` in one pass over a flat array; false for NaN."""
    within = True
    for k in range(values.size):
        within &= abs(values[k]) <= _BOUND
    return within


def checked_plans(plans: ArrayLike, *shape: int) -> np.ndarray:
    """
    Check plans and convert them to the array that the kernels take. Nothing is broadcast.

    :param plans: numbers, metres, ego frame
    :param shape: ``n, H, 2`` for the plans of ``n`` cars, ``H, 2`` for one plan
    :return: the plans, float32, contiguous
    :raises ValueError: if they are not numbers or have another shape, or if a coordinate is not finite or exceeds
        :data:`~.contract.POSITION_BOUND`
    """
    try:
        given = np.asarray(plans)
    except ValueError:
        raise ValueError("plans are rows of different lengths; accepted are pairs of x and y") from None
    if given.dtype.kind not in "fiu":
        raise ValueError(f"plans are {given.dtype}; accepted are real numbers, metres, as float32")
    if given.shape != shape:
        meaning = "(cars, horizon steps, x and y)" if len(shape) == 3 else "(horizon steps, x and y)"
        raise ValueError(f"plans have the shape {given.shape}; accepted is {meaning} = {shape}")
    if given.dtype == np.float32:
        found = np.ascontiguousarray(given)
    else:
        with np.errstate(over="ignore"):
            found = np.ascontiguousarray(given, np.float32)
    if not _all_within(found.ravel()):
        *car, h, axis = index = tuple(np.argwhere(~(np.abs(found) <= _BOUND))[0].tolist())
        whose = f"the plan of env {car[0]}" if car else "the plan"
        raise ValueError(
            f"{whose} has {given[index]} at waypoint {h}, {'xy'[axis]}; accepted are metres from {-POSITION_BOUND:g} to "
            f"{POSITION_BOUND:g}"
        )
    return found


def within_bound(plans: np.ndarray) -> np.ndarray:
    """
    Clip plans to :data:`~.contract.POSITION_BOUND`, in place: a car faster than the cruise speed may plan beyond it.

    :param plans: float32, metres, ego frame
    :return: the same array
    """
    return np.clip(plans, -_BOUND, _BOUND, out=plans)
