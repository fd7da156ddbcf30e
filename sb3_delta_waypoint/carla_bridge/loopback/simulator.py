"""The simulator of the server: a world, its sensors and its clock."""

from collections.abc import Callable, Mapping

from sb3_delta_waypoint.carla_bridge.loopback import wire
from sb3_delta_waypoint.carla_bridge.loopback.road_map import RoadMap
from sb3_delta_waypoint.carla_bridge.loopback.sensors import Sensor
from sb3_delta_waypoint.carla_bridge.loopback.streams import Streams
from sb3_delta_waypoint.carla_bridge.loopback.world import LoopbackWorld


class Simulator:
    """
    A simulator that steps a world and sends the measurements of its sensors.

    :param maps: functions that read the maps, by name; the first map is loaded
    :param default_dt: default length of a step [s]
    :param streams: streams of measurements and snapshots
    :param version: version that the server reports
    :param disguised: whether to look like CARLA, without a marking blueprint and with vehicles driven by traffic managers
    :raises ValueError: if the first map has no driving lane
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
        """Step the world. Measurements are sent before the snapshot, so that a client with the snapshot has been sent all."""
        world, dt = self.world, self.dt
        if self.streams.announced:
            self.streams.await_announced()
        n_hits = world.step(dt)
        for sensor in self.sensors.values():
            if sensor.actor.stream in self.streams.subscribers and sensor.due():
                for parts in sensor.measure(world.hits[:n_hits]):
                    self.streams.send(sensor.actor.stream, sensor.header(sum(map(len, parts))), *parts)
        self.streams.send(wire.WORLD_STREAM, world.snapshot(dt))
