"""The ego vehicle: its placement at the start of an episode, its control, its measurement and its collisions."""

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
"""Height above the road from which a vehicle is dropped when it is placed [m]."""
NEIGHBOURHOOD, HEADROOM = 10.0, 3.0
"""Horizontal and vertical distance within which actors are checked when a vehicle is placed [m]."""


class Collision(NamedTuple):
    """A collision of the vehicle."""

    other: int
    """Id of the other actor."""
    kind: str
    """Kind of the other actor: ``vehicle``, ``pedestrian`` or ``static``."""
    frame: int
    """Frame of the tick."""


class Ego:
    """
    The ego vehicle. It stays in the world from one episode to the next.

    :param session: a connected session
    :param blueprint: id of the vehicle's blueprint
    :raises ValueError: if the server has no such vehicle, or it is not a car
    :raises NoRoutesError: if the map has no spawn point
    :raises SpawnPointOccupiedError: if all of them are occupied
    """

    def __init__(self, session: Session, blueprint: str):
        self._session = session
        self._collisions: deque[Collision] = deque()
        self._begun = 0
        self.height = 0.0
        """Height of the vehicle's origin, as last measured [m]."""
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
        """Handle ``carla.Vehicle``, which the caller must not keep."""
        return self._session.actor(self.id)

    @property
    def front(self) -> float:
        """Distance from the rear axle to the front bumper [m]."""
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
        Place the vehicle at the start of an episode, in the state of a new vehicle. The move takes effect at the next tick.

        :param pose: pose of the rear axle, world frame
        :param height: height of the road there [m]
        :param speed: [m/s]
        :param steer: steering angle [rad], left positive
        :param route: name of the route, for the error
        :raises SpawnPointOccupiedError: if the place is occupied
        """
        session, vehicle = self._session, self.vehicle
        with session.calls():
            middle = ahead_of(pose, -self.model.rear_axle)
            transform = on_road(session.map, middle, height)
            self._refuse_occupied(middle, transform.location.z, route)
            transform.location.z += DROP
            # switching physics off and on resets gearbox, wheels and engine, too
            vehicle.set_simulate_physics(False)
            vehicle.set_transform(transform)
            vehicle.set_simulate_physics(True)
            vehicle.set_target_angular_velocity(vector_of(0.0, 0.0))
            vehicle.set_target_velocity(vector_of(speed * math.cos(pose[2]), speed * math.sin(pose[2])))
            self._driver.reset()
            vehicle.apply_control(self._driver.control(steer, 0.0, speed, 0.0))

    def _refuse_occupied(self, pose: Pose, height: float, route: str) -> None:
        """Check the actors of other clients; those of this session are placed elsewhere."""
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
                # it has been destroyed since the last snapshot
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
        Begin an episode. Collisions before it are ignored, even if they are reported later.

        :param frame: frame of the first tick
        """
        self._begun = frame

    def control(self, angle: float, acceleration: float, speed: float, measured_acceleration: float) -> None:
        """
        Control the vehicle.

        :param angle: commanded angle of the front wheels [rad], left positive
        :param acceleration: commanded acceleration [m/s²]
        :param speed: measured speed [m/s]
        :param measured_acceleration: measured acceleration of the last step [m/s²]
        """
        self.vehicle.apply_control(self._driver.control(angle, acceleration, speed, measured_acceleration))

    def measure(self) -> tuple[Measurement, Any]:
        """
        Measure the vehicle from the last snapshot, without a call to the server.

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
        """Get the collisions of this episode that were reported since the last call."""
        found = []
        while self._collisions:
            found.append(self._collisions.popleft())
        return [collision for collision in found if collision.frame > self._begun]


def on_road(road_map: Any, pose: Pose, height: float) -> Any:
    """
    Transform of a vehicle that stands on the road.

    :param road_map: ``carla.Map``
    :param pose: pose of its origin, world frame
    :param height: approximate height of the road [m]
    :return: ``carla.Transform``, with height and pitch of the lane
    """
    transform = transform_of(pose, height)
    lane = road_map.get_waypoint(transform.location).transform
    transform.location.z, transform.rotation.pitch = lane.location.z, lane.rotation.pitch
    return transform
