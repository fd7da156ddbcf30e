"""Functions shared by both ways to run a server: the subprocess of :class:`~.process.LoopbackServer` and the command."""

import signal
import sys

from sb3_delta_waypoint.carla_bridge.loopback.blueprints import SENSORS
from sb3_delta_waypoint.carla_bridge.loopback.road_map import RoadMap
from sb3_delta_waypoint.carla_bridge.loopback.sensors import make_sensor
from sb3_delta_waypoint.carla_bridge.loopback.world import LoopbackWorld
from sb3_delta_waypoint.driving.lanes import make_lanes
from sb3_delta_waypoint.driving.network import from_paths
from sb3_delta_waypoint.maps import town


def exit_on_signals() -> None:
    """Let SIGTERM and SIGINT end the process cleanly, with exit code 0."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))


def warm_up() -> None:
    """Load the kernels, or compile them the first time, so that no client has to wait for them."""
    road_map = RoadMap(town.NAME, town.town())
    road_map.lanes = make_lanes(from_paths([([(0.0, 0.0), (9.0, 0.0)], [8.0, 8.0])]), 4.0)
    world = LoopbackWorld(road_map, 0)
    car = world.spawn([0, "vehicle.tesla.model3", []], [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    world.set_autopilot(car, True)
    world.step(0.1)
    for name, sensor in SENSORS.items():
        attributes = [[key, 0, str(value)] for key, value in {**sensor, "image_size_x": 4, "image_size_y": 4}.items()]
        device = make_sensor(world, world.spawn([0, name, attributes], [[0.0, 0.0, 2.0], [0.0, 0.0, 0.0]], car.id))
        if device:
            device.measure(world.hits[:0])
