"""
The calls that clients make, each a method with its name on the wire.

A method returns the answer to the client, or None for a call without a result. A ``ValueError`` becomes the message of the
client's ``RuntimeError``. The annotations of a method define which arguments it accepts (:mod:`~.arguments`). Calls that
change destroyed actors have no effect, as in CARLA.
"""

import math
from collections.abc import Callable
from typing import Annotated, Any

from sb3_delta_waypoint.carla_bridge.loopback import blueprints, wire
from sb3_delta_waypoint.carla_bridge.loopback.actors import Actor
from sb3_delta_waypoint.carla_bridge.loopback.arguments import (
    Description,
    PhysicsControl,
    Seconds,
    Settings,
    Text,
    Transform,
    Vector,
    VehicleControl,
    WalkerControl,
    Weather,
    Wire,
    checked,
)
from sb3_delta_waypoint.carla_bridge.loopback.batch import apply_batch
from sb3_delta_waypoint.carla_bridge.loopback.road_map import RoadMap, sent_map
from sb3_delta_waypoint.carla_bridge.loopback.sensors import MAX_PIXELS, make_sensor
from sb3_delta_waypoint.carla_bridge.loopback.simulator import Simulator
from sb3_delta_waypoint.carla_bridge.loopback.traffic_managers import traffic_manager_calls
from sb3_delta_waypoint.carla_bridge.loopback.world import LoopbackWorld
from sb3_delta_waypoint.driving.bodies import VEHICLE
from sb3_delta_waypoint.driving.frames import left_handed, mirrored, right_handed
from sb3_delta_waypoint.driving.signals import GREEN, RED, YELLOW

MAP_FOLDER = "/Game/Carla/Maps/"
SENT = "OpenDriveMap"
"""The client's name for a map that it has sent."""


