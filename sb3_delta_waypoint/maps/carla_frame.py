"""
Conversions of CARLA's objects between CARLA's frame and the package's.

CARLA's frame is left-handed: x forward, y right, z up, yaw clockwise seen from above, in degrees. Lengths stay the same, y and
yaw change sign, and degrees become radians. For plain numbers,
:func:`~sb3_delta_waypoint.driving.frames.right_handed` and ``left_handed`` do the same; no other code changes frames.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sb3_delta_waypoint.driving.frames import Pose, left_handed, right_handed, wrap


def pose_of(transform: Any) -> Pose:
    """
    Convert a transform to a pose.

    :param transform: ``carla.Transform``, whose yaw may be beyond ±180°
    :return: x, y [m] and yaw [rad, counter-clockwise, within ±π]
    """
    x, y, yaw = right_handed(transform.location.x, transform.location.y, transform.rotation.yaw)
    return x, y, wrap(yaw)


def place_of(location: Any) -> tuple[float, float]:
    """
    Convert a location to a position in the plane.

    :param location: ``carla.Location`` or ``carla.Vector3D``, in any unit
    :return: x and y
    """
    x, y, _ = right_handed(location.x, location.y, 0.0)
    return x, y


def motion_of(velocity: Any, angular_velocity: Any) -> tuple[float, float, float]:
    """
    Convert velocities.

    :param velocity: ``carla.Vector3D`` [m/s]
    :param angular_velocity: ``carla.Vector3D`` [degrees/s]
    :return: velocity along x and y [m/s], and yaw rate [rad/s, counter-clockwise]
    """
    return right_handed(velocity.x, velocity.y, angular_velocity.z)


def points_of(x: Sequence[float], y: Sequence[float]) -> NDArray[np.float64]:
    """
    Convert coordinates to an array of points.

    :param x: [m], CARLA's frame
    :param y: [m], CARLA's frame
    :return: float64 ``(N, 2)``, metres, the package's frame
    """
    return np.column_stack([x, np.negative(y)])


def transform_of(pose: Pose, z: float = 0.0, pitch: float = 0.0) -> Any:
    """
    Convert a pose to a transform.

    :param pose: x, y [m] and yaw [rad, counter-clockwise]
    :param z: height [m]
    :param pitch: [rad], nose up, as in CARLA
    :return: ``carla.Transform``
    """
    import carla

    x, y, yaw = left_handed(*pose)
    return carla.Transform(carla.Location(x=x, y=y, z=z), carla.Rotation(pitch=math.degrees(pitch), yaw=yaw))


def vector_of(x: float, y: float, z: float = 0.0) -> Any:
    """
    Convert a vector.

    :param x: component along x, in any unit
    :param y: component along y, to the left of x
    :param z: component upwards
    :return: ``carla.Vector3D``
    """
    import carla

    x, y, _ = left_handed(x, y, 0.0)
    return carla.Vector3D(x=x, y=y, z=z)


def location_of(x: float, y: float, z: float) -> Any:
    """
    Convert a position to a location.

    :param x: [m]
    :param y: [m]
    :param z: height [m], without which CARLA's maps may find another road, or none
    :return: ``carla.Location``
    """
    import carla

    x, y, _ = left_handed(x, y, 0.0)
    return carla.Location(x=x, y=y, z=z)
