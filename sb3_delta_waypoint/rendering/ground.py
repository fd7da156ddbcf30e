"""The ground for camera images: one picture of the whole map from above, painted strip by strip."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sb3_delta_waypoint.driving.kernels import kernel

GRASS, ASPHALT, PAVEMENT, WHITE, YELLOW = range(5)
"""Kinds of ground that a cell shows."""
RESOLUTION = 0.15
"""Size of a cell [m]; larger on maps that would otherwise have too many cells."""
MAX_CELLS = 1 << 26
MARGIN = 20.0
"""Width of the grass around the outermost strips [m]."""
SPACING = 1.0
"""Length of the pieces of lanes to which strips belong [m]."""


class Ground(NamedTuple):
    """
    A picture of the ground in CARLA's frame.

    :param cells: uint8 ``(rows, columns)``; y grows with the row, x with the column
    :param x: x of the corner of the first cell [m]
    :param y: y of the corner of the first cell [m]
    :param resolution: size of a cell [m]
    """

    cells: NDArray[np.uint8]
    x: float
    y: float
    resolution: float


def paint_ground(strips: np.ndarray) -> Ground:
    """
    Paint the ground from strips.

    :param strips: float64 ``(N, 6)``, in painting order, in CARLA's frame: kind of ground; x, y [m] and heading [rad] of the
        middle of a piece of lane of length :data:`SPACING`; start and end of the strip across it [m, to the right]
    :return: the ground, grass where there is no strip
    """
    table = strips.copy()
    # lanes stay within the picture, whatever width the map gives them
    np.clip(table[:, 4:], -MARGIN / 2, MARGIN / 2, out=table[:, 4:])
    low, high = table[:, 1:3].min(axis=0) - MARGIN, table[:, 1:3].max(axis=0) + MARGIN
    resolution = max(RESOLUTION, math.sqrt(float(np.prod(high - low)) / MAX_CELLS))
    columns, rows = (int(size) + 1 for size in (high - low) / resolution)
    cells = np.zeros((rows, columns), np.uint8)
    _paint(cells, table, low[0], low[1], resolution)
    return Ground(cells, float(low[0]), float(low[1]), resolution)


@kernel
def _paint(cells: np.ndarray, strips: np.ndarray, low_x: float, low_y: float, resolution: float) -> None:
    # the step is finer than the cells, so that no cell of a slanted strip is missed
    step = resolution / 1.6
    for k in range(len(strips)):
        cos, sin = math.cos(strips[k, 3]), math.sin(strips[k, 3])
        n_along = int(1.3 * SPACING / step) + 1
        n_across = int((strips[k, 5] - strips[k, 4]) / step) + 1
        for i in range(n_along):
            along = 1.3 * SPACING * (i / max(n_along - 1, 1) - 0.5)
            for j in range(n_across):
                across = strips[k, 4] + (strips[k, 5] - strips[k, 4]) * (j + 0.5) / n_across
                row = int((strips[k, 2] + sin * along + cos * across - low_y) / resolution)
                column = int((strips[k, 1] + cos * along - sin * across - low_x) / resolution)
                cells[row, column] = np.uint8(strips[k, 0])
