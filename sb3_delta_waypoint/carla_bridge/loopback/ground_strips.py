"""The strips painted on the ground of a map: its lanes with their markings, and its pavements."""

import math
from typing import Any

import numpy as np

from sb3_delta_waypoint.rendering.ground import ASPHALT, PAVEMENT, SPACING, WHITE, YELLOW

MARKING_WIDTH = 0.15
DASH = 3.0
"""Length of a dash and of the gap after it [m]."""


def ground_strips(road_map: Any) -> np.ndarray:
    """
    Make the strips of a map's ground.

    :param road_map: ``carla.Map``
    :return: strips for :func:`~sb3_delta_waypoint.rendering.ground.paint_ground`
    """
    import carla

    lanes = road_map.generate_waypoints(SPACING)
    pavements = []
    for waypoint in lanes:
        beside = waypoint.get_right_lane()
        if beside is not None and beside.lane_type == carla.LaneType.Sidewalk:
            pavements.append(beside)
    strips = [(PAVEMENT, *_across(waypoint, -0.5, 0.5)) for waypoint in pavements]
    strips += [(ASPHALT, *_across(waypoint, -0.5, 0.5)) for waypoint in lanes]
    for waypoint in lanes:
        for side, marking in ((0.5, waypoint.right_lane_marking), (-0.5, waypoint.left_lane_marking)):
            # a lane may have none on one side
            kind = str(marking.type) if marking is not None else "NONE"
            if waypoint.is_junction or kind == "NONE" or (kind.startswith("Broken") and waypoint.s % (2 * DASH) > DASH):
                continue
            colour = YELLOW if marking.color == carla.LaneMarkingColor.Yellow or kind.startswith("Broken") else WHITE
            width = MARKING_WIDTH / waypoint.lane_width
            strips.append((colour, *_across(waypoint, side - width / 2, side + width / 2)))
    return np.array(strips, dtype=np.float64)


def _across(waypoint: Any, first: float, last: float) -> tuple[float, ...]:
    """A strip at a sample: x, y [m], heading [rad], and its lateral start and end [m, to the right], in CARLA's frame."""
    place, yaw = waypoint.transform.location, math.radians(waypoint.transform.rotation.yaw)
    return place.x, place.y, yaw, first * waypoint.lane_width, last * waypoint.lane_width
