"""
Between CARLA's frame (left-handed: x forward, y right, z up; degrees, yaw clockwise seen from above) and the package's.

Metres stay, y and yaw change sign, degrees become radians: :func:`~sb3_delta_waypoint.driving.frames.right_handed` and
``left_handed`` say so for numbers, this module for CARLA's objects, and nothing else does.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sb3_delta_waypoint.driving.frames import Pose, left_handed, right_handed, wrap


def pose_of(transform: Any) -> Pose:
    """
    :param transform: ``carla.Transform``
    :return: x, y [m] and yaw [rad, counter-clockwise, within ±π]: CARLA's waypoints have yaws beyond ±180°
    """
    x, y, yaw = right_handed(transform.location.x, transform.location.y, transform.rotation.yaw)
    return x, y, wrap(yaw)


def place_of(location: Any) -> tuple[float, float]:
    """
    :param location: ``carla.Location`` or ``carla.Vector3D``, in any unit
    :return: x and y
    """
    x, y, _ = right_handed(location.x, location.y, 0.0)
    return x, y


def motion_of(velocity: Any, angular_velocity: Any) -> tuple[float, float, float]:
    """
    :param velocity: ``carla.Vector3D`` [m/s]
    :param angular_velocity: ``carla.Vector3D`` [degrees/s]
    :return: velocity along x and y [m/s], and yaw rate [rad/s, counter-clockwise]
    """
    return right_handed(velocity.x, velocity.y, angular_velocity.z)


def points_of(x: Sequence[float], y: Sequence[float]) -> NDArray[np.float64]:
    """
    :param x: [m], in CARLA's frame
    :param y: [m]
    :return: float64 ``(N, 2)``, metres, in the package's
    """
    return np.column_stack([x, np.negative(y)])


def transform_of(pose: Pose, z: float = 0.0, pitch: float = 0.0) -> Any:
    """
    :param pose: x, y [m] and yaw [rad, counter-clockwise]
    :param z: [m], upwards
    :param pitch: [rad], nose up, as CARLA has it
    :return: ``carla.Transform``
    """
    import carla

    x, y, yaw = left_handed(*pose)
    return carla.Transform(carla.Location(x=x, y=y, z=z), carla.Rotation(pitch=math.degrees(pitch), yaw=yaw))


def vector_of(x: float, y: float, z: float = 0.0) -> Any:
    """
    :param x: component along x, in any unit
    :param y: component along y, counter-clockwise of x
    :param z: component upwards
    :return: ``carla.Vector3D``
    """
    import carla

    x, y, _ = left_handed(x, y, 0.0)
    return carla.Vector3D(x=x, y=y, z=z)


def location_of(x: float, y: float, z: float) -> Any:
    """
    :param x: [m]
    :param y: [m]
    :param z: [m], upwards: without it, CARLA's maps take a place for one on another road, or on none
    :return: ``carla.Location``
    """
    import carla

    x, y, _ = left_handed(x, y, 0.0)
    return carla.Location(x=x, y=y, z=z)
