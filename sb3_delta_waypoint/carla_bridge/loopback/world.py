"""The simulated world: actors, time, weather, and its steps."""

import math
import time
from typing import Any

import numpy as np

from sb3_delta_waypoint.carla_bridge.loopback import blueprints, lights, wire
from sb3_delta_waypoint.carla_bridge.loopback.actors import Actor
from sb3_delta_waypoint.carla_bridge.loopback.arguments import Transform
from sb3_delta_waypoint.carla_bridge.loopback.lights import TrafficLights
from sb3_delta_waypoint.carla_bridge.loopback.road_map import RoadMap
from sb3_delta_waypoint.carla_bridge.loopback.snapshot import MOUNT, left_handed_origin, write_rows
from sb3_delta_waypoint.driving.agents.behaviour import BEHAVIOURS
from sb3_delta_waypoint.driving.agents.lane_following import Street, drive_traffic, join_lane
from sb3_delta_waypoint.driving.agents.records import ABSENT, DRIVER
from sb3_delta_waypoint.driving.bodies import BODY, CONTROL, FIXED, VEHICLE, WALKER
from sb3_delta_waypoint.driving.boxes import first_overlap
from sb3_delta_waypoint.driving.collisions import HIT, MAX_HITS, step_bodies
from sb3_delta_waypoint.driving.frames import right_handed
from sb3_delta_waypoint.driving.signals import GREEN
from sb3_delta_waypoint.driving.vehicle import DYNAMICS

FIRST_STREAM = wire.WORLD_STREAM + 1
AUTOPILOT = "autopilot"
"""The ``role_name`` of vehicles that are spawned on autopilot; a colon and a behaviour of the panel may follow."""
SPEED_LIMIT = 30.0
"""Speed limit reported for vehicles [km/h], constant since there are no signs; the limits are in the map."""
CAPACITY = 64
"""Initial number of rows for actors."""
MAX_ACTORS = 4096
"""Largest number of actors."""


