"""Phases of traffic lights: whose turn it is, and how long it takes."""

from collections.abc import Sequence

import numpy as np

RED, YELLOW, GREEN = 0, 1, 2
"""States of a light; only green lets cars pass."""
GREEN_SECONDS, YELLOW_SECONDS, RED_SECONDS = 10.0, 3.0, 2.0
"""Defaults of CARLA: each light of a junction has its turn; red is what follows its yellow before the next turn."""


class SignalPhases:
    """
    The states of lights in time. They begin at green, and frozen.

    :param junctions: of each light the junction that it belongs to; those of one junction take turns
    """

    def __init__(self, junctions: Sequence[str]):
        self.state = np.full(len(junctions), GREEN, np.int64)
        """State of each light."""
        self.frozen = True
        """Whether the turns have stopped."""
        self.seconds = 0.0
        """Time for which the turns have run [s]."""
        self.times = np.tile([GREEN_SECONDS, YELLOW_SECONDS, RED_SECONDS], (len(junctions), 1))
        """Length of green, yellow and red of each light [s]."""
        groups: dict[str, list[int]] = {}
        for index, junction in enumerate(junctions):
            groups.setdefault(junction, []).append(index)
        self.groups = list(groups.values())
        """The lights of each junction."""

    def step(self, dt: float) -> None:
        """
        Let time pass.

        :param dt: [s]
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
