"""
A kinematic stand-in for a CARLA server, for the unmodified ``carla`` client: see :class:`~.process.LoopbackServer`.

It lets everything on the client's side run without CARLA. It is not CARLA: nothing measured on it is a CARLA result.
"""

from sb3_delta_waypoint.carla_bridge.loopback.process import LoopbackServer

__all__ = ["LoopbackServer"]
