"""What the server simulates: a world, its sensors, and its clock."""

from collections.abc import Callable, Mapping

from sb3_delta_waypoint.carla_bridge.loopback import wire
from sb3_delta_waypoint.carla_bridge.loopback.road_map import RoadMap
from sb3_delta_waypoint.carla_bridge.loopback.sensors import Sensor
from sb3_delta_waypoint.carla_bridge.loopback.streams import Streams
from sb3_delta_waypoint.carla_bridge.loopback.world import LoopbackWorld


class Simulator:
    """
    A world that is stepped, and whose sensors send what they measure.

    :param maps: what reads the maps that clients can load, by name; the first is loaded
    :param default_dt: length of a step where the client does not say [s]
    :param streams: where measurements and snapshots go
    :param version: the version that the server says it has
    :param disguised: pass for CARLA: no blueprint tells the clients, and vehicles are left to their traffic managers
    :raises ValueError: if the first map cannot be driven on
    """

    def __init__(
        self,
        maps: Mapping[str, Callable[[], RoadMap]],
        default_dt: float,
        streams: Streams,
        version: str,
        disguised: bool,
    ):
        self.maps = dict(maps)
        self.default_dt = default_dt
        self.streams = streams
        self.version = version
        self.disguised = disguised
        self.sensors: dict[int, Sensor] = {}
        self.world = LoopbackWorld(next(iter(self.maps.values()))(), streams.door.port)
        self.world.drives_autopilots = not disguised

    @property
    def synchronous(self) -> bool:
        """Whether time stands still until a client ticks."""
        return bool(self.world.settings[0])

    @property
    def dt(self) -> float:
        """Length of a step [s]."""
        given, *seconds = self.world.settings[2]
        return seconds[0] if given and seconds[0] > 0.0 else self.default_dt

    def tick(self) -> None:
        """One step of the world. Sensors go first: who has seen the snapshot can rely on having been sent the rest."""
        world, dt = self.world, self.dt
        if self.streams.announced:
            self.streams.await_announced()
        n_hits = world.step(dt)
        for sensor in self.sensors.values():
            if sensor.actor.stream in self.streams.subscribers and sensor.due():
                for parts in sensor.measure(world.hits[:n_hits]):
                    self.streams.send(sensor.actor.stream, sensor.header(sum(map(len, parts))), *parts)
        self.streams.send(wire.WORLD_STREAM, world.snapshot(dt))
