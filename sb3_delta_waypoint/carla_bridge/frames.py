"""
Between CARLA's frame (left-handed: x forward, y right, z up; degrees, yaw clockwise seen from above) and the package's.

This is the only place where one becomes the other: metres stay, y and yaw change sign, degrees become radians.
"""

import math
from typing import Any

from sb3_delta_waypoint.driving.frames import Pose


def pose_of(transform: Any) -> Pose:
    """
    :param transform: ``carla.Transform``
    :return: x, y [m] and yaw [rad, counter-clockwise, within ±π]: CARLA's waypoints have yaws beyond ±180°
    """
    location = transform.location
    return location.x, -location.y, wrap(-math.radians(transform.rotation.yaw))


def transform_of(pose: Pose, z: float = 0.0, pitch: float = 0.0) -> Any:
    """
    :param pose: x, y [m] and yaw [rad, counter-clockwise]
    :param z: [m], upwards
    :param pitch: [rad], nose up, as CARLA has it
    :return: ``carla.Transform``
    """
    import carla

    x, y, yaw = pose
    rotation = carla.Rotation(pitch=math.degrees(pitch), yaw=-math.degrees(yaw))
    return carla.Transform(carla.Location(x=x, y=-y, z=z), rotation)


def vector_of(x: float, y: float, z: float = 0.0) -> Any:
    """
    :param x: component along x, in any unit
    :param y: component along y, counter-clockwise of x
    :param z: component upwards
    :return: ``carla.Vector3D``
    """
    import carla

    return carla.Vector3D(x=x, y=-y, z=z)


def wrap(angle: float) -> float:
    """
    :param angle: [rad]
    :return: the same direction, within ±π
    """
    return math.remainder(angle, 2.0 * math.pi)


def ahead_of(pose: Pose, distance: float) -> Pose:
    """
    A pose moved along its own direction.

    :param pose: x, y [m] and yaw [rad]
    :param distance: [m], negative for backwards
    :return: the pose there
    """
    x, y, yaw = pose
    return x + distance * math.cos(yaw), y + distance * math.sin(yaw), yaw


def location_of(x: float, y: float, z: float) -> Any:
    """
    :param x: [m]
    :param y: [m]
    :param z: [m], upwards: without it, CARLA's maps take a place for one on another road, or on none
    :return: ``carla.Location``
    """
    import carla

    return carla.Location(x=x, y=-y, z=z)
