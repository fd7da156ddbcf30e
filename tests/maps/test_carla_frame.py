"""CARLA's left-handed degrees and the package's right-handed radians, at any yaw."""

import math

import numpy as np
import pytest

carla = pytest.importorskip("carla")

from sb3_delta_waypoint.driving.frames import (  # noqa: E402
    ahead_of,
    to_world,  # noqa: E402
    wrap,
)
from sb3_delta_waypoint.maps.carla_frame import location_of, pose_of, transform_of, vector_of  # noqa: E402

RANDOM = np.random.default_rng(1)
POSES = [(*map(float, RANDOM.uniform(-100.0, 100.0, 2)), float(RANDOM.uniform(-3.1, 3.1))) for _ in range(20)]


@pytest.mark.parametrize("pose", POSES)
def test_both_ways(pose):
    assert pose_of(transform_of(pose)) == pytest.approx(pose, abs=1e-4)
    # CARLA's own rotation of a point ahead and to the left (its y is to the right)
    there = transform_of(pose).transform(carla.Location(x=4.0, y=-2.0))
    x, y = to_world(np.array([4.0, 2.0]), pose)
    assert (there.x, -there.y) == pytest.approx((x, y), abs=1e-4)
    forward, (x, y, yaw) = transform_of(pose).get_forward_vector(), ahead_of(pose, -3.0)
    assert (x, y, yaw) == pytest.approx((pose[0] - 3.0 * forward.x, pose[1] + 3.0 * forward.y, pose[2]), abs=1e-4)


def test_signs_and_units():
    transform = transform_of((1.0, 2.0, math.radians(30.0)), z=3.0, pitch=math.radians(10.0))
    assert (transform.location.x, transform.location.y, transform.location.z) == (1.0, -2.0, 3.0)
    assert (transform.rotation.yaw, transform.rotation.pitch) == (pytest.approx(-30.0), pytest.approx(10.0))
    assert (vector_of(1.0, 2.0, 3.0).y, vector_of(1.0, 2.0, 3.0).z, location_of(1.0, 2.0, 3.0).y) == (-2.0, 3.0, -2.0)
    assert pose_of(carla.Transform(carla.Location(1.0, 2.0, 0.0), carla.Rotation(yaw=350.0)))[2] == pytest.approx(
        math.radians(10.0)
    )
    assert wrap(math.radians(270.0)) == pytest.approx(math.radians(-90.0))