class LoopbackWorld:
    """
    A world of one episode after another, each on one map.

    :param road_map: map of the first episode
    :param stream_port: port of the streams, for the tokens
    """

    def __init__(self, road_map: RoadMap, stream_port: int):
        self.stream_port = stream_port
        self.drives_autopilots = True
        self.episode = 0
        self.frame = 0
        self.seconds = 0.0
        self.next_id = 1
        self.next_stream = FIRST_STREAM
        self.settings: list[Any] = list(wire.DEFAULT_SETTINGS)
        self.hits = np.zeros(MAX_HITS, HIT)
        self.begin_episode(road_map)

    def begin_episode(self, road_map: RoadMap) -> None:
        """Begin a new episode without actors; frames and ids continue."""
        self.road_map = road_map
        self.episode += 1
        self.state = wire.MAP_CHANGED
        self.weather = list(wire.DEFAULT_WEATHER)
        self.actors: dict[int, Actor] = {}
        self.autopilots: set[int] = set()
        self._street: Street | None = None  # of the first autopilot
        self.n = 0
        self._reserve(CAPACITY)
        self.spectator = self._add(FIXED, wire.description(0, "spectator", []), bytes([0]))
        poles = [self._add_light(signal.transform) for signal in road_map.signals]
        self.lights = TrafficLights(road_map.signals, road_map.junctions, poles)

    def _reserve(self, capacity: int) -> None:
        """Allocate rows; the snapshot is one buffer, ready to send, into which the kernel writes."""
        message = np.zeros(wire.FIRST_ROW + capacity * wire.ACTOR_ROW.itemsize, np.uint8)
        rows = message[wire.FIRST_ROW :].view(wire.ACTOR_ROW)
        kinds = BODY, MOUNT, CONTROL, DRIVER
        arrays = (*(np.zeros(capacity, kind) for kind in kinds), rows)
        if self.n:
            for new, old in zip(arrays, self._arrays, strict=True):
                new[: self.n] = old[: self.n]
        self._arrays: tuple[np.ndarray, ...] = arrays
        self.bodies, self.mounts, self.controls, self.drivers, self.rows = arrays
        self.message = memoryview(message)  # type: ignore[arg-type]

    # ------------------------------------------------------------------ time

    def step(self, dt: float) -> int:
        """
        Advance the world by one step.

        :param dt: length of the step [s]
        :return: number of collisions, which are in ``hits``
        """
        self.lights.step(dt)
        self.lights.write(self.message)
        if self._street is not None and self.autopilots:
            # a light that is off stops nobody
            self._street.lanes.lights["held"] = np.minimum(self.lights.phases.state, GREEN)
            drive_traffic(self.bodies, self.drivers, self.controls, self.n, self._street)
        n_hits: int = step_bodies(self.bodies, self.controls, self.n, dt, self.hits)
        write_rows(self.bodies, self.mounts, self.controls, self.rows, self.n, dt)
        self.frame += 1
        self.seconds += dt
        return n_hits

    def snapshot(self, dt: float) -> memoryview:
        """Make the message of the world's state, in a buffer that the next step overwrites."""
        end = wire.FIRST_ROW + self.n * wire.ACTOR_ROW.itemsize
        kind = wire.SENSOR_TYPES[wire.CLIENT_VERSION]["world"]
        wire.HEADER.pack_into(self.message, 0, end - 4, kind, self.frame, self.seconds, 0, 0, 0, 0, 0, 0)
        wire.EPISODE.pack_into(self.message, wire.HEADER.size, self.episode, time.time(), dt, 0, 0, 0, self.state)
        self.state = 0
        return self.message[:end]

    # ---------------------------------------------------------------- actors

    def spawn(self, description: list[Any], transform: Transform, parent: int = 0) -> Actor:
        """
        Spawn an actor.

        :param description: ActorDescription
        :param transform: transform of the actor, relative to the parent if there is one
        :param parent: id of the actor to which it is attached, or 0
        :return: the new actor
        :raises ValueError: if the blueprint is unknown, the parent does not exist, or the place is occupied
        """
        name = description[1]
        if name not in blueprints.UIDS:
            raise ValueError(f"Spawn failed: the loopback server has no blueprint '{name}'")
        if parent and parent not in self.actors:
            raise ValueError(f"Spawn failed: there is no parent actor {parent}")
        if self.n >= MAX_ACTORS:
            raise ValueError(f"Spawn failed: there are {self.n} actors already")
        attributes = {key: value for key, _, value in description[2]}
        colour = _colour(name, attributes)
        role, _, behaviour = attributes.get("role_name", "").partition(":")
        if role == AUTOPILOT and behaviour and behaviour not in BEHAVIOURS:
            raise ValueError(f"Spawn failed: there is no behaviour '{behaviour}'; accepted are {', '.join(BEHAVIOURS)}")
        if name in blueprints.VEHICLES:
            vehicle = blueprints.VEHICLES[name]
            actor = self._add(VEHICLE, description, wire.VEHICLE_TAG, parent, vehicle.size)
            body = self.bodies[actor.row]
            for field, value in zip(DYNAMICS, vehicle.dynamics, strict=False):
                body[field] = value
            for field in ("mass", "throttle_lag", "brake_lag", "drag"):
                body[field] = getattr(vehicle, field)
            body["axle"] = vehicle.dynamics.wheelbase / 2
            self.rows[actor.row]["light"] = wire.NO_LIGHT
            self.rows[actor.row]["speed_limit"] = SPEED_LIMIT
        elif name in blueprints.WALKERS:
            actor = self._add(WALKER, description, wire.PEDESTRIAN_TAG, parent, blueprints.WALKERS[name])
            self.bodies[actor.row]["mass"] = blueprints.WALKER_MASS
        elif name in blueprints.PROPS:
            actor = self._add(FIXED, description, wire.STATIC_TAG, parent, blueprints.PROPS[name])
        else:
            (stream,) = wire.token(self.next_stream, self.stream_port)
            self.next_stream += 1
            actor = self._add(FIXED, description, bytes([0]), parent, stream=stream)
        self.bodies[actor.row]["colour"] = colour
        self.place(actor, transform)
        if self.bodies[actor.row]["solid"] and first_overlap(self.bodies, self.n, actor.row) >= 0:
            self.destroy(actor.id)
            raise ValueError("Spawn failed because of collision at spawn position")
        if self.drives_autopilots and name in blueprints.VEHICLES and role == AUTOPILOT:
            self.set_autopilot(actor, True, behaviour or "mixed")
        return actor

    def _add_light(self, transform: Any) -> Actor:
        """Add a traffic light of the map at its ``carla.Transform``."""
        actor = self._add(FIXED, wire.description(0, lights.NAME, []), bytes([7]))
        place, turn = transform.location, transform.rotation
        self.place(actor, [[place.x, place.y, place.z], [turn.pitch, turn.yaw, turn.roll]])
        return actor

    def set_autopilot(self, actor: Actor, enabled: bool, behaviour: str = "mixed") -> None:
        """Switch the autopilot of a vehicle on, with one of the panel's behaviours, or off."""
        if enabled:
            if self._street is None:
                self._street = Street.of(self.road_map.lanes)
            join_lane(self.bodies[actor.row], self.drivers[actor.row], self._street.lanes, behaviour)
            self.autopilots.add(actor.id)
        else:
            self.bodies[actor.row]["autopilot"] = False
            self.drivers[actor.row]["role"] = ABSENT
            self.autopilots.discard(actor.id)

    def _add(
        self,
        kind: int,
        description: list[Any],
        tag: bytes,
        parent: int = 0,
        size: tuple[float, float, float] | None = None,
        stream: bytes = b"",
    ) -> Actor:
        if self.n == len(self.bodies):
            self._reserve(2 * self.n)
        row = self.n
        self.n += 1
        # as in CARLA, walkers have their origin in the middle of the body, and all others on the ground
        half = [extent / 2 for extent in size] if size else [0.0, 0.0, 0.0]
        centre = [0.0, 0.0, 0.0 if kind == WALKER else half[2]]
        box = [centre, half, [0.0, 0.0, 0.0], self.next_id]
        actor = Actor(self.next_id, description, box, tag, parent, stream, row)
        self.next_id += 1
        self.actors[actor.id] = actor
        for array in self._arrays:
            array[row] = np.zeros(1, array.dtype)[0]
        body = self.bodies[row]
        body["kind"], body["physics"], body["solid"] = kind, kind != FIXED, size is not None
        body["direction"], body["held_speed"] = 1.0, math.nan
        body["half_length"], body["half_width"], body["half_height"] = half
        body["box_z"] = centre[2]
        self.mounts[row]["parent"] = self.actors[parent].row if parent else -1
        self.rows[row]["id"], self.rows[row]["state"] = actor.id, wire.ACTIVE
        return actor

    def place(self, actor: Actor, transform: Transform) -> None:
        """Place an actor; the transform of an attached one is relative to its parent."""
        (x, y, z), (pitch, yaw, roll) = transform
        body, mount = self.bodies[actor.row], self.mounts[actor.row]
        if mount["parent"] >= 0:
            mount["offset"] = [x, y, z, pitch, yaw, roll]
            return
        x, y, body["yaw"] = right_handed(float(x), float(y), float(yaw))
        body["x"] = x - body["axle"] * math.cos(body["yaw"])
        body["y"] = y - body["axle"] * math.sin(body["yaw"])
        if body["kind"] == VEHICLE and body["physics"]:
            z, pitch, roll = 0.0, 0.0, 0.0
        elif body["kind"] == WALKER and body["physics"]:
            z = body["half_height"]
        body["z"], mount["pitch"], mount["roll"] = z, pitch, roll

    def destroy(self, actor_id: int) -> bool:
        """
        Destroy an actor. Actors attached to it stay where they are.

        :param actor_id: id of the actor
        :return: whether there was such an actor
        """
        actor = self.actors.get(actor_id)
        if actor is None or actor is self.spectator or actor_id in self.lights.number:
            return False
        self.autopilots.discard(actor_id)
        for other in self.actors.values():
            if other.parent == actor_id:
                self._detach(other)
        for array in self._arrays:
            array[actor.row : self.n - 1] = array[actor.row + 1 : self.n]
        self.n -= 1
        parents = self.mounts["parent"][: self.n]
        parents[parents > actor.row] -= 1
        for other in self.actors.values():
            if other.row > actor.row:
                other.row -= 1
        del self.actors[actor_id]
        return True

    def _detach(self, actor: Actor) -> None:
        row = self.rows[actor.row]
        self.mounts[actor.row]["parent"] = -1
        actor.parent = actor.wire[1] = 0
        self.place(actor, self.transform_of_row(row))

    @staticmethod
    def transform_of_row(row: Any) -> Transform:
        """Transform of an actor in the last snapshot."""
        return [[float(row[axis]) for axis in "xyz"], [float(row[angle]) for angle in ("pitch", "yaw", "roll")]]

    def physics_control(self, actor: Actor) -> list[Any]:
        """Get the VehiclePhysicsControl of a vehicle."""
        body = self.bodies[actor.row]
        x, y, yaw = left_handed_origin(body)
        forward, across = body["wheelbase"] / 2, body["half_width"] * 0.85
        cos, sin = math.cos(math.radians(yaw)), math.sin(math.radians(yaw))
        wheels = [
            (x + along * cos - side * sin, y + along * sin + side * cos, blueprints.WHEEL_RADIUS)
            for along in (forward, -forward)
            for side in (-across, across)
        ]
        return blueprints.physics_control(
            blueprints.VEHICLES[actor.name], float(body["max_steer"]), float(body["mass"]), wheels
        )


def _colour(name: str, attributes: dict[str, str]) -> int:
    """Colour of an actor: red, green and blue in one number."""
    if "color" in attributes:
        parts = attributes["color"].split(",")
        if len(parts) != 3 or not all(part.strip().isdecimal() for part in parts):
            raise ValueError(f"Spawn failed: color is '{attributes['color']}'; accepted are three numbers: '90,90,90'")
        red, green, blue = (int(part) & 255 for part in parts)
        return red << 16 | green << 8 | blue
    return 0xB06A4A if name in blueprints.WALKERS else 0xD97A20
