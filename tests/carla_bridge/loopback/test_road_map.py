"""The maps that the server serves."""

import pytest

pytest.importorskip("carla")

from sb3_delta_waypoint.carla_bridge.loopback import town  # noqa: E402
from sb3_delta_waypoint.carla_bridge.loopback.road_map import RoadMap  # noqa: E402


def test_the_ground_is_flat_for_the_client_too(hilly):
    flat, hills = RoadMap("flat", town.town()), RoadMap("hills", hilly(town.town()))
    lanes = zip(flat.carla_map.generate_waypoints(10.0), hills.carla_map.generate_waypoints(10.0), strict=True)
    assert all(one.transform == other.transform for one, other in lanes)
    assert hills.carla_map.to_opendrive() == hills.text
