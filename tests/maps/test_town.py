"""The default map, as the client and the package read it."""

import math

import numpy as np
import pytest

carla = pytest.importorskip("carla")

from sb3_delta_waypoint.carla_bridge.loopback.road_map import RoadMap  # noqa: E402
from sb3_delta_waypoint.maps.town import NAME, town  # noqa: E402


@pytest.fixture(scope="module")
def road_map() -> RoadMap:
    return RoadMap(NAME, town())


def test_every_lane_leads_on_so_that_one_can_drive_for_ever(road_map):
    network = road_map.network
    assert (np.diff(network.successor_offsets) > 0).all()
    assert set(np.diff(network.successor_offsets)) >= {1, 2, 3}  # through a bend or junction, at a T, at the crossing


def test_there_are_straights_bends_both_ways_and_all_limits(road_map):
    network = road_map.network
    curvature = []
    for first, last in zip(network.offsets[:-1], network.offsets[1:], strict=True):
        step = np.diff(network.points[first:last], axis=0)
        curvature += np.diff(np.unwrap(np.arctan2(step[:, 1], step[:, 0]))).tolist()
    assert np.mean(np.abs(curvature) < 1e-3) > 0.5
    assert max(curvature) > 1 / 15 and min(curvature) < -1 / 15
    assert max(np.abs(curvature)) < 1 / 9, "no kink: nothing turns tighter than the innermost turn of a junction"
    assert {30, 40, 50} <= set(np.round(network.speeds * 3.6, 6)) and network.speeds.max() * 3.6 < 51


def test_lanes_that_cross_or_merge_conflict_and_opposite_ones_do_not(road_map):
    lanes, network = road_map.lanes, road_map.network
    conflicts = np.zeros((network.n_segments, network.n_segments), bool)
    conflicts[np.repeat(np.arange(network.n_segments), np.diff(lanes.conflict_offsets)), lanes.conflicts["other"]] = True
    assert (conflicts == conflicts.T).all() and not conflicts.diagonal().any()
    ends = network.points[network.offsets[1:] - 1]
    for a in range(network.n_segments):
        for b in range(a):
            if math.dist(ends[a], ends[b]) < 0.1:
                assert conflicts[a, b], "lanes that merge"
    lengths = np.diff(network.offsets)
    assert not conflicts[np.ix_(lengths > 60, lengths > 60)].any(), "streets lie apart"


def test_spawn_points_lie_on_lanes_in_driving_direction(road_map):
    assert len(road_map.spawn_points) > 50
    for (x, y, _), (_, yaw, _) in road_map.spawn_points:
        waypoint = road_map.carla_map.get_waypoint(carla.Location(x, y, 0.0))
        assert math.dist((x, y), (waypoint.transform.location.x, waypoint.transform.location.y)) < 0.1
        assert math.cos(math.radians(yaw - waypoint.transform.rotation.yaw)) > 0.999
        assert not waypoint.is_junction and -180.0 <= yaw < 180.0
