"""The bird's-eye view of a car on its route, which ``render()`` of the envs returns or shows."""

import os
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from gymnasium.error import DependencyNotInstalled

from sb3_delta_waypoint.driving.frames import Pose, to_world

if TYPE_CHECKING:
    import pygame

Colour = tuple[int, int, int]

PIXELS_PER_METRE = 16.0
"""Default scale, at which the default picture is 60 m wide."""
LOOK_AHEAD = 0.2
"""Distance of the middle of the picture ahead of the car, as a share of the picture's width and height."""
SUPERSAMPLING = 2
"""Factor by which everything is drawn larger and then scaled down, which smooths the edges."""
LANE_WIDTH = 3.5
"""Width of the roads around the route [m]."""
DASH = 1.5
"""Length of the dashes of the centre line, and of the gaps between them [m]."""

TEXT_SIZE = 26

GROUND = (224, 230, 217)
ROAD = (202, 207, 205)
ASPHALT = (178, 184, 192)
KERB = (140, 147, 157)
MARKING = (255, 255, 255)
INK = (38, 43, 51)
TRAIL = (122, 92, 150)
BODY = (250, 250, 248)
GLASS = (150, 172, 190)
PANEL = (255, 255, 255, 215)


class PlanStyle(NamedTuple):
    """Style of a plan: a line with a mark at each waypoint. The marks differ, so that plans are told apart without colour."""

    label: str
    colour: Colour
    line: float
    """Width of the line in pixels."""
    outer: float
    """Radius of the marks in pixels."""
    inner: float
    """Radius of the white inside of a hollow mark in pixels."""


PLAN_STYLES = {
    "sft": PlanStyle("planner (SFT)", (213, 94, 0), 2.0, 5.0, 2.8),
    "expert": PlanStyle("expert", (240, 228, 66), 9.0, 0.0, 0.0),
    "final": PlanStyle("final plan", (0, 114, 178), 2.5, 3.5, 0.0),
}
"""Styles by name of the plan: vermilion, yellow and blue of Okabe and Ito, "Color Universal Design" (2008), which
colour-blind readers can tell apart."""
OTHER_PLAN = PlanStyle("", (204, 121, 167), 2.5, 3.5, 0.0)
"""Style of any other plan; the legend shows its name."""
DRIVEN = PlanStyle("driven path", TRAIL, 3.0, 0.0, 0.0)


class Scene(NamedTuple):
    """The contents of a picture. World frame: metres, x to the right, y up, yaw counter-clockwise."""

    route: np.ndarray
    """float64 ``(N, 2)``, metres, world frame, of non-zero length."""
    off_route_distance: float
    """Half the width of the corridor around the route [m]."""
    pose: Pose
    """x [m], y [m] and yaw [rad] of the middle of the rear axle."""
    steer: float
    """Angle of the front wheels [rad], left positive."""
    wheelbase: float
    """Distance between the axles [m]."""
    trail: np.ndarray
    """float64 ``(T, 2)``, metres, world frame: past positions of the rear axle."""
    plans: dict[str, np.ndarray]
    """Plans ``(H, 2)``, metres, ego frame (x forward, y left), by name: ``sft``, ``expert``, ``final`` or any other.
    Later plans are drawn over earlier ones."""
    roads: np.ndarray | None
    """float64 ``(M, 2, 2)``, metres, world frame: pieces of the road network's centre lines, or None."""
    text: tuple[str, ...]
    """Lines of text about the state of the episode."""


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
        self._canvas = _Canvas(pygame, size)
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
        _draw_route(canvas, view, scene)
        _draw_plan(canvas, view.pixels(scene.trail), DRIVEN)
        for name, plan in scene.plans.items():
            _draw_plan(canvas, view.pixels(to_world(plan, scene.pose)), _style(name))
        _draw_car(canvas, view, scene)
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

        styles = [_style(name) for name in scene.plans] + [DRIVEN] * (len(scene.trail) > 1)
        if styles:
            labels = [self._text(style.label) for style in styles]
            panel_width = max(label.width for label in labels) / SUPERSAMPLING + 92
            left = width - 12 - panel_width
            canvas.panel(left, 12, panel_width, 24 * len(labels) + 16)
            for row, (style, label) in enumerate(zip(styles, labels, strict=True)):
                sample = np.stack([left + np.linspace(16, 60, 4), np.full(4, 31.0 + 24 * row)], axis=1)
                _draw_plan(canvas, sample, style)
                canvas.paste(label, left + 76, 22 + 24 * row)

        ten = 10 * self._scale
        bar = np.array([[0.0, -6], [0, 0], [ten, 0], [ten, -6]]) + (24, height - 24)
        canvas.panel(12, height - 58, ten + 24, 46)
        canvas.band(_pieces(bar), 2.0, INK)
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


