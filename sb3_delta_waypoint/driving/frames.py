"""Transforms between the world frame, the ego frame (x forward, y left) and CARLA's left-handed world frame."""

import math

import numpy as np

from sb3_delta_waypoint.driving.kernels import kernel

Pose = tuple[float, float, float]
"""x [m], y [m] and yaw [rad, counter-clockwise] in the world frame."""


def to_world(points: np.ndarray, pose: Pose) -> np.ndarray:
    """
    Transform points from the ego frame to the world frame.

    :param points: ``(..., 2)``, metres, x forward, y left
    :param pose: of the ego frame in the world
    :return: ``(..., 2)``, metres
    """
    x, y, yaw = pose
    cos, sin = np.cos(yaw), np.sin(yaw)
    return np.asarray(points) @ np.array([[cos, sin], [-sin, cos]]) + (x, y)


def to_ego(points: np.ndarray, pose: Pose) -> np.ndarray:
    """
    Transform points from the world frame to the ego frame.

    :param points: ``(..., 2)``, metres
    :param pose: of the ego frame in the world
    :return: ``(..., 2)``, metres, x forward, y left
    """
    x, y, yaw = pose
    cos, sin = np.cos(yaw), np.sin(yaw)
    return (np.asarray(points) - (x, y)) @ np.array([[cos, -sin], [sin, cos]])


def wrap(angle: float) -> float:
    """
    Wrap an angle to ±π.

    :param angle: [rad]
    :return: the same direction, within ±π [rad]
    """
    return math.remainder(angle, 2.0 * math.pi)


def ahead_of(pose: Pose, distance: float) -> Pose:
    """
    Move a pose along its heading.

    :param pose: x, y [m] and yaw [rad]
    :param distance: [m], negative for backwards
    :return: the moved pose
    """
    x, y, yaw = pose
    return x + distance * math.cos(yaw), y + distance * math.sin(yaw), yaw


@kernel
def left_handed(x: float, y: float, yaw: float) -> tuple[float, float, float]:
    """
    Transform a pose from the world frame to CARLA's, where y points the other way and yaw is clockwise.

    Velocities and yaw rates transform alike.

    :param x: [m]
    :param y: [m]
    :param yaw: [rad, counter-clockwise]
    :return: x, y [m] and yaw [degrees, clockwise]
    """
    return x, -y, -math.degrees(yaw)


@kernel
def right_handed(x: float, y: float, yaw: float) -> tuple[float, float, float]:
    """
    Transform a pose from CARLA's frame to the world frame, the inverse of :func:`left_handed`.

    :param x: [m]
    :param y: [m]
    :param yaw: [degrees, clockwise]
    :return: x, y [m] and yaw [rad, counter-clockwise]
    """
    return x, -y, -math.radians(yaw)


@kernel
def mirrored(turn: float) -> float:
    """
    Flip the sign of a steering angle or yaw rate between left positive (this package) and right positive (CARLA).

    :param turn: steering angle, yaw or yaw rate, in any unit
    :return: the same with the other sign convention
    """
    return -turn
