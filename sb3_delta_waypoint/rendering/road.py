"""The route and the roads around it."""

import numpy as np

from sb3_delta_waypoint.driving.frames import to_world
from sb3_delta_waypoint.rendering.canvas import Canvas, pieces_of
from sb3_delta_waypoint.rendering.colours import ASPHALT, INK, KERB, MARKING
from sb3_delta_waypoint.rendering.scene import Scene
from sb3_delta_waypoint.rendering.view import View

LANE_WIDTH = 3.5
"""Width of the roads around the route [m]."""
DASH = 1.5
"""Length of the dashes of the centre line, and of the gaps between them [m]."""


def draw_route(canvas: Canvas, view: View, scene: Scene) -> None:
    """Draw the corridor around the route, with its dashed centre line."""
    pieces, width = pieces_of(view.pixels(scene.route)), 2 * scene.off_route_distance * view.scale
    canvas.band(pieces, width + 4, KERB)
    canvas.band(pieces, width, ASPHALT)

    steps = np.diff(scene.route, axis=0)
    distance = np.append(0.0, np.cumsum(np.linalg.norm(steps, axis=1)))
    at = np.arange(0.0, distance[-1], DASH)
    line = np.stack([np.interp(at, distance, scene.route[:, axis]) for axis in (0, 1)], axis=1)
    canvas.band(pieces_of(view.pixels(line))[::2], 2.0, MARKING, round_ends=False)


def draw_goal(canvas: Canvas, view: View, scene: Scene) -> None:
    """Draw the goal, a chequered line across the end of the route."""
    steps = np.diff(scene.route, axis=0)
    last = steps[np.flatnonzero(steps.any(axis=1))[-1]]
    goal = (scene.route[-1, 0], scene.route[-1, 1], np.arctan2(last[1], last[0]))
    # x and y count its squares
    x, y = np.meshgrid(np.arange(-2, 0), np.arange(-4, 4))
    corners = np.stack([x.ravel(), y.ravel()], axis=1)[:, None] + np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
    squares = view.pixels(to_world(corners * (scene.off_route_distance / 4), goal))
    dark = ((x + y) % 2 == 0).ravel()
    canvas.polygons(squares[dark], INK)
    canvas.polygons(squares[~dark], MARKING)
