"""A car on a straight road, and what is where in its picture."""

import numpy as np

from sb3_delta_waypoint.driving.frames import to_world
from sb3_delta_waypoint.rendering.birds_eye import Renderer
from sb3_delta_waypoint.rendering.scene import Scene
from sb3_delta_waypoint.rendering.view import View


def make_scene(yaw=0.0, **changes):
    """A car 10 m along a straight road of 60 m that begins at (100, 200), beyond which the goal lies."""
    along = np.stack([np.arange(61.0), np.zeros(61)], axis=1)
    scene = Scene(
        route=to_world(along, (100.0, 200.0, yaw)),
        off_route_distance=2.0,
        pose=(*to_world(np.array([10.0, 0.0]), (100.0, 200.0, yaw)).tolist(), yaw),
        steer=0.0,
        wheelbase=2.8,
        trail=np.zeros((0, 2)),
        plans={},
        roads=None,
        text=(),
    )
    return scene._replace(**changes)


def draw(scene, **kwargs):
    return Renderer("rgb_array", fps=10, **kwargs).draw(scene)


def colour_at(image, scene, point):
    """The colour of the picture where a point of the world is."""
    column, row = np.rint(View.of(scene, image.shape[1::-1]).pixels(np.asarray(point, dtype=float))).astype(int)
    return tuple(image[row, column].tolist())


def holds(image, colour):
    """Whether a picture has a pixel of this colour."""
    return bool((image == colour).all(axis=2).any())
