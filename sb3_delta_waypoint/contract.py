"""
The observation and action contract of all envs: the groups of numbers that an observation may hold, and what a plan is.

This module only holds numbers; :mod:`sb3_delta_waypoint.envs.spaces` builds the spaces from them. Units are SI and radians. In
the ego frame x points forward and y left, and the origin is the middle of the rear axle.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

from sb3_delta_waypoint.messages import short_repr

CONTROL_DT = 0.1
"""Length of a control step [s]: the time for which a plan is tracked before the next one replaces it."""
PLAN_DT = 0.1
"""Default time between the rows of a plan [s]."""
POSITION_BOUND = 100.0
"""Largest coordinate of a waypoint, a route point or a road user in an observation [m]."""
ROUTE_POINTS, ROUTE_SPACING = 10, 3
"""Number of route points in an observation, and distance between them [m]."""
OBSERVED_AGENTS = 16
"""Largest number of other road users in an observation, the nearest first."""


class Column(NamedTuple):
    """One column of a group: its name, its unit (empty for shares, flags and kinds), its bounds and its scale."""

    name: str
    unit: str
    low: float
    high: float
    scale: float
    """Typical magnitude, by which a network may divide to get numbers of the order of 1."""


class ObservationGroup(NamedTuple):
    """
    A group of numbers in an observation, float32.

    :param rows: leading shape: ``()`` for one row of columns, ``(10,)`` for ten rows
    :param columns: columns along the last axis
    :param least_std: smallest standard deviation by which a planner divides when it normalises by the statistics of its data,
        so that a number that hardly varies in the data does not become huge when it varies on the road
    :param meaning: description for documentation and error messages
    """

    rows: tuple[int, ...]
    columns: tuple[Column, ...]
    least_std: float
    meaning: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the group's array; a single column of several rows has no axis of its own."""
        return self.rows if self.rows and len(self.columns) == 1 else (*self.rows, len(self.columns))

    def index_of(self, name: str) -> int:
        """Where a column is along the last axis."""
        return [column.name for column in self.columns].index(name)

    def column(self, name: str) -> Column:
        """A column by its name."""
        return self.columns[self.index_of(name)]


def _metres(name: str) -> Column:
    return Column(name, "m", -POSITION_BOUND, POSITION_BOUND, 20.0)


GROUPS: dict[str, ObservationGroup] = {
    "state": ObservationGroup(
        (),
        (
            Column("speed", "m/s", 0.0, 60.0, 10.0),
            Column("steering angle", "rad", -1.5, 1.5, 0.5),
            Column("yaw rate", "rad/s", -10.0, 10.0, 1.0),
            Column("longitudinal acceleration", "m/s²", -30.0, 30.0, 3.0),
        ),
        0.05,
        "how the car moves",
    ),
    "route": ObservationGroup(
        (ROUTE_POINTS,),
        (_metres("x"), _metres("y")),
        0.1,
        f"the next route points, {ROUTE_SPACING} m apart, ego frame; past the end the last point repeats",
    ),
    "speed_limit": ObservationGroup(
        (ROUTE_POINTS,),
        (Column("limit", "m/s", 0.0, 60.0, 10.0),),
        0.5,
        "the speed limit at the route points; 60 where there is none",
    ),
    "agents": ObservationGroup(
        (OBSERVED_AGENTS,),
        (
            _metres("x"),
            _metres("y"),
            Column("yaw", "rad", -math.pi, math.pi, 1.0),
            Column("speed", "m/s", 0.0, 60.0, 10.0),
            Column("length", "m", 0.0, 30.0, 5.0),
            Column("width", "m", 0.0, 10.0, 2.0),
            Column("kind", "", 0.0, 1.0, 1.0),
        ),
        0.1,
        "the nearest other road users, ego frame; kind is 0 for vehicles, 0.5 for cyclists, 1 for pedestrians",
    ),
    "agents_valid": ObservationGroup(
        (OBSERVED_AGENTS,), (Column("valid", "", 0.0, 1.0, 1.0),), 0.1, "1 for rows of agents that hold somebody"
    ),
    "signal": ObservationGroup(
        (),
        (Column("distance", "m", 0.0, POSITION_BOUND, 20.0), Column("may go", "", 0.0, 1.0, 1.0)),
        0.1,
        "the way to the next stop line, and whether the car may drive over it; far and 1 where there is none",
    ),
}
"""Every group by its name. An observation may also hold cameras: ``<name>`` uint8, and ``<name>_valid``."""

EGO_GROUPS = ("state", "route")
"""What every env gives unless it is asked for something else."""
END_OF_EPISODE = {
    "is_success": "whether the episode succeeded",
    "scenario": "the number of its scenario",
    "episode_metrics": "a flat dict of numbers",
}
"""Keys of the info of an episode's last step, and what they hold; ``scenario`` is in the info of a reset, too."""
FAULT = "fault"
"""Key of the info of a step in which a technical fault broke the episode off, which then does not count."""

START_STEP = "start_step"
"""Key of the info of an episode's last step if the episode began in a state of another one: the step of that state. Such an
episode has no ``is_success`` and no ``episode_metrics``, and counts in no statistic."""

TRAFFIC_GROUPS = ("speed_limit", "agents", "agents_valid", "signal")
"""The groups that an env with other road users gives in addition."""


def check_groups(groups: Iterable[str], given: Iterable[str], argument: str = "observe") -> tuple[str, ...]:
    """
    Check the names of the groups that an env should give.

    :param groups: names of these groups
    :param given: names of the groups that the env can give
    :param argument: name of the argument, for the message
    :return: the names, in the order of :data:`GROUPS`
    :raises ValueError: if there are none, a name is unknown, or the env cannot give a group
    """
    given = tuple(given)
    if not isinstance(groups, Iterable):
        raise ValueError(f"{argument}={short_repr(groups)}: expected names of groups, of {', '.join(given)}")
    wanted = (groups,) if isinstance(groups, str) else tuple(groups)
    for name in wanted:
        if name not in given:
            problem = "this env does not give it" if name in GROUPS else "there is no such group"
            raise ValueError(
                f"{argument}={short_repr(groups)}: {short_repr(name)}: {problem}; accepted are {', '.join(given)}"
            )
    if not wanted:
        raise ValueError(f"{argument}={short_repr(groups)}: expected one group at least, of {', '.join(given)}")
    return tuple(name for name in GROUPS if name in wanted)
