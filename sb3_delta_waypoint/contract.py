"""
The observation and action contract that every env keeps, said once: which groups of numbers an observation may hold, what a
plan is, and the keys of an info. Numbers only; the spaces are built in :mod:`sb3_delta_waypoint.envs.spaces`.

SI units, radians. Ego frame: x forward, y left, origin at the middle of the rear axle.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

from sb3_delta_waypoint.messages import short_repr

CONTROL_DT = 0.1
"""Length of a control step [s]: a plan is tracked for this long, then made again."""
PLAN_DT = 0.1
"""Seconds between the rows of a plan where nobody says otherwise."""
POSITION_BOUND = 100.0
"""Largest coordinate of a waypoint, a route point or a road user in an observation [m]."""
ROUTE_POINTS, ROUTE_SPACING = 10, 3
"""How many points of the route are observed, and how far apart they are [m]."""
OBSERVED_AGENTS = 16
"""How many other road users are observed, the nearest first."""


class Column(NamedTuple):
    """One number of a group: its name, its unit (empty for shares, flags and kinds), its bounds, and its usual size."""

    name: str
    unit: str
    low: float
    high: float
    scale: float
    """What a network may divide by to get numbers of the order of 1."""


class ObservationGroup(NamedTuple):
    """
    A group of numbers in an observation, float32.

    :param rows: leading shape: ``()`` for one row of columns, ``(10,)`` for ten of them
    :param columns: along the last axis
    :param least_std: a planner that normalises by the statistics of its data divides by this at least: a number that hardly
        varied in the data must not be blown up when it does vary on the road
    :param meaning: what it is, for documentation and error messages
    """

    rows: tuple[int, ...]
    columns: tuple[Column, ...]
    least_std: float
    meaning: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the group's array; a single column of several rows has no axis of its own."""
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
"""Every group by its name. The rest of an observation are cameras: ``<name>`` uint8, and ``<name>_valid``."""

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

TRAFFIC_GROUPS = ("agents", "agents_valid", "signal")
"""What an env with other road users gives besides."""


def check_groups(groups: Iterable[str], given: Iterable[str], argument: str = "observe") -> tuple[str, ...]:
    """
    :param groups: names of groups that an env is to give
    :param given: names of those that it can give
    :param argument: what the caller calls the groups
    :return: the groups wanted, in the order of :data:`GROUPS`
    :raises ValueError: for none, for a name that is unknown, or a group that this env cannot give
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
