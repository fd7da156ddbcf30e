"""Between the world frame, the frame of a car (x forward, y left), and the left-handed world frame of simulators."""

import math

import numpy as np

from sb3_delta_waypoint.driving.kernels import kernel

Pose = tuple[float, float, float]
"""x [m], y [m] and yaw [rad, counter-clockwise] in the world frame."""


def to_world(points: np.ndarray, pose: Pose) -> np.ndarray:
    """
    From the ego frame to the world frame.

    :param points: ``(..., 2)``, metres, x forward, y left
    :param pose: of the ego frame in the world
    :return: ``(..., 2)``, metres
    """
    x, y, yaw = pose
    cos, sin = np.cos(yaw), np.sin(yaw)
    return np.asarray(points) @ np.array([[cos, sin], [-sin, cos]]) + (x, y)


def to_ego(points: np.ndarray, pose: Pose) -> np.ndarray:
    """
    From the world frame to the ego frame.

    :param points: ``(..., 2)``, metres
    :param pose: of the ego frame in the world
    :return: ``(..., 2)``, metres, x forward, y left
    """
    x, y, yaw = pose
    cos, sin = np.cos(yaw), np.sin(yaw)
    return (np.asarray(points) - (x, y)) @ np.array([[cos, -sin], [sin, cos]])


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


@kernel
def left_handed(x: float, y: float, yaw: float) -> tuple[float, float, float]:
    """
    From the world frame to CARLA's: y points the other way, yaw is clockwise. Velocities and yaw rates turn alike.

    :param x: [m]
    :param y: [m]
    :param yaw: [rad, counter-clockwise]
    :return: x, y [m] and yaw [degrees, clockwise]
    """
    return x, -y, -math.degrees(yaw)


@kernel
def right_handed(x: float, y: float, yaw: float) -> tuple[float, float, float]:
    """
    From CARLA's frame to the world frame, the inverse of :func:`left_handed`.

    :param x: [m]
    :param y: [m]
    :param yaw: [degrees, clockwise]
    :return: x, y [m] and yaw [rad, counter-clockwise]
    """
    return x, -y, -math.radians(yaw)


@kernel
def mirrored(turn: float) -> float:
    """
    A turn of a wheel or of a car, by the other hand: from left positive to right positive, as CARLA has it, and back.

    :param turn: in any unit
    :return: in the same unit
    """
    return -turn
