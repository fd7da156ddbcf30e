"""Checks of the arguments of ``CarlaWaypoint-v0``, made before a server is started or called."""

from collections.abc import Collection
from pathlib import Path

from sb3_delta_waypoint.bounds import Bounds, check_number
from sb3_delta_waypoint.carla_bridge.events import EVENTS
from sb3_delta_waypoint.contract import CONTROL_DT
from sb3_delta_waypoint.messages import short_repr

FPS = Bounds(10.0, 1000.0)
SECONDS = Bounds(0.1, 3600.0, "s")
PORT = Bounds(1, 65535, whole=True)


def check_env_arguments(
    host: object, port: object, town: object, routes: object, blueprint: object, ends_at: object, fps: float,
    blocked_time: object, timeout: object,
) -> None:  # fmt: skip
    """
    Check arguments of :class:`~.env.CarlaWaypointEnv`, which describes them.

    :raises ValueError: naming the first argument that is not accepted
    """
    check_number("fps", fps, FPS)
    check_number("blocked_time", blocked_time, SECONDS)
    check_number("timeout", timeout, SECONDS)
    if port is not None:
        check_number("port", port, PORT)
    for name, text in (("host", "" if host is None else host), ("blueprint", blueprint)):
        if not isinstance(text, str):
            raise ValueError(f"{name}={short_repr(text)}: expected a string")
    for name, path in (("town", town), ("routes", routes)):
        if not isinstance(path, str | Path | None):
            raise ValueError(f"{name}={short_repr(path)}: expected a name or a file")
    if abs(round(CONTROL_DT * fps) - CONTROL_DT * fps) > 1e-6:
        raise ValueError(f"fps={fps}: a control step of {CONTROL_DT} s must be a whole number of ticks; 10, 20, 30 … are")
    if isinstance(ends_at, str) or not isinstance(ends_at, Collection):
        raise ValueError(f"ends_at={short_repr(ends_at)}: expected several of {', '.join(EVENTS)}, such as ('collision',)")
    for event in ends_at:
        if event not in EVENTS:
            raise ValueError(f"ends_at: {short_repr(event)} is unknown; accepted are {', '.join(EVENTS)}")
