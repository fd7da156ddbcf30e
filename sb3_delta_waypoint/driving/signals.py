"""Phases of traffic lights: the lights of a junction are green in turn."""

from collections.abc import Sequence

import numpy as np

from sb3_delta_waypoint.driving.kernels import inlined
from sb3_delta_waypoint.driving.records import Record
from sb3_delta_waypoint.driving.scenarios import hash64, uniform

RED, YELLOW, GREEN = 0, 1, 2
"""States of a light; cars may pass at green only."""
GREEN_SECONDS, YELLOW_SECONDS, RED_SECONDS = 10.0, 3.0, 2.0
"""CARLA's default lengths of the phases [s]; red is the time from the end of a light's yellow to the next light's green."""
SHORTEST_GREEN, LONGEST_GREEN, ALL_RED = 6.0, 10.0, 1.0
"""Range from which a scenario draws the length of green at each junction, and red between two turns [s]."""
_GREEN, _OFFSET = 1 << 20, 1 << 21


@inlined
def light_turn(seed: np.uint64, light: Record) -> float:
    """
    Length of one turn of the lights of a junction: green, yellow and red for all.

    :param seed: the scenario's seed
    :param light: record of :data:`~.lanes.LIGHT`
    :return: [s]
    """
    return uniform(seed, _GREEN + light.junction, SHORTEST_GREEN, LONGEST_GREEN) + YELLOW_SECONDS + ALL_RED


@inlined
def light_state(seed: np.uint64, light: Record, seconds: float) -> int:
    """
    State of a light: the one in which it is held, else a function of the scenario's seed.

    :param seed: the scenario's seed
    :param light: record of :data:`~.lanes.LIGHT`
    :param seconds: time since the scenario began [s]
    :return: ``RED``, ``YELLOW`` or ``GREEN``
    """
    if light.held >= 0:
        return light.held
    turn = light_turn(seed, light)
    offset = float(hash64(seed, np.uint64(_OFFSET + light.junction)) >> np.uint64(40)) / 2.0**24
    now = (seconds / turn + offset * light.turns) % light.turns - light.turn
    if now < 0.0 or now >= 1.0:
        return RED
    left = (1.0 - now) * turn - ALL_RED
    if left <= 0.0:
        return RED
    return YELLOW if left <= YELLOW_SECONDS else GREEN


class SignalPhases:
    """
    States of traffic lights over time. All lights begin green and frozen.

    :param junctions: the junction of each light; the lights of one junction take turns
    """

    def __init__(self, junctions: Sequence[str]):
        self.state = np.full(len(junctions), GREEN, np.int64)
        """State of each light."""
        self.frozen = True
        """Whether the lights keep their states."""
        self.seconds = 0.0
        """Time for which the lights have not been frozen [s]."""
        self.times = np.tile([GREEN_SECONDS, YELLOW_SECONDS, RED_SECONDS], (len(junctions), 1))
        """Length of green, yellow and red of each light, float64 ``(n, 3)`` [s]."""
        groups: dict[str, list[int]] = {}
        for index, junction in enumerate(junctions):
            groups.setdefault(junction, []).append(index)
        self.groups = list(groups.values())
        """Indices of the lights of each junction."""

    def step(self, dt: float) -> None:
        """
        Advance time.

        :param dt: length of the step [s]
        """
        if not self.frozen:
            self.seconds += dt
            for group in self.groups:
                self._take_turns(group)

    def _take_turns(self, group: list[int]) -> None:
        round_trip = self.times[group].sum()
        now = self.seconds % round_trip if round_trip > 0.0 else 0.0
        for index in group:
            green, yellow, red = self.times[index]
            if 0.0 <= now < green:
                self.state[index] = GREEN
            else:
                self.state[index] = YELLOW if green <= now < green + yellow else RED
            now -= green + yellow + red