class Calls:
    """
    The methods that a client can call.

    :param simulator: simulator of the world on which they act
    """

    def __init__(self, simulator: Simulator):
        self._simulator = simulator
        self._sent: RoadMap | None = None
        self._lights: dict[int, int] = {}
        own = {name: getattr(self, name) for name in vars(type(self)) if not name.startswith("_")}
        self.table: dict[str, Callable[..., Any]] = {
            name: checked(call) for name, call in (own | traffic_manager_calls()).items()
        }

    @property
    def _world(self) -> LoopbackWorld:
        return self._simulator.world

    def _actor(self, actor_id: int) -> Actor:
        actor = self._world.actors.get(actor_id)
        if actor is None:
            raise LookupError(f"there is no actor {actor_id}")
        return actor

    def _body(self, actor_id: int) -> Any:
        return self._world.bodies[self._actor(actor_id).row]

    # --------------------------------------------------------------- session

    def version(self) -> str:
        return self._simulator.version

    def get_episode_info(self) -> Wire:
        return [self._world.episode, wire.token(wire.WORLD_STREAM, self._world.stream_port)]

    def get_sensor_token(self, stream: int) -> Wire:
        if wire.WORLD_STREAM <= stream < self._world.next_stream:
            self._simulator.streams.announced.add(stream)
        return wire.token(stream, self._world.stream_port)

    def get_episode_settings(self) -> Wire:
        return self._world.settings

    def set_episode_settings(self, settings: Settings) -> int:
        self._world.settings = settings
        # a frame that the client has seen already, since it would wait in vain for a later one
        return self._world.frame

    def get_required_files(self, folder: str) -> Wire:
        return []

    def query_lights_state(self, client: str) -> Wire:
        return []

    def tick_cue(self) -> int:
        if self._simulator.synchronous:
            self._simulator.tick()
            return self._world.frame
        return self._world.frame + 1

    # ------------------------------------------------------------------ maps

    def get_map_info(self) -> Wire:
        return [MAP_FOLDER + self._world.road_map.name, self._world.road_map.spawn_points]

    def get_map_data(self) -> str:
        return self._world.road_map.text

    def get_available_maps(self) -> list[str]:
        return [MAP_FOLDER + name for name in self._simulator.maps]

    def load_new_episode(self, name: str, reset_settings: bool = True, layers: int = 0) -> None:
        """Load a map; an empty name stands for the current one."""
        key = name.rpartition("/")[2] or self._world.road_map.name
        if key in self._simulator.maps:
            road_map = self._simulator.maps[key]()
        elif self._sent is not None and key == SENT:
            road_map = self._sent
        else:
            raise ValueError(f"map '{name}' not found; the loopback server has {', '.join(self._simulator.maps)}")
        if reset_settings:
            self._world.settings = list(wire.DEFAULT_SETTINGS)
        self._simulator.sensors.clear()
        self._lights.clear()
        self._world.begin_episode(road_map)

    def copy_opendrive_to_file(self, text: Text, parameters: Wire) -> None:
        self._sent = sent_map(SENT, text)

    def load_map_layer(self, layers: int) -> None:
        pass

    def unload_map_layer(self, layers: int) -> None:
        pass

    # calls for buildings, lamps and a screen, which this simulator does not have

    def get_environment_objects(self, tag: int) -> Wire:
        return []

    def get_all_level_BBs(self, tag: int) -> Wire:
        return []

    def cast_ray(self, start: Wire, end: Wire) -> Wire:
        return []

    def project_point(self, location: Wire, direction: Wire, distance: float) -> Wire:
        return [False, [[0.0, 0.0, 0.0], 0]]

    def draw_debug_shape(self, shape: Wire) -> None:
        pass

    # --------------------------------------------------------------- weather

    def get_weather_parameters(self) -> Wire:
        return self._world.weather

    def set_weather_parameters(self, weather: Weather) -> None:
        self._world.weather = weather

    # ---------------------------------------------------------------- actors

    def get_actor_definitions(self) -> Wire:
        return blueprints.definitions(marked=not self._simulator.disguised)

    def get_spectator(self) -> Wire:
        return self._world.spectator.wire

    def get_actors_by_id(self, ids: list[int]) -> list[Wire]:
        actors = self._world.actors
        return [actors[actor_id].wire for actor_id in ids if actor_id in actors]

    def spawn_actor(self, description: Description, transform: Transform) -> Wire:
        return self._spawn(description, transform).wire

    def spawn_actor_with_parent(
        self, description: Description, transform: Transform, parent: int, attachment: int = 0, socket: str = ""
    ) -> Wire:
        return self._spawn(description, transform, parent).wire

    def _spawn(self, description: Wire, transform: Transform, parent: int = 0) -> Actor:
        actor = self._world.spawn(description, transform, parent)
        try:
            if sensor := make_sensor(self._world, actor):
                sensors = self._simulator.sensors
                if sum(other.n_pixels for other in sensors.values()) + sensor.n_pixels > MAX_PIXELS:
                    raise ValueError(f"Spawn failed: all cameras together have at most {MAX_PIXELS} pixels")
                sensors[actor.id] = sensor
        except ValueError:
            self._world.destroy(actor.id)
            raise
        return actor

    def destroy_actor(self, actor_id: int) -> bool:
        self._simulator.sensors.pop(actor_id, None)
        self._lights.pop(actor_id, None)
        return self._world.destroy(actor_id)

    def get_actor_bounding_box(self, actor_id: int) -> Wire:
        return self._actor(actor_id).box

    def set_actor_transform(self, actor_id: int, transform: Transform) -> None:
        self._world.place(self._actor(actor_id), transform)

    def set_actor_location(self, actor_id: int, location: Vector) -> None:
        actor = self._actor(actor_id)
        _, rotation = self._world.transform_of_row(self._world.rows[actor.row])
        self._world.place(actor, [location, rotation])

    def set_actor_simulate_physics(self, actor_id: int, enabled: bool) -> None:
        body = self._body(actor_id)
        body["physics"] = enabled
        if not enabled:
            # CARLA resets the physics of a vehicle when it is switched on again
            for field in ("speed", "yaw_rate", "acceleration", "steer", "throttle", "brake"):
                body[field] = 0.0
            body["direction"] = 1.0

    def set_actor_collisions(self, actor_id: int, enabled: bool) -> None:
        body = self._body(actor_id)
        body["solid"] = enabled and body["half_length"] > 0.0

    def set_actor_enable_gravity(self, actor_id: int, enabled: bool) -> None:
        pass

    def apply_control_to_walker(self, actor_id: int, control: WalkerControl) -> None:
        (x, y, _), speed, _ = control
        x, y, _ = right_handed(float(x), float(y), 0.0)
        self._world.controls[self._actor(actor_id).row] = (x, y, speed, False, False)

    def apply_batch(self, commands: Wire, tick: bool = False) -> list[Wire]:
        return apply_batch(self.table, commands)

    # ---------------------------------------------------------------- lights

    def _light(self, actor_id: int) -> int:
        self._actor(actor_id)
        if actor_id not in self._world.lights.number:
            raise ValueError(f"actor {actor_id} is not a traffic light")
        return actor_id

    def set_traffic_light_state(self, actor_id: int, state: Annotated[int, range(5)]) -> None:
        self._world.lights.set_state(self._light(actor_id), state)

    def set_traffic_light_green_time(self, actor_id: int, seconds: Seconds) -> None:
        self._world.lights.set_time(self._light(actor_id), GREEN, seconds)

    def set_traffic_light_yellow_time(self, actor_id: int, seconds: Seconds) -> None:
        self._world.lights.set_time(self._light(actor_id), YELLOW, seconds)

    def set_traffic_light_red_time(self, actor_id: int, seconds: Seconds) -> None:
        self._world.lights.set_time(self._light(actor_id), RED, seconds)

    def freeze_traffic_light(self, actor_id: int, frozen: bool) -> None:
        """Freeze all lights, as in CARLA."""
        self._world.lights.freeze(frozen)

    def freeze_all_traffic_lights(self, frozen: bool) -> None:
        self._world.lights.freeze(frozen)

    def reset_all_traffic_lights(self) -> None:
        self._world.lights.restart()

    def get_light_boxes(self, actor_id: int) -> Wire:
        return []

    def get_group_traffic_lights(self, actor_id: int) -> list[int]:
        return self._world.lights.group_of(self._light(actor_id))

    # -------------------------------------------------------------- vehicles

    def _vehicle(self, actor_id: int) -> Any:
        body = self._body(actor_id)
        if body["kind"] != VEHICLE:
            raise ValueError(f"actor {actor_id} is not a vehicle")
        return body

    def apply_control_to_vehicle(self, actor_id: int, control: VehicleControl) -> None:
        throttle, steer, brake, hand_brake, reverse, manual_gear_shift, _ = control
        row = self._actor(actor_id).row
        self._world.controls[row] = (throttle, mirrored(float(steer)), brake, hand_brake, reverse)
        self._world.mounts[row]["manual_gear_shift"] = manual_gear_shift

    def set_actor_target_velocity(self, actor_id: int, velocity: Vector) -> None:
        body = self._vehicle(actor_id)
        x, y, _ = right_handed(float(velocity[0]), float(velocity[1]), 0.0)
        forward = x * math.cos(body["yaw"]) + y * math.sin(body["yaw"])
        body["speed"], body["direction"] = abs(forward), -1.0 if forward < 0.0 else 1.0
        body["yaw_rate"] = 0.0

    def set_actor_target_angular_velocity(self, actor_id: int, velocity: Vector) -> None:
        self._vehicle(actor_id)["yaw_rate"] = right_handed(0.0, 0.0, float(velocity[2]))[2]

    def set_actor_autopilot(self, actor_id: int, enabled: bool) -> None:
        self._vehicle(actor_id)
        self._world.set_autopilot(self._actor(actor_id), enabled)

    def enable_actor_constant_velocity(self, actor_id: int, velocity: Vector) -> None:
        """Hold the forward part of a velocity in the frame of the vehicle."""
        self._vehicle(actor_id)["held_speed"] = velocity[0]

    def disable_actor_constant_velocity(self, actor_id: int) -> None:
        self._vehicle(actor_id)["held_speed"] = math.nan

    def get_vehicle_light_state(self, actor_id: int) -> Wire:
        return [self._lights.get(actor_id, 0)]

    def set_vehicle_light_state(self, actor_id: int, state: Annotated[Wire, (int,)]) -> None:
        self._actor(actor_id)
        self._lights[actor_id] = state[0]

    def get_vehicle_light_states(self) -> Wire:
        return [[actor_id, state] for actor_id, state in self._lights.items()]

    def get_physics_control(self, actor_id: int) -> Wire:
        self._vehicle(actor_id)
        return self._world.physics_control(self._actor(actor_id))

    def apply_physics_control(self, actor_id: int, control: PhysicsControl) -> None:
        """Set mass and steering range; the other parameters stay as in the blueprint."""
        body = self._vehicle(actor_id)
        body["mass"] = control[11]
        if wheels := control[15]:
            body["max_steer"] = math.radians(wheels[0][2])

    def get_wheel_steer_angle(self, actor_id: int, wheel: int) -> float:
        """Get the steering angle of a front wheel (0 or 1), in degrees, right positive."""
        return left_handed(0.0, 0.0, float(self._vehicle(actor_id)["steer"]))[2] if wheel < 2 else 0.0