class _Canvas:
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

    def panel(self, left: float, top: float, width: float, height: float) -> None:
        panel = self._pygame.Surface((width * SUPERSAMPLING, height * SUPERSAMPLING), self._pygame.SRCALPHA)
        self._pygame.draw.rect(panel, PANEL, panel.get_rect(), border_radius=8 * SUPERSAMPLING)
        self.paste(panel, left, top)

    def scale_into(self, picture: "pygame.Surface") -> None:
        self._pygame.transform.smoothscale(self._surface, picture.get_size(), picture)


def _draw_route(canvas: _Canvas, view: View, scene: Scene) -> None:
    pieces, width = _pieces(view.pixels(scene.route)), 2 * scene.off_route_distance * view.scale
    canvas.band(pieces, width + 4, KERB)
    canvas.band(pieces, width, ASPHALT)

    steps = np.diff(scene.route, axis=0)
    distance = np.append(0.0, np.cumsum(np.linalg.norm(steps, axis=1)))
    at = np.arange(0.0, distance[-1], DASH)
    line = np.stack([np.interp(at, distance, scene.route[:, axis]) for axis in (0, 1)], axis=1)
    canvas.band(_pieces(view.pixels(line))[::2], 2.0, MARKING, round_ends=False)

    # the goal is a chequered line across the end; x and y count its squares
    last = steps[np.flatnonzero(steps.any(axis=1))[-1]]
    goal = (scene.route[-1, 0], scene.route[-1, 1], np.arctan2(last[1], last[0]))
    x, y = np.meshgrid(np.arange(-2, 0), np.arange(-4, 4))
    corners = np.stack([x.ravel(), y.ravel()], axis=1)[:, None] + np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
    squares = view.pixels(to_world(corners * (scene.off_route_distance / 4), goal))
    dark = ((x + y) % 2 == 0).ravel()
    canvas.polygons(squares[dark], INK)
    canvas.polygons(squares[~dark], MARKING)


def _draw_plan(canvas: _Canvas, waypoints: np.ndarray, style: PlanStyle) -> None:
    canvas.band(_pieces(waypoints), style.line, style.colour)
    canvas.dots(waypoints, style.outer, style.colour)
    canvas.dots(waypoints, style.inner, MARKING)


def _draw_car(canvas: _Canvas, view: View, scene: Scene) -> None:
    """Draw the car; its parts are given in wheelbases from the rear axle, in the proportions of a family car."""

    def part(outline: np.ndarray, colour: Colour) -> None:
        canvas.polygons(view.pixels(to_world(outline * scene.wheelbase, scene.pose))[None], colour)

    part(_rounded_box(-0.3, 1.34, 0.34, 0.12), INK)
    part(_rounded_box(-0.27, 1.31, 0.31, 0.10), BODY)
    part(np.array([[0.62, -0.21], [0.84, -0.26], [0.84, 0.26], [0.62, 0.21]]), GLASS)
    part(np.array([[-0.17, -0.24], [-0.02, -0.2], [-0.02, 0.2], [-0.17, 0.24]]), GLASS)
    wheel = _rounded_box(-0.13, 0.13, 0.05, 0.02)
    for axle, turned in ((0.0, 0.0), (1.0, scene.steer)):
        for side in (-0.27, 0.27):
            part(to_world(wheel, (axle, side, turned)), INK)


def _rounded_box(rear: float, front: float, half_width: float, radius: float) -> np.ndarray:
    """Outline ``(K, 2)`` of a box along x, centred on y = 0."""
    turn = np.linspace(0, np.pi / 2, 5)
    front_left = np.stack([front + radius * (np.cos(turn) - 1), half_width + radius * (np.sin(turn) - 1)], axis=1)
    rear_left = (front_left * (-1, 1) + (front + rear, 0))[::-1]
    left = np.concatenate([front_left, rear_left])
    return np.concatenate([left, left[::-1] * (1, -1)])


def _pieces(line: np.ndarray) -> np.ndarray:
    """The pieces ``(N - 1, 2, 2)`` of a line of ``N`` points."""
    return np.stack([line[:-1], line[1:]], axis=1)


def _style(name: str) -> PlanStyle:
    return PLAN_STYLES.get(name, OTHER_PLAN._replace(label=name))
