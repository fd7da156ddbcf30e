"""The ground as a camera sees it: strips painted on grass."""

import numpy as np

from sb3_delta_waypoint.rendering.ground import ASPHALT, GRASS, MARGIN, WHITE, paint_ground


def cell(ground, x: float, y: float) -> int:
    return int(ground.cells[int((y - ground.y) / ground.resolution), int((x - ground.x) / ground.resolution)])


def test_later_strips_cover_earlier_ones_and_the_rest_is_grass():
    # a lane of 4 m along x, and a marking along its right edge, which is towards larger y
    pieces = np.arange(0.0, 20.0)
    lane = [(ASPHALT, x, 0.0, 0.0, -2.0, 2.0) for x in pieces]
    marking = [(WHITE, x, 0.0, 0.0, 1.6, 2.0) for x in pieces]
    ground = paint_ground(np.array(lane + marking))
    assert cell(ground, 10.0, 0.0) == cell(ground, 10.0, -1.8) == ASPHALT
    assert cell(ground, 10.0, 1.8) == WHITE
    assert cell(ground, 10.0, 2.4) == cell(ground, 10.0, -2.4) == cell(ground, 25.0, 0.0) == GRASS
    assert (ground.x, ground.y) == (-MARGIN, -MARGIN)


def test_a_lane_across_runs_along_y():
    ground = paint_ground(np.array([(ASPHALT, 0.0, y, np.pi / 2, -2.0, 2.0) for y in np.arange(0.0, 20.0)]))
    assert cell(ground, 1.8, 10.0) == cell(ground, -1.8, 10.0) == ASPHALT
    assert cell(ground, 2.4, 10.0) == GRASS
