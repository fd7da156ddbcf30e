"""Cameras on the vehicle; each image is matched to the tick in which it was taken."""

import math
import queue
import time
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import numpy as np
from gymnasium import spaces

from sb3_delta_waypoint.bounds import Bounds, check_parameters
from sb3_delta_waypoint.carla_bridge.connection import Session
from sb3_delta_waypoint.contract import GROUPS
from sb3_delta_waypoint.maps.carla_frame import transform_of
from sb3_delta_waypoint.messages import short_repr

IMAGE_TIMEOUT = 2.0
"""Longest wait for an image after its tick, after which it counts as missing [s]."""
METRES, RADIANS = Bounds(-100.0, 100.0, "m"), Bounds(-2.0 * math.pi, 2.0 * math.pi, "rad")
"""Bounds of the positions and angles of cameras on the car."""


class Camera(NamedTuple):
    """An rgb camera: its image size and its pose relative to the middle of the rear axle (x forward, y left, z up)."""

    width: Annotated[float, Bounds(1, 4096)] = 84
    """Width of the image [pixels]."""
    height: Annotated[float, Bounds(1, 4096)] = 64
    """Height of the image [pixels]."""
    fov: Annotated[float, Bounds(1.0, 179.0, "degrees")] = 90.0
    """Horizontal field of view [degrees]."""
    x: Annotated[float, METRES] = 2.5
    """[m]"""
    y: Annotated[float, METRES] = 0.0
    """[m]"""
    z: Annotated[float, METRES] = 1.6
    """[m]"""
    yaw: Annotated[float, RADIANS] = 0.0
    """Counter-clockwise [rad]."""
    pitch: Annotated[float, RADIANS] = 0.0
    """Upwards [rad]."""


def cameras_of(given: Mapping[str, Mapping[str, float] | Camera] | None) -> dict[str, Camera]:
    """
    Make cameras from their parameters.

    :param given: for each camera's name the parameters that differ from :class:`Camera`
    :return: the cameras by name
    :raises ValueError: for the name of another observation, an unknown parameter, or a number that is not accepted
    """
    cameras: dict[str, Camera] = {}
    if not isinstance(given, Mapping | None):
        raise ValueError(f"cameras={short_repr(given)}: expected cameras by name, such as {{'front': {{'width': 84}}}}")
    taken = set(GROUPS)
    for name, parameters in (given or {}).items():
        if not isinstance(name, str) or {name, f"{name}_valid"} & taken:
            raise ValueError(
                f"cameras: {short_repr(name)} cannot be the name of a camera; give it one of its own, such as 'front'"
            )
        taken |= {name, f"{name}_valid"}
        if not isinstance(parameters, Mapping | Camera):
            raise ValueError(f"cameras[{name!r}]={short_repr(parameters)}: expected a mapping of names to numbers, or Camera")
        values = parameters if isinstance(parameters, Mapping) else parameters._asdict()
        unknown = [key for key in values if key not in Camera._fields]
        if unknown:
            raise ValueError(f"cameras[{name!r}]: {unknown[0]!r} is unknown; accepted are {', '.join(Camera._fields)}")
        camera = Camera(**values)
        check_parameters(f"cameras[{name!r}]", camera)
        cameras[name] = camera
    return cameras


def camera_spaces(cameras: Mapping[str, Camera]) -> dict[str, spaces.Box]:
    """
    Spaces of the observations of cameras.

    :param cameras: cameras by name
    :return: for each ``<name>`` uint8 ``(3, height, width)`` and ``<name>_valid`` float32 ``(1,)``
    """
    found: dict[str, spaces.Box] = {}
    for name, camera in cameras.items():
        found[name] = spaces.Box(0, 255, (3, int(camera.height), int(camera.width)), np.uint8)
        found[f"{name}_valid"] = spaces.Box(0.0, 1.0, (1,), np.float32)
    return found


class Cameras:
    """
    The cameras of a vehicle in a session.

    :param session: a connected session
    :param vehicle: id of the ``carla.Vehicle`` that carries them
    :param rear_axle: distance forwards from the vehicle's origin to its rear axle [m]
    :param cameras: cameras by name
    """

    def __init__(self, session: Session, vehicle: int, rear_axle: float, cameras: Mapping[str, Camera]):
        self._cameras = cameras
        self._images: dict[str, queue.SimpleQueue[Any]] = {}
        with session.calls():
            library = session.library
            for name, camera in cameras.items():
                blueprint = library.find("sensor.camera.rgb")
                for key, value in (("image_size_x", camera.width), ("image_size_y", camera.height)):
                    blueprint.set_attribute(key, str(int(value)))
                blueprint.set_attribute("fov", str(camera.fov))
                place = transform_of((camera.x + rear_axle, camera.y, camera.yaw), camera.z, camera.pitch)
                self._images[name] = queue.SimpleQueue()
                session.listen(session.spawn(blueprint, place, session.actor(vehicle)), self._images[name].put)

    def observe(self, frame: int) -> dict[str, np.ndarray]:
        """
        Wait for the images of a tick.

        :param frame: frame of the tick
        :return: for each camera ``<name>`` uint8 ``(3, height, width)``, RGB, and ``<name>_valid`` float32 ``(1,)``; for
            a missing image they are a black picture and 0
        """
        deadline = time.monotonic() + IMAGE_TIMEOUT
        observation = {}
        for name, camera in self._cameras.items():
            image = self._image(name, frame, deadline)
            picture = np.zeros((3, int(camera.height), int(camera.width)), np.uint8)
            if image is not None:
                pixels = np.frombuffer(image.raw_data, np.uint8).reshape(image.height, image.width, 4)
                # BGRA
                picture[:] = pixels[..., 2::-1].transpose(2, 0, 1)
            observation[name] = picture
            observation[f"{name}_valid"] = np.array([image is not None], np.float32)
        return observation

    def _image(self, name: str, frame: int, deadline: float) -> Any:
        while True:
            try:
                image = self._images[name].get(timeout=max(deadline - time.monotonic(), 0.0))
            except queue.Empty:
                return None
            if image.frame == frame:
                return image
            if image.frame > frame:
                # the image is of a later tick, which will need it
                self._images[name].put(image)
                return None
