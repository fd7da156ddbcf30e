"""The bird's-eye view of a car on its route, which ``render()`` of the envs returns or shows."""

from typing import TYPE_CHECKING

import numpy as np

from sb3_delta_waypoint.driving.frames import to_world
from sb3_delta_waypoint.rendering.canvas import SUPERSAMPLING, Canvas, load_pygame, pieces_of
from sb3_delta_waypoint.rendering.colours import GROUND, HIT, INK, MARKING, PANEL, ROAD, Colour
from sb3_delta_waypoint.rendering.lane_surface import draw_crossings, draw_lanes, draw_route_band, draw_stop_lines
from sb3_delta_waypoint.rendering.plan_lines import DRIVEN, draw_plan, style_of
from sb3_delta_waypoint.rendering.road import LANE_WIDTH, draw_goal, draw_route
from sb3_delta_waypoint.rendering.road_users import LOOKS, agents_in, draw_agent, draw_car, look_of, sample_of, was_hit
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
        self._pygame = load_pygame()
        self._fps = fps
        self._scale = pixels_per_metre
        self._font = self._load_font()
        self._picture = self._pygame.Surface(size, 0, 32)
        self._canvas = Canvas(self._pygame, size)
        self._window: pygame.Surface | None = None
        if mode == "human":
            self._pygame.display.init()
            self._window = self._pygame.display.set_mode(size)
            self._pygame.display.set_caption("sb3_delta_waypoint")
            self._clock = self._pygame.time.Clock()

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
        if scene.lanes is not None:
            draw_lanes(canvas, view, scene.lanes)
            draw_route_band(canvas, view, scene)
            draw_crossings(canvas, view, scene.lanes)
        else:
            if scene.roads is not None:
                canvas.band(view.pixels(scene.roads), LANE_WIDTH * self._scale, ROAD)
            draw_route(canvas, view, scene)
        draw_goal(canvas, view, scene)
        if scene.stop_lines is not None:
            draw_stop_lines(canvas, view, scene.stop_lines)
        draw_plan(canvas, view.pixels(scene.trail), DRIVEN)
        for row in (seen := agents_in(view, scene)):
            agent = scene.agents[row]  # type: ignore[index]
            draw_agent(canvas, view, agent, look_of(agent), was_hit(scene, row))
        for name, plan in scene.plans.items():
            draw_plan(canvas, view.pixels(to_world(plan, scene.pose)), style_of(name))
        draw_car(canvas, view, scene)
        self._draw_faults(view, scene, seen)
        self._draw_legend(scene)
        self._draw_kinds(view, scene, seen)
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

    def _draw_faults(self, view: View, scene: Scene, seen: list[int]) -> None:
        """Say whose fault it is, above or below those that were hit."""
        canvas, right = self._canvas, self._picture.get_width()
        for row in seen:
            if row in scene.faults and scene.agents is not None:
                at_fault, agent = scene.faults[row], scene.agents[row]
                label = self._text(*(("at fault", MARKING) if at_fault else ("not at fault", INK)))
                x, y = view.pixels(np.array([agent["x"], agent["y"]]))
                width = label.width / SUPERSAMPLING + 16
                left = min(max(x - width / 2, 4.0), right - width - 4)
                above = (0.5 * max(agent["length"], agent["width"]) + 0.4) * self._scale
                # on the side away from the car
                higher = y <= view.pixels(np.array(scene.pose[:2]))[1] and y - above > 32
                top = y - above - 28 if higher else y + above
                canvas.panel(left, top, width, 26, (*HIT, 255) if at_fault else PANEL)
                canvas.paste(label, left + 8, top + 4)

    def _draw_kinds(self, view: View, scene: Scene, seen: list[int]) -> None:
        """Draw the legend of the road users that are in the picture, at the bottom, beside the scale."""
        shown = {look_of(scene.agents[row]) for row in seen} if scene.agents is not None else set()
        looks = [look for look in LOOKS if look in shown]
        if not looks:
            return
        canvas, height = self._canvas, self._picture.get_size()[1]
        labels = [self._text(look.label) for look in looks]
        widths = [label.width / SUPERSAMPLING + 68 for label in labels]
        left = 10 * self._scale + 48
        canvas.panel(left, height - 58, sum(widths) + 8, 46)
        for look, label, width in zip(looks, labels, widths, strict=True):
            draw_agent(canvas, view, sample_of(look, view, (left + 32, height - 35)), look)
            canvas.paste(label, left + 60, height - 44)
            left += width

    def _text(self, line: str, colour: Colour = INK) -> "pygame.Surface":
        try:
            return self._font.render(line, True, colour)
        except self._pygame.error:
            # close() of another env has shut down pygame's fonts
            self._font = self._load_font()
            return self._font.render(line, True, colour)

    def _load_font(self) -> "pygame.font.Font":
        self._pygame.font.init()
        return self._pygame.font.Font(None, TEXT_SIZE * SUPERSAMPLING)
