"""The sensors and their messages, without noise. The client itself detects lane invasions."""

import math
from typing import Any, ClassVar

import msgpack  # type: ignore[import-untyped]
import numpy as np

from sb3_delta_waypoint.carla_bridge.loopback import blueprints, wire
from sb3_delta_waypoint.carla_bridge.loopback.actors import Actor
from sb3_delta_waypoint.carla_bridge.loopback.arguments import MAX_NUMBER
from sb3_delta_waypoint.carla_bridge.loopback.streams import Bytes
from sb3_delta_waypoint.carla_bridge.loopback.world import LoopbackWorld
from sb3_delta_waypoint.driving.boxes import first_ahead
from sb3_delta_waypoint.driving.frames import left_handed, right_handed
from sb3_delta_waypoint.rendering.camera import Eye, Picture, light_of, render

GRAVITY = 9.81
"""Gravitational acceleration [m/s²]."""
MAX_SIDE = 4096
"""Largest width and height of an image [pixels]."""
MAX_PIXELS = 1 << 26
"""Largest number of pixels of all cameras together; each takes 8 bytes."""


class Sensor:
    """
    A sensor to which clients can subscribe.

    :param world: world of the sensor
    :param actor: actor of the sensor
    """

    name: ClassVar[str]

    def __init__(self, world: LoopbackWorld, actor: Actor):
        self.world = world
        self.actor = actor
        self.interval = self._number("sensor_tick")
        self.next_seconds = 0.0
        self.n_pixels = 0

    def _number(self, name: str) -> float:
        """Get an attribute from the client's description, or else from the blueprint."""
        text = self.actor.attributes.get(name, blueprints.SENSORS[self.name].get(name, 0.0))
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not abs(number) <= MAX_NUMBER:
            raise ValueError(f"Spawn failed: {name} is '{text}'; accepted are finite numbers up to ±{MAX_NUMBER:g}")
        return number

    def due(self) -> bool:
        """Whether the sensor measures in this step, by its attribute ``sensor_tick`` [s]."""
        # with a tolerance, since steps of 0.05 s add up to a little less than the interval
        if self.world.seconds < self.next_seconds - 1e-4:
            return False
        self.next_seconds = self.world.seconds + self.interval
        return True

    def measure(self, hits: np.ndarray) -> list[list[Bytes]]:
        """
        Measure in this step.

        :param hits: collisions of this step, records of :data:`~sb3_delta_waypoint.driving.collisions.HIT`
        :return: the bodies of the messages of this step, each in parts
        """
        raise NotImplementedError

    def header(self, size: int) -> bytes:
        """Make the header of a message of ``size`` bytes."""
        row = self.world.rows[self.actor.row]
        kind = wire.SENSOR_TYPES[wire.CLIENT_VERSION][self.name]
        transform = (row["x"], row["y"], row["z"], row["pitch"], row["yaw"], row["roll"])
        return wire.HEADER.pack(size + wire.HEADER.size - 4, kind, self.world.frame, self.world.seconds, *transform)


class CollisionSensor(Sensor):
    """A sensor that reports the collisions of its vehicle in every step."""

    name = "sensor.other.collision"

    def measure(self, hits: np.ndarray) -> list[list[Bytes]]:
        if not len(hits) or self.actor.parent not in self.world.actors:
            return []
        owner = self.world.actors[self.actor.parent]
        messages: list[list[Bytes]] = []
        by_row: dict[int, Actor] = {actor.row: actor for actor in self.world.actors.values()}
        for hit in hits:
            x, y, _ = left_handed(float(hit["x"]), float(hit["y"]), 0.0)
            for me, other, sign in ((hit["body"], hit["other"], 1.0), (hit["other"], hit["body"], -1.0)):
                if me == owner.row:
                    impulse = [sign * x, sign * y, 0.0]
                    messages.append([msgpack.packb([owner.wire, by_row[int(other)].wire, impulse])])
        return messages


