"""What lanes are: where they meet, and how fast one may drive on them."""

from xml.etree.ElementTree import fromstring

import numpy as np
import pytest

from sb3_delta_waypoint.driving.network import JOINT_TOLERANCE
from sb3_delta_waypoint.maps.lanes import meet, speed_limits, strip_namespaces

LANE = np.array([[0.0, 0.0], [10.0, 0.0]])


def lane_at(x: float, y: float, degrees: float) -> np.ndarray:
    """A lane of 10 m that begins there."""
    yaw = np.radians(degrees)
    return np.array([[x, y], [x + 10.0 * np.cos(yaw), y + 10.0 * np.sin(yaw)]])


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (lane_at(10.0, 0.0, 0.0), True),
        (lane_at(10.0, 0.9 * JOINT_TOLERANCE, 0.0), True),
        (lane_at(10.0, 1.1 * JOINT_TOLERANCE, 0.0), False),
        (lane_at(10.0, 0.0, 59.0), True),
        (lane_at(10.0, 0.0, -61.0), False),
        (lane_at(10.0, 0.0, 180.0), False),
    ],
)
def test_lanes_meet_where_a_car_can_follow(after, expected):
    assert meet(LANE, after) is expected


def test_speed_limits_in_any_unit_and_with_a_namespace():
    road = fromstring(
        '<road xmlns="http://code.asam.net/simulation/standard/opendrive_schema">'
        '<type s="0"><speed max="36" unit="km/h"/></type><type s="50"><speed max="no limit"/></type>'
        '<type s="80"><speed max="5"/></type><type s="90"/></road>'
    )
    strip_namespaces(road)
    begins, limits = speed_limits(road)
    assert begins == [0.0, 50.0, 80.0, 90.0]
    np.testing.assert_allclose(limits, [np.inf, 10.0, np.inf, 5.0, np.inf])
