"""What the sensors measure and send, without noise. Lane invasions are found by the client itself."""

from typing import Any, ClassVar

import msgpack
import numpy as np

from sb3_delta_waypoint.carla_bridge.loopback import wire
from sb3_delta_waypoint.carla_bridge.loopback.streams import Bytes
from sb3_delta_waypoint.carla_bridge.loopback.world import Actor, World


class Sensor:
    """
    A sensor that somebody may listen to.

    :param world: where it is
    :param actor: its actor
    """

    name: ClassVar[str]

    def __init__(self, world: World, actor: Actor):
        self.world = world
        self.actor = actor
        self.interval = float(actor.attributes.get("sensor_tick", 0.0))
        self.next_seconds = 0.0

    def due(self) -> bool:
        """Whether this step is one that it measures in (its attribute ``sensor_tick``, in seconds)."""
        # the tolerance: steps of 0.05 s add up to a little less than the interval
        if self.world.seconds < self.next_seconds - 1e-4:
            return False
        self.next_seconds = self.world.seconds + self.interval
        return True

    def measure(self, hits: np.ndarray) -> list[list[Bytes]]:
        """
        :param hits: the collisions of this step, :data:`~.bodies.HIT`
        :return: the bodies of its messages of this step, each in parts
        """
        raise NotImplementedError

    def header(self, size: int) -> bytes:
        """What goes before a message of this size."""
        row = self.world.rows[self.actor.row]
        kind = wire.SENSOR_TYPES[wire.CLIENT_VERSION][self.name]
        transform = (row["x"], row["y"], row["z"], row["pitch"], row["yaw"], row["roll"])
        return wire.HEADER.pack(size + wire.HEADER.size - 4, kind, self.world.frame, self.world.seconds, *transform)


class Collision(Sensor):
    """Every step in which its vehicle touches something."""

    name = "sensor.other.collision"

    def measure(self, hits: np.ndarray) -> list[list[Bytes]]:
        if not len(hits) or self.actor.parent not in self.world.actors:
            return []
        owner = self.world.actors[self.actor.parent]
        messages: list[list[Bytes]] = []
        by_row: dict[int, Actor] = {actor.row: actor for actor in self.world.actors.values()}
        for hit in hits:
            for me, other, sign in ((hit["body"], hit["other"], 1.0), (hit["other"], hit["body"], -1.0)):
                if me == owner.row:
                    impulse = [sign * float(hit["x"]), sign * float(hit["y"]), 0.0]
                    messages.append([msgpack.packb([owner.wire, by_row[int(other)].wire, impulse])])
        return messages


KINDS: dict[str, type[Sensor]] = {kind.name: kind for kind in (Collision,)}


def make_sensor(world: World, actor: Actor) -> Sensor | None:
    """
    :param world: where it is
    :param actor: any actor
    :return: the sensor that it is, or None
    """
    kind: Any = KINDS.get(actor.name)
    return kind(world, actor) if kind else None
