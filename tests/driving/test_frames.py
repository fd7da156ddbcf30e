"""Between world and ego frame, against a rotation matrix of its own; and the left-handed frame."""

import math

import numpy as np
import pytest

from sb3_delta_waypoint.driving.frames import left_handed, mirrored, right_handed, to_ego, to_world

RANDOM = np.random.default_rng(0)
POSES = [(*RANDOM.uniform(-100.0, 100.0, 2), RANDOM.uniform(-10.0, 10.0)) for _ in range(20)]


@pytest.mark.parametrize("pose", POSES)
def test_both_ways_at_any_yaw(pose):
    x, y, yaw = pose
    points = RANDOM.normal(0.0, 30.0, (7, 3, 2))
    # the unit vectors of the ego frame, seen from the world, by complex numbers
    turn = complex(math.cos(yaw), math.sin(yaw))
    expected = np.array([[complex(x, y) + complex(*point) * turn for point in row] for row in points])
    world = to_world(points, pose)
    np.testing.assert_allclose(world[..., 0] + 1j * world[..., 1], expected, atol=1e-9)
    np.testing.assert_allclose(to_ego(world, pose), points, atol=1e-9)
    np.testing.assert_allclose(to_world(to_ego(points, pose), pose), points, atol=1e-9)


def test_left_is_left():
    # the car looks north (+y): west is on its left
    pose = (10.0, 20.0, math.pi / 2)
    np.testing.assert_allclose(to_ego(np.array([9.0, 20.0]), pose), [0.0, 1.0], atol=1e-12)
    np.testing.assert_allclose(to_ego(np.array([10.0, 23.0]), pose), [3.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(to_world(np.array([0.0, 1.0]), pose), [9.0, 20.0], atol=1e-12)


def test_the_left_handed_frame_has_its_y_axis_and_its_turns_the_other_way_round():
    assert left_handed(1.0, 2.0, math.pi / 2) == pytest.approx((1.0, -2.0, -90.0))
    assert right_handed(1.0, -2.0, -90.0) == pytest.approx((1.0, 2.0, math.pi / 2))
    assert mirrored(0.3) == -0.3
