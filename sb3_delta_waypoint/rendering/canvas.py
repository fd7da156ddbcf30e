"""A surface to draw shapes on, smoothed by drawing them larger first."""

import os
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium.error import DependencyNotInstalled

from sb3_delta_waypoint.rendering.colours import PANEL, Colour

if TYPE_CHECKING:
    import pygame

SUPERSAMPLING = 2
"""Factor by which everything is drawn larger and then scaled down, which smooths the edges."""


def load_pygame() -> Any:
    """
    Import pygame.

    :return: the module
    :raises DependencyNotInstalled: if it is missing
    """
    # pygame prints a greeting to stdout, where a program may be writing its result
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    try:
        import pygame
    except ImportError as error:
        raise DependencyNotInstalled("rendering needs pygame: pip install pygame-ce") from error
    return pygame


class Canvas:
    """A supersampled surface to draw shapes on; all positions and widths are in pixels of the final picture."""

    def __init__(self, pygame: Any, size: tuple[int, int]):
        self._pygame = pygame
        self._size = np.array(size)
        self._surface = pygame.Surface((size[0] * SUPERSAMPLING, size[1] * SUPERSAMPLING), 0, 32)

    def fill(self, colour: Colour) -> None:
        self._surface.fill(colour)

    def polygons(self, corners: np.ndarray, colour: Colour) -> None:
        """Fill polygons; ``corners`` is ``(K, corners, 2)``."""
        # pygame fills all border pixels of a polygon, but only the upper and left ones of a circle: rounding down makes the
        # two flush
        for polygon in np.floor(corners * SUPERSAMPLING).tolist():
            self._pygame.draw.polygon(self._surface, colour, polygon)

    def dots(self, centres: np.ndarray, radius: float, colour: Colour) -> None:
        for centre in np.rint(centres * SUPERSAMPLING).tolist():
            self._pygame.draw.circle(self._surface, colour, centre, radius * SUPERSAMPLING)

    def band(self, pieces: np.ndarray, width: float, colour: Colour, round_ends: bool = True) -> None:
        """Draw lines of some width; ``pieces`` is ``(K, 2, 2)``, and those outside the picture are skipped."""
        seen = (pieces.max(axis=1) > -width) & (pieces.min(axis=1) < self._size + width)
        pieces = pieces[seen.all(axis=1)]
        along = pieces[:, 1] - pieces[:, 0]
        along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
        side = along[:, ::-1] * (-width / 2, width / 2)
        corners = np.stack([pieces[:, 0] + side, pieces[:, 1] + side, pieces[:, 1] - side, pieces[:, 0] - side], axis=1)
        self.polygons(corners, colour)
        if round_ends:
            self.dots(np.append(pieces[:, 0], pieces[-1:, 1], axis=0), width / 2, colour)

    def paste(self, image: "pygame.Surface", left: float, top: float) -> None:
        self._surface.blit(image, (left * SUPERSAMPLING, top * SUPERSAMPLING))

    def panel(self, left: float, top: float, width: float, height: float, colour: tuple[int, int, int, int] = PANEL) -> None:
        panel = self._pygame.Surface((width * SUPERSAMPLING, height * SUPERSAMPLING), self._pygame.SRCALPHA)
        self._pygame.draw.rect(panel, colour, panel.get_rect(), border_radius=8 * SUPERSAMPLING)
        self.paste(panel, left, top)

    def scale_into(self, picture: "pygame.Surface") -> None:
        self._pygame.transform.smoothscale(self._surface, picture.get_size(), picture)


def rounded_box(rear: float, front: float, half_width: float, radius: float) -> np.ndarray:
    """Outline ``(K, 2)`` of a box along x, centred on y = 0."""
    turn = np.linspace(0, np.pi / 2, 5)
    front_left = np.stack([front + radius * (np.cos(turn) - 1), half_width + radius * (np.sin(turn) - 1)], axis=1)
    rear_left = (front_left * (-1, 1) + (front + rear, 0))[::-1]
    left = np.concatenate([front_left, rear_left])
    return np.concatenate([left, left[::-1] * (1, -1)])


def pieces_of(line: np.ndarray) -> np.ndarray:
    """The pieces ``(N - 1, 2, 2)`` of a line of ``N`` points."""
    return np.stack([line[:-1], line[1:]], axis=1)
