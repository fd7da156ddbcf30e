"""The vehicle that is driven: put at the start of each episode, controlled, measured, and asked what it ran into."""

import math
from collections import deque
from typing import Any, NamedTuple

from sb3_delta_waypoint.carla_bridge.connection import Session
from sb3_delta_waypoint.carla_bridge.errors import ServerLostError, SpawnPointOccupiedError
from sb3_delta_waypoint.carla_bridge.vehicle_control import Driver, VehicleModel, model_of
from sb3_delta_waypoint.driving.frames import Pose, ahead_of
from sb3_delta_waypoint.driving.measured_drive import Measurement
from sb3_delta_waypoint.maps.carla_frame import motion_of, pose_of, transform_of, vector_of

DROP = 0.1
"""A vehicle is put down from this height above the road [m]."""
NEIGHBOURHOOD, HEADROOM = 10.0, 3.0
"""What is further away than this when a vehicle is put somewhere is not looked at [m], nor what is further above or below."""


class Collision(NamedTuple):
    """What the vehicle ran into, and when."""

    other: int
    """Id of the actor."""
    kind: str
    """``vehicle``, ``pedestrian`` or ``static``."""
    frame: int
    """Of the tick."""


class Ego:
    """
    The vehicle under control. It stays in the world from one episode to the next.

    :param session: a connected session
    :param blueprint: id of the vehicle's blueprint
    :raises ValueError: if the server has no such vehicle, or it is no car
    :raises NoRoutesError: if the map has no spawn point
    :raises SpawnPointOccupiedError: if something stands on each of them
    """

    def __init__(self, session: Session, blueprint: str):
        self._session = session
        self._collisions: deque[Collision] = deque()
        self._begun = 0
        self.height = 0.0
        """Of the vehicle's origin, as last measured [m]."""
        self.id: int = self._spawn(blueprint)
        with session.calls():
            session.tick()
            self.model: VehicleModel = model_of(self.vehicle)
            extent = self.vehicle.bounding_box.extent
            self.half_length: float = extent.x
            self.half_width: float = extent.y
            library = session.library
            at_origin = transform_of((0.0, 0.0, 0.0), 0.0)
            sensor = session.spawn(library.find("sensor.other.collision"), at_origin, self.vehicle)
            session.listen(sensor, self._on_collision)
        self._driver = Driver(self.model)

    @property
    def vehicle(self) -> Any:
        """``carla.Vehicle``, not to be kept."""
        return self._session.actor(self.id)

    @property
    def front(self) -> float:
        """From the rear axle to the front bumper [m]."""
        return self.half_length - self.model.rear_axle

    def _spawn(self, blueprint: str) -> int:
        session = self._session
        with session.calls():
            try:
                found = session.library.find(blueprint)
            except IndexError:
                known = sorted(b.id for b in session.library.filter("vehicle.*"))
                raise ValueError(f"blueprint={blueprint!r}: the server has {', '.join(known)}") from None
            found.set_attribute("role_name", "hero")
            places = session.map.get_spawn_points()
            for place in places:
                vehicle = session.spawn(found, place)
                if vehicle is not None:
                    number: int = vehicle.id
                    return number
        raise SpawnPointOccupiedError(
            f"{session.host}:{session.port}: no place for the vehicle: all {len(places)} spawn points are occupied"
        )

    def _on_collision(self, event: Any) -> None:
        other = event.other_actor
        name = other.type_id
        kind = "vehicle" if name.startswith("vehicle.") else "pedestrian" if name.startswith("walker.") else "static"
        self._collisions.append(Collision(other.id, kind, event.frame))

    def place(self, pose: Pose, height: float, speed: float, steer: float, route: str) -> None:
        """
        Put the vehicle at the start of an episode, as if it had just been made; the next tick shows it there.

        :param pose: of the rear axle
        :param height: of the road there [m]
        :param speed: [m/s]
        :param steer: steering angle [rad]
        :param route: its name, for the error
        :raises SpawnPointOccupiedError: if something stands there
        """
        session, vehicle = self._session, self.vehicle
        with session.calls():
            middle = ahead_of(pose, -self.model.rear_axle)
            transform = on_road(session.map, middle, height)
            self._refuse_occupied(middle, transform.location.z, route)
            transform.location.z += DROP
            # without physics and back: gearbox, wheels and engine forget the last episode, too
            vehicle.set_simulate_physics(False)
            vehicle.set_transform(transform)
            vehicle.set_simulate_physics(True)
            vehicle.set_target_angular_velocity(vector_of(0.0, 0.0))
            vehicle.set_target_velocity(vector_of(speed * math.cos(pose[2]), speed * math.sin(pose[2])))
            self._driver.reset()
            vehicle.apply_control(self._driver.control(steer, 0.0, speed, 0.0))

    def _refuse_occupied(self, pose: Pose, height: float, route: str) -> None:
        """Look at what does not belong to this session: the rest is put elsewhere."""
        session = self._session
        own = session.actors
        for actor in session.world.get_actors():
            if actor.id in own or not actor.type_id.startswith(("vehicle.", "walker.", "static.prop.")):
                continue
            transform = actor.get_transform()
            x, y, _ = pose_of(transform)
            if math.hypot(x - pose[0], y - pose[1]) > NEIGHBOURHOOD or abs(transform.location.z - height) > HEADROOM:
                continue
            try:
                extent = actor.bounding_box.extent
            except RuntimeError:
                # it was in the last snapshot, and has been destroyed since
                continue
            reach = max(extent.x, extent.y)
            cos, sin = math.cos(pose[2]), math.sin(pose[2])
            along, across = (x - pose[0]) * cos + (y - pose[1]) * sin, (y - pose[1]) * cos - (x - pose[0]) * sin
            if abs(along) < self.half_length + reach and abs(across) < self.half_width + reach:
                raise SpawnPointOccupiedError(
                    f"route {route!r} starts at ({pose[0]:.1f}, {pose[1]:.1f}), where {actor.type_id} (actor {actor.id}) "
                    "stands: remove it, or begin elsewhere"
                )

    def begin(self, frame: int) -> None:
        """
        Begin an episode: collisions until now are of the last one, even if they are told later.

        :param frame: of the first tick
        """
        self._begun = frame

    def control(self, angle: float, acceleration: float, speed: float, measured_acceleration: float) -> None:
        """
        :param angle: wanted of the front wheels [rad], left positive
        :param acceleration: wanted [m/s²]
        :param speed: as measured [m/s]
        :param measured_acceleration: of the last step [m/s²]
        """
        self.vehicle.apply_control(self._driver.control(angle, acceleration, speed, measured_acceleration))

    def measure(self) -> tuple[Measurement, Any]:
        """
        Where the vehicle is, from the last snapshot: no call to the server.

        :return: the measurement, and the snapshot
        :raises ServerLostError: if the vehicle is not in the world any more
        """
        snapshot = self._session.world.get_snapshot()
        actor = snapshot.find(self.id)
        if actor is None:
            raise ServerLostError("the vehicle is gone: somebody else has destroyed it, or loaded another map")
        transform = actor.get_transform()
        self.height = transform.location.z
        x, y, yaw = ahead_of(pose_of(transform), self.model.rear_axle)
        velocity_x, velocity_y, yaw_rate = motion_of(actor.get_velocity(), actor.get_angular_velocity())
        forwards = velocity_x * math.cos(yaw) + velocity_y * math.sin(yaw)
        return Measurement(x, y, yaw, max(forwards, 0.0), yaw_rate), snapshot

    def collisions(self) -> list[Collision]:
        """:return: those of this episode that were told since the last time"""
        found = []
        while self._collisions:
            found.append(self._collisions.popleft())
        return [collision for collision in found if collision.frame > self._begun]


def on_road(road_map: Any, pose: Pose, height: float) -> Any:
    """
    Where a vehicle stands on the road.

    :param road_map: ``carla.Map``
    :param pose: of its origin
    :param height: of the road thereabouts [m]
    :return: ``carla.Transform``, with height and pitch of the lane
    """
    transform = transform_of(pose, height)
    lane = road_map.get_waypoint(transform.location).transform
    transform.location.z, transform.rotation.pitch = lane.location.z, lane.rotation.pitch
    return transform
