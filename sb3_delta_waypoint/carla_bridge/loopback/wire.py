"""
The wire format of the CARLA client.

The numbers of the sensor types are positions in a list compiled into the client and differ between versions. A client that
gets a wrong number decodes one sensor as another and crashes its interpreter, so there is one table per tested version. To add
a version: read the order of the list from the symbols of its shared library, run ``tests/carla_bridge/loopback`` with
it, and add it here.
"""

import struct
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

SENSOR_TYPES = {
    "0.9.16": {
        "sensor.other.collision": 0,
        "sensor.other.gnss": 4,
        "sensor.other.imu": 5,
        "sensor.other.obstacle": 7,
        "sensor.camera.rgb": 13,
        "world": 17,
    }
}
"""Type number of each sensor by client version. The client itself detects lane invasions."""

CLIENT_VERSION = "0.9.16"
"""Version of the protocol that the server uses and reports."""

WORLD_STREAM = 1
"""Number of the stream of world snapshots."""

VEHICLE_TAG, PEDESTRIAN_TAG, STATIC_TAG = bytes([14]), bytes([12]), bytes([20])
"""Semantic tags."""

HEADER = struct.Struct("<IQQd6f")
"""Header of a message: size of the body, sensor type, frame, seconds, transform of the sensor."""
EPISODE = struct.Struct("<Qdf3iI")
"""Start of a snapshot: episode, wall clock, seconds of the step, map origin, state bits."""
MAP_CHANGED = 1
"""State bit: the first snapshot of a new episode."""
IMAGE = struct.Struct("<IIf")
"""Start of an image: width, height, field of view [degrees]."""

ACTOR_ROW = np.dtype(
    [
        ("id", "<u4"),
        ("state", "u1"),
        # CARLA's frame: metres, degrees, left-handed
        ("x", "<f4"),
        ("y", "<f4"),
        ("z", "<f4"),
        ("pitch", "<f4"),
        ("yaw", "<f4"),
        ("roll", "<f4"),
        ("velocity", "<f4", (3,)),
        ("angular_velocity", "<f4", (3,)),
        ("acceleration", "<f4", (3,)),
        # fields that depend on the kind of actor, here those of vehicles
        ("throttle", "<f4"),
        ("steer", "<f4"),
        ("brake", "<f4"),
        ("hand_brake", "u1"),
        ("reverse", "u1"),
        ("manual_gear_shift", "u1"),
        ("gear", "<i4"),
        ("speed_limit", "<f4"),
        ("light", "u1"),
        ("has_light", "u1"),
        ("light_id", "<u4"),
        ("failure", "u1"),
        ("unused", "u1", (24,)),
    ]
)
"""An actor in a world snapshot, packed, 119 bytes."""

FIRST_ROW = HEADER.size + EPISODE.size
"""Offset of the first actor in the message of a snapshot [bytes]."""
ACTIVE = 1
"""State of every living actor."""
NO_LIGHT = 4
"""State of the traffic light of a vehicle that is not at any."""

DEFAULT_SETTINGS = [False, False, [False], True, 0.01, 10, 0.0, True, 3000.0, 2000.0, True]
"""Episode settings; the first is the synchronous mode, the third the optional length of a step."""
DEFAULT_WEATHER = [10.0, 0.0, 0.0, 10.0, 0.0, 45.0, 2.0, 0.75, 0.1, 0.0, 1.0, 0.03, 0.0331, 0.0]
"""Default weather, fourteen numbers of which the sixth is the altitude of the sun [degrees]."""


def check_wire_version() -> None:
    """
    Check the version of the installed client.

    :raises ImportError: if its sensor table is not known
    """
    try:
        installed = version("carla")
    except PackageNotFoundError:
        raise ImportError("The loopback server needs the CARLA client: pip install sb3_delta_waypoint[carla]") from None
    if installed not in SENSOR_TYPES:
        raise ImportError(
            f"carla {installed} is installed; the loopback server speaks {', '.join(SENSOR_TYPES)} only, since another "
            f"version numbers its sensors otherwise and would crash the interpreter: pip install carla=={CLIENT_VERSION}"
        )


def token(stream: int, port: int) -> list[bytes]:
    """Make the token for a subscription to a stream: TCP, on the host that the client knows already."""
    return [struct.pack("<IHBB16x", stream, port, 1, 0)]


def description(uid: int, name: str, attributes: list[list[Any]]) -> list[Any]:
    """Make the ActorDescription of an actor."""
    return [uid, name, attributes]
