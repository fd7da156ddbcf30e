"""Boxes that touch."""

import math

import numpy as np

from sb3_delta_waypoint.driving.bodies import BODY
from sb3_delta_waypoint.driving.boxes import boxes_overlap


def box(x: float, y: float, yaw: float, length: float, width: float):
    bodies = np.zeros(1, BODY)
    pose = {"x": x, "y": y, "yaw": yaw, "half_length": length / 2, "half_width": width / 2, "half_height": 1.0}
    for name, value in pose.items():
        bodies[0][name] = value
    return bodies[0]


def share_a_point(one, other) -> bool:
    """By brute force: whether a fine grid of points of one lies in the other."""
    grid = np.stack(np.meshgrid(np.linspace(-1, 1, 121), np.linspace(-1, 1, 121)), -1).reshape(-1, 2)
    along, aside = (grid * (one["half_length"], one["half_width"])).T
    x = one["x"] + along * math.cos(one["yaw"]) - aside * math.sin(one["yaw"]) - other["x"]
    y = one["y"] + along * math.sin(one["yaw"]) + aside * math.cos(one["yaw"]) - other["y"]
    cos, sin = math.cos(other["yaw"]), math.sin(other["yaw"])
    inside = (np.abs(x * cos + y * sin) <= other["half_length"]) & (np.abs(y * cos - x * sin) <= other["half_width"])
    return bool(inside.any())


def test_boxes_overlap_where_they_share_a_point():
    rng = np.random.default_rng(0)
    found = []
    for _ in range(400):
        one = box(0.0, 0.0, rng.uniform(-4, 4), rng.uniform(1, 5), rng.uniform(0.5, 2))
        other = box(*rng.uniform(-3, 3, 2), rng.uniform(-4, 4), rng.uniform(1, 5), rng.uniform(0.5, 2))
        overlap = share_a_point(one, other) or share_a_point(other, one)
        found.append(overlap)
        assert boxes_overlap(one, other) == overlap == boxes_overlap(other, one)
    assert 0.2 < np.mean(found) < 0.9
    above = one.copy()
    above["z"] = 3.0
    assert boxes_overlap(one, one) and not boxes_overlap(one, above)
