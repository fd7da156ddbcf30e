"""
A kinematic stand-in for a CARLA server, for the unmodified ``carla`` client: see :class:`~.process.LoopbackServer`.

It makes it possible to run all code on the client's side without CARLA. Nothing measured on it is a CARLA result.
"""

from sb3_delta_waypoint.carla_bridge.loopback.process import LoopbackServer

__all__ = ["LoopbackServer"]
