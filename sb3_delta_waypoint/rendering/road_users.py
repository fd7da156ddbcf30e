"""The car."""

import numpy as np

from sb3_delta_waypoint.driving.frames import to_world
from sb3_delta_waypoint.rendering.canvas import Canvas, rounded_box
from sb3_delta_waypoint.rendering.colours import BODY, GLASS, INK, Colour
from sb3_delta_waypoint.rendering.scene import Scene
from sb3_delta_waypoint.rendering.view import View


def draw_car(canvas: Canvas, view: View, scene: Scene) -> None:
    """Draw the car; its parts are given in wheelbases from the rear axle, in the proportions of a family car."""

    def part(outline: np.ndarray, colour: Colour) -> None:
        canvas.polygons(view.pixels(to_world(outline * scene.wheelbase, scene.pose))[None], colour)

    part(rounded_box(-0.3, 1.34, 0.34, 0.12), INK)
    part(rounded_box(-0.27, 1.31, 0.31, 0.10), BODY)
    part(np.array([[0.62, -0.21], [0.84, -0.26], [0.84, 0.26], [0.62, 0.21]]), GLASS)
    part(np.array([[-0.17, -0.24], [-0.02, -0.2], [-0.02, 0.2], [-0.17, 0.24]]), GLASS)
    wheel = rounded_box(-0.13, 0.13, 0.05, 0.02)
    for axle, turned in ((0.0, 0.0), (1.0, scene.steer)):
        for side in (-0.27, 0.27):
            part(to_world(wheel, (axle, side, turned)), INK)
