"""The part of the world that a picture shows."""

from typing import NamedTuple

import numpy as np

from sb3_delta_waypoint.rendering.scene import Scene

PIXELS_PER_METRE = 16.0
"""Default scale, at which the default picture is 60 m wide."""
LOOK_AHEAD = 0.2
"""Distance of the middle of the picture ahead of the car, as a share of the picture's width and height."""


class View(NamedTuple):
    """The part of the world that a picture shows: north up, the car somewhat behind the middle."""

    x: float
    """World x of the middle of the picture [m]."""
    y: float
    """World y of the middle of the picture [m]."""
    size: tuple[int, int]
    """Width and height of the picture in pixels."""
    scale: float
    """Pixels per metre."""

    @classmethod
    def of(cls, scene: Scene, size: tuple[int, int], scale: float = PIXELS_PER_METRE) -> "View":
        """
        Make the view of a scene.

        :param scene: contents of the picture
        :param size: width and height of the picture in pixels
        :param scale: pixels per metre
        :return: the view
        """
        x, y, yaw = scene.pose
        ahead_x, ahead_y = (LOOK_AHEAD * length / scale for length in size)
        return cls(x + ahead_x * np.cos(yaw), y + ahead_y * np.sin(yaw), size, scale)

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """
        Transform points from the world to the picture.

        :param points: ``(..., 2)``, metres, world frame
        :return: ``(..., 2)``, pixels from the top left corner, to the right and down
        """
        middle = np.array(self.size) / 2
        return middle + (points - np.array([self.x, self.y])) * (self.scale, -self.scale)

    def world(self, pixels: np.ndarray) -> np.ndarray:
        """
        Transform points from the picture to the world.

        :param pixels: ``(..., 2)``, pixels from the top left corner, to the right and down
        :return: ``(..., 2)``, metres, world frame
        """
        middle = np.array(self.size) / 2
        return np.array([self.x, self.y]) + (pixels - middle) / (self.scale, -self.scale)

    def near(self, points: np.ndarray, margin: float = 0.0) -> np.ndarray:
        """
        Tell which points lie in the picture.

        :param points: ``(..., 2)``, metres, world frame
        :param margin: points this far outside count, too [m]
        :return: bool ``(...)``
        """
        half = np.array(self.size) / (2 * self.scale) + margin
        inside: np.ndarray = (np.abs(points - np.array([self.x, self.y])) <= half).all(axis=-1)
        return inside
