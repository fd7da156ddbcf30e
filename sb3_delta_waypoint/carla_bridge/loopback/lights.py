"""Traffic lights, one actor for each signal of the map. They are green and frozen until a client unfreezes them."""

import struct
from collections.abc import Sequence

from sb3_delta_waypoint.carla_bridge.loopback import wire
from sb3_delta_waypoint.carla_bridge.loopback.actors import Actor
from sb3_delta_waypoint.driving.signals import GREEN, SignalPhases
from sb3_delta_waypoint.maps.signals import Signal

NAME = "traffic.traffic_light"
ROW = struct.Struct("<32s4fIBB")
"""State of a light in a snapshot: name, seconds of green, yellow, red, elapsed, pole, whether frozen, state."""
ROW_OFFSET = wire.ACTOR_ROW.fields["throttle"][1]  # type: ignore[index]


class TrafficLights:
    """
    The traffic lights of one episode.

    :param signals: signals of the map
    :param junctions: junction of each signal
    :param actors: actor of each signal
    """

    def __init__(self, signals: Sequence[Signal], junctions: Sequence[str], actors: Sequence[Actor]):
        self.phases = SignalPhases(junctions)
        self.number = {actor.id: index for index, actor in enumerate(actors)}
        """Index of the signal by the id of its actor."""
        self._names = [signal.name.encode()[:32] for signal in signals]
        # the rows of lights never change: lights are not destroyed, and come before all actors that may be
        self._offsets = [wire.FIRST_ROW + actor.row * wire.ACTOR_ROW.itemsize + ROW_OFFSET for actor in actors]
        self._changed = True

    def step(self, dt: float) -> None:
        """Advance time by ``dt`` [s]."""
        self.phases.step(dt)
        self._changed = self._changed or not self.phases.frozen

    def write(self, message: memoryview) -> None:
        """Write the states into the message of a snapshot if any has changed."""
        if not self._changed:
            return
        self._changed = False
        phases = self.phases
        for index, offset in enumerate(self._offsets):
            elapsed, state = phases.seconds, phases.state[index]
            ROW.pack_into(message, offset, self._names[index], *phases.times[index], elapsed, 0, phases.frozen, state)

    def set_state(self, actor_id: int, state: int) -> None:
        """Set the state of a light until its next phase, or while the lights are frozen."""
        self.phases.state[self.number[actor_id]] = state
        self._changed = True

    def freeze(self, frozen: bool) -> None:
        """Freeze or unfreeze all lights."""
        self.phases.frozen = frozen
        self._changed = True

    def restart(self) -> None:
        """Restart the cycles."""
        self.phases.seconds = 0.0

    def set_time(self, actor_id: int, state: int, seconds: float) -> None:
        """Set the length of the red, yellow or green phase of a light [s]."""
        self.phases.times[self.number[actor_id], GREEN - state] = seconds
        self._changed = True

    def group_of(self, actor_id: int) -> list[int]:
        """Get the ids of the lights of the same junction."""
        group = next(group for group in self.phases.groups if self.number[actor_id] in group)
        ids = list(self.number)
        return [ids[index] for index in group]
