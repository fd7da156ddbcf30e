"""Between the world frame and the frame of a car (x forward, y left)."""

import numpy as np

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
