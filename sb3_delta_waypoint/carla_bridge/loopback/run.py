"""What both ways to run a server share: the subprocess of :class:`~.process.LoopbackServer` and the command."""

import signal
import sys

from sb3_delta_waypoint.carla_bridge.loopback import town
from sb3_delta_waypoint.carla_bridge.loopback.road_map import RoadMap
from sb3_delta_waypoint.carla_bridge.loopback.world import World


def exit_on_signals() -> None:
    """SIGTERM and SIGINT end the process in order, with exit code 0."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))


def warm_up() -> None:
    """Load the kernels, or compile them the first time, so that no client waits for it."""
    world = World(RoadMap(town.NAME, town.town()), 0)
    car = world.spawn([0, "vehicle.tesla.model3", []], [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    world.set_autopilot(car, True)
    world.step(0.1)
