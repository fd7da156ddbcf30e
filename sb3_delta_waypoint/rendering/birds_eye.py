"""The bird's-eye view of a car on its route, which ``render()`` of the envs returns or shows."""

import os
from typing import TYPE_CHECKING

import numpy as np
from gymnasium.error import DependencyNotInstalled

from sb3_delta_waypoint.driving.frames import to_world
from sb3_delta_waypoint.rendering.canvas import SUPERSAMPLING, Canvas, pieces_of
from sb3_delta_waypoint.rendering.colours import GROUND, INK, ROAD
from sb3_delta_waypoint.rendering.plan_lines import DRIVEN, draw_plan, style_of
from sb3_delta_waypoint.rendering.road import LANE_WIDTH, draw_route
from sb3_delta_waypoint.rendering.road_users import draw_car
from sb3_delta_waypoint.rendering.scene import Scene
from sb3_delta_waypoint.rendering.view import PIXELS_PER_METRE, View

if TYPE_CHECKING:
    import pygame

TEXT_SIZE = 26


class Renderer:
    """
    A renderer that draws scenes with pygame; only the mode ``"human"`` needs a display.

    :param mode: ``"rgb_array"`` or ``"human"``
    :param fps: pictures per second that :meth:`show` keeps to
    :param size: width and height of the picture in pixels
    :param pixels_per_metre: scale of the picture
    :raises DependencyNotInstalled: if pygame is missing
    """

    def __init__(self, mode: str, fps: float, size: tuple[int, int] = (960, 640), pixels_per_metre: float = PIXELS_PER_METRE):
        # pygame prints a greeting to stdout, where a program may be writing its result
        os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
        try:
            import pygame
        except ImportError as error:
            raise DependencyNotInstalled("rendering needs pygame: pip install pygame-ce") from error
        self._pygame = pygame
        self._fps = fps
        self._scale = pixels_per_metre
        self._font = self._load_font()
        self._picture = pygame.Surface(size, 0, 32)
        self._canvas = Canvas(pygame, size)
        self._window: pygame.Surface | None = None
        if mode == "human":
            pygame.display.init()
            self._window = pygame.display.set_mode(size)
            pygame.display.set_caption("sb3_delta_waypoint")
            self._clock = pygame.time.Clock()

    def draw(self, scene: Scene) -> np.ndarray:
        """
        Draw a picture.

        :param scene: contents of the picture
        :return: uint8 ``(height, width, 3)``
        """
        self._paint(scene)
        width, height = self._picture.get_size()
        return np.frombuffer(self._pygame.image.tobytes(self._picture, "RGB"), np.uint8).reshape(height, width, 3).copy()

    def show(self, scene: Scene) -> None:
        """
        Draw a picture in the window, and wait until the next one is due.

        :param scene: contents of the picture
        :raises RuntimeError: if there is no window: in another mode than ``"human"``, or after :meth:`close`
        """
        if self._window is None:
            raise RuntimeError("there is no window: the mode of this renderer is not 'human', or it is closed")
        self._paint(scene)
        self._window.blit(self._picture, (0, 0))
        self._pygame.event.pump()
        self._pygame.display.flip()
        self._clock.tick(self._fps)

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._window is not None:
            self._window = None
            self._pygame.display.quit()

    def _paint(self, scene: Scene) -> None:
        canvas, view = self._canvas, View.of(scene, self._picture.get_size(), self._scale)
        canvas.fill(GROUND)
        if scene.roads is not None:
            canvas.band(view.pixels(scene.roads), LANE_WIDTH * self._scale, ROAD)
        draw_route(canvas, view, scene)
        draw_plan(canvas, view.pixels(scene.trail), DRIVEN)
        for name, plan in scene.plans.items():
            draw_plan(canvas, view.pixels(to_world(plan, scene.pose)), style_of(name))
        draw_car(canvas, view, scene)
        self._draw_legend(scene)
        canvas.scale_into(self._picture)

    def _draw_legend(self, scene: Scene) -> None:
        """Draw the text at the top left, the legend of the lines at the top right, and a scale at the bottom."""
        canvas, (width, height) = self._canvas, self._picture.get_size()
        if scene.text:
            lines = [self._text(line) for line in scene.text]
            canvas.panel(12, 12, max(line.width for line in lines) / SUPERSAMPLING + 24, 24 * len(lines) + 16)
            for row, line in enumerate(lines):
                canvas.paste(line, 24, 22 + 24 * row)

        styles = [style_of(name) for name in scene.plans] + [DRIVEN] * (len(scene.trail) > 1)
        if styles:
            labels = [self._text(style.label) for style in styles]
            panel_width = max(label.width for label in labels) / SUPERSAMPLING + 92
            left = width - 12 - panel_width
            canvas.panel(left, 12, panel_width, 24 * len(labels) + 16)
            for row, (style, label) in enumerate(zip(styles, labels, strict=True)):
                sample = np.stack([left + np.linspace(16, 60, 4), np.full(4, 31.0 + 24 * row)], axis=1)
                draw_plan(canvas, sample, style)
                canvas.paste(label, left + 76, 22 + 24 * row)

        ten = 10 * self._scale
        bar = np.array([[0.0, -6], [0, 0], [ten, 0], [ten, -6]]) + (24, height - 24)
        canvas.panel(12, height - 58, ten + 24, 46)
        canvas.band(pieces_of(bar), 2.0, INK)
        canvas.paste(self._text("10 m"), 28, height - 48)

    def _text(self, line: str) -> "pygame.Surface":
        try:
            return self._font.render(line, True, INK)
        except self._pygame.error:
            # close() of another env has shut down pygame's fonts
            self._font = self._load_font()
            return self._font.render(line, True, INK)

    def _load_font(self) -> "pygame.font.Font":
        self._pygame.font.init()
        return self._pygame.font.Font(None, TEXT_SIZE * SUPERSAMPLING)
