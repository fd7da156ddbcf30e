"""The panel of behaviours: how others on the road drive, and the options of an env's traffic."""

from collections.abc import Mapping
from typing import Annotated, NamedTuple

import numpy as np

from sb3_delta_waypoint.bounds import Bounds, check_parameters
from sb3_delta_waypoint.messages import short_repr

Range = tuple[float, float]


class Behaviour(NamedTuple):
    """
    How others drive: ranges from which each draws the parameters of its intelligent driver model (Treiber, Hennecke and
    Helbing, 2000), and what else sets the behaviour apart.
    """

    headway: Range
    """Time headway T [s]."""
    gap: Range
    """Gap at standstill s0 [m]."""
    acceleration: Range
    """Largest acceleration a [m/s²]."""
    braking: Range
    """Comfortable deceleration b [m/s²]."""
    pace: Range
    """Desired speed as a share of the limit."""
    changes_lanes: bool = False
    """Whether drivers change lanes (MOBIL; Kesting, Treiber and Helbing, 2007)."""
    deaf: bool = False
    """Whether nobody reacts to the car."""
    inserted: bool = False
    """
    Whether each scenario holds something that exists nowhere else: a standing car in the car's lane, a pedestrian who steps
    out right in front of it, or a vehicle that runs a red light.
    """


_MIXED = Behaviour((1.2, 1.9), (1.5, 2.5), (1.2, 1.8), (1.7, 2.3), (0.85, 1.1))

BEHAVIOURS = {
    "replay": _MIXED._replace(deaf=True),
    "idm": Behaviour((1.5, 1.5), (2.0, 2.0), (1.5, 1.5), (2.0, 2.0), (1.0, 1.0)),
    "mixed": _MIXED,
    "cautious": Behaviour((2.2, 2.2), (3.0, 3.0), (1.0, 1.0), (2.0, 2.0), (1.0, 1.0)),
    "aggressive": Behaviour((0.8, 0.8), (1.0, 1.0), (2.5, 2.5), (2.0, 2.0), (1.15, 1.15), changes_lanes=True),
    "inserted": _MIXED._replace(inserted=True),
}
"""The panel of METRICS: behaviours by name."""


class TrafficOptions(NamedTuple):
    """Others on the road: largest numbers of them (fewer are placed where there is no room), and how they behave."""

    vehicles: Annotated[int, Bounds(0, 64, whole=True)] = 10
    """Vehicles that drive."""
    pedestrians: Annotated[int, Bounds(0, 32, whole=True)] = 4
    """Pedestrians, most of whom cross the car's route."""
    parked: Annotated[int, Bounds(0, 32, whole=True)] = 3
    """Cars that stand beside the lanes."""
    behaviour: Mapping[str, float] = {"mixed": 1.0}  # noqa: RUF012
    """Names of :data:`BEHAVIOURS` and their shares of the scenarios."""


def traffic_options(given: Mapping[str, object] | TrafficOptions | None) -> TrafficOptions:
    """
    Make the options of an env's traffic.

    :param given: the options that differ from :class:`TrafficOptions`; ``behaviour`` is a name, or a mapping of names to
        weights
    :return: the options, the shares of the behaviours adding up to 1
    :raises ValueError: for an unknown key or behaviour, or a number that is not accepted
    """
    if given is None:
        return TrafficOptions()
    if not isinstance(given, Mapping | TrafficOptions):
        raise ValueError(f"traffic={short_repr(given)}: expected a mapping of names to numbers, or TrafficOptions")
    values = dict(given) if isinstance(given, Mapping) else given._asdict()
    unknown = [key for key in values if key not in TrafficOptions._fields]
    if unknown:
        raise ValueError(
            f"traffic={short_repr(given)}: {short_repr(unknown[0])} is unknown; accepted are "
            f"{', '.join(TrafficOptions._fields)}"
        )
    behaviour = values.pop("behaviour", TrafficOptions().behaviour)
    options = TrafficOptions(**values)._replace(behaviour=shares_of(behaviour))
    check_parameters("traffic", options)
    return options


def shares_of(behaviour: object) -> dict[str, float]:
    """
    Shares of behaviours in the scenarios.

    :param behaviour: a name of :data:`BEHAVIOURS`, or a mapping of names to weights
    :return: the shares, which add up to 1
    :raises ValueError: for an unknown name, or weights that are not accepted
    """
    weights = {behaviour: 1.0} if isinstance(behaviour, str) else behaviour
    if not isinstance(weights, Mapping) or not weights:
        raise ValueError(
            f"traffic: behaviour={short_repr(behaviour)}: expected a name, or a mapping of names to weights; names are "
            f"{', '.join(BEHAVIOURS)}"
        )
    for name, weight in weights.items():
        if name not in BEHAVIOURS:
            raise ValueError(f"traffic: behaviour={short_repr(name)} is unknown; accepted are {', '.join(BEHAVIOURS)}")
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0.0 <= weight < np.inf:
            raise ValueError(f"traffic: behaviour {name}: the weight {short_repr(weight)} must be a number of at least 0")
    total = float(sum(weights.values()))
    if total <= 0.0:
        raise ValueError(f"traffic: behaviour={short_repr(behaviour)}: all weights are 0; give one of them more")
    return {name: float(weight) / total for name, weight in weights.items()}


PANEL = np.array([[*b.headway, *b.gap, *b.acceleration, *b.braking, *b.pace] for b in BEHAVIOURS.values()])
"""Ranges of each behaviour, float64 ``(B, 10)``: low and high of headway, gap, acceleration, braking and pace."""
DEAF = np.array([b.deaf for b in BEHAVIOURS.values()])
CHANGES_LANES = np.array([b.changes_lanes for b in BEHAVIOURS.values()])
INSERTED = np.array([b.inserted for b in BEHAVIOURS.values()])
"""Flags of each behaviour, bool ``(B,)``."""