class Obstacle(Sensor):
    """A sensor that reports the nearest obstacle ahead in every step that has one."""

    name = "sensor.other.obstacle"

    def __init__(self, world: LoopbackWorld, actor: Actor):
        super().__init__(world, actor)
        self.reach, self.radius = self._number("distance"), self._number("hit_radius")
        self.movable = actor.attributes.get("only_dynamics", "false").lower() == "true"

    def measure(self, hits: np.ndarray) -> list[list[Bytes]]:
        world = self.world
        owner = world.actors.get(self.actor.parent)
        row = world.rows[self.actor.row]
        pose = right_handed(float(row["x"]), float(row["y"]), float(row["yaw"]))
        row_of_owner = owner.row if owner else -1
        found, distance = first_ahead(world.bodies, world.n, row_of_owner, pose, self.reach, self.radius, self.movable)
        if found < 0:
            return []
        other = next(actor for actor in world.actors.values() if actor.row == found)
        return [[msgpack.packb([(owner or self.actor).wire, other.wire, distance])]]


class Imu(Sensor):
    """A sensor of acceleration with gravity, turn rate and the angle from north, in the frame of the sensor."""

    name = "sensor.other.imu"

    def measure(self, hits: np.ndarray) -> list[list[Bytes]]:
        world = self.world
        yaw = math.radians(world.rows[self.actor.row]["yaw"])
        owner = world.actors.get(self.actor.parent, self.actor)
        x, y, _ = world.rows[owner.row]["acceleration"].tolist()
        turn = math.radians(world.rows[owner.row]["angular_velocity"][2])
        acceleration = [x * math.cos(yaw) + y * math.sin(yaw), y * math.cos(yaw) - x * math.sin(yaw), GRAVITY]
        # north is -y in CARLA
        return [[msgpack.packb([acceleration, [0.0, 0.0, turn], (yaw + math.pi / 2) % (2 * math.pi)])]]


class Gnss(Sensor):
    """A sensor of latitude and longitude [degrees] and altitude [m]."""

    name = "sensor.other.gnss"

    def measure(self, hits: np.ndarray) -> list[list[Bytes]]:
        import carla

        (x, y, z), _ = self.world.transform_of_row(self.world.rows[self.actor.row])
        place = self.world.road_map.carla_map.transform_to_geolocation(carla.Location(x, y, z))
        return [[msgpack.packb([place.latitude, place.longitude, place.altitude])]]


class RgbCamera(Sensor):
    """A camera with simple pictures, see :mod:`~sb3_delta_waypoint.rendering.camera`."""

    name = "sensor.camera.rgb"

    def __init__(self, world: LoopbackWorld, actor: Actor):
        super().__init__(world, actor)
        self.fov = self._number("fov")
        width, height = int(self._number("image_size_x")), int(self._number("image_size_y"))
        if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE and 0.0 < self.fov < 180.0):
            raise ValueError(
                f"Spawn failed: no camera has {width} x {height} pixels and a field of view of {self.fov} degrees"
            )
        self.n_pixels = width * height
        self.picture = Picture(np.zeros((height, width, 4), np.uint8), np.zeros((height, width), np.float32))
        self.prefix = wire.IMAGE.pack(width, height, self.fov)
        self.pixels = memoryview(self.picture.image.reshape(-1))  # type: ignore[arg-type]

    def measure(self, hits: np.ndarray) -> list[list[Bytes]]:
        world = self.world
        (x, y, z), (pitch, yaw, roll) = world.transform_of_row(world.rows[self.actor.row])
        owner = world.actors.get(self.actor.parent)
        render(
            self.picture,
            Eye(x, y, z, pitch, yaw, roll, self.fov),
            world.road_map.ground,
            world.bodies[: world.n],
            owner.row if owner else -1,
            light_of(world.weather),
        )
        return [[self.prefix, self.pixels]]


KINDS: dict[str, type[Sensor]] = {kind.name: kind for kind in (CollisionSensor, Obstacle, Imu, Gnss, RgbCamera)}


def make_sensor(world: LoopbackWorld, actor: Actor) -> Sensor | None:
    """
    Make the sensor of an actor.

    :param world: world of the actor
    :param actor: any actor
    :return: its sensor, or None if it is not a sensor
    :raises ValueError: if its attributes are not accepted
    """
    kind: Any = KINDS.get(actor.name)
    return kind(world, actor) if kind else None
