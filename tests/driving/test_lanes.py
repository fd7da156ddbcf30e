"""Lanes: what is computed from centre lines, and the search for the lanes at a place."""

import math

import numpy as np
import pytest

from sb3_delta_waypoint.driving.lanes import AREA_MARGIN, BRAKING, LATERAL_ACCELERATION, StopLine, lanes_at, make_lanes
from sb3_delta_waypoint.driving.network import RoadNetwork, from_segments, resample
from sb3_delta_waypoint.maps.synthetic import synthetic_lanes


def line(*points, limit=10.0):
    return resample(np.array(points, float), np.full(len(points), limit))


def turn(radius, angle=math.pi / 2, start=(0.0, 0.0)):
    """To the left, from a start along x."""
    at = np.linspace(0.0, angle, 100)
    return np.column_stack([start[0] + radius * np.sin(at), start[1] + radius * (1.0 - np.cos(at))])


@pytest.fixture(scope="module")
def fork() -> RoadNetwork:
    """0 forks into 1 (straight on) and 2 (a left bend); 3 crosses 1 from the right, far from the bend."""
    bend = resample(turn(8.0, start=(40.0, 0.0)), np.full(100, 10.0))
    return from_segments(
        [line((0, 0), (40, 0)), line((40, 0), (100, 0)), bend, line((80, -20), (80, 20))], [[1, 2], [], [], []]
    )


@pytest.fixture(scope="module")
def town():
    return synthetic_lanes(3)


def conflicts_of(lanes, segment):
    return lanes.conflicts[lanes.conflict_offsets[segment] : lanes.conflict_offsets[segment + 1]]


def test_arc_lengths_and_tangents(fork):
    lanes = make_lanes(fork, 3.5)
    np.testing.assert_allclose(lanes.length, [40, 60, 4 * math.pi, 40], rtol=1e-3)
    assert lanes.segment_of.tolist() == [0] * 41 + [1] * 61 + [2] * 14 + [3] * 41
    np.testing.assert_allclose(lanes.along[:41], np.arange(41.0))
    np.testing.assert_allclose(lanes.tangents[[0, 50]], [[1, 0], [1, 0]])
    np.testing.assert_allclose(lanes.tangents[-1], [0, 1], atol=1e-12)


def test_a_fork_and_a_crossing(fork):
    lanes = make_lanes(fork, 3.5)
    assert len(conflicts_of(lanes, 0)) == 0, "one's own successors are no conflict"
    forked, crossed = conflicts_of(lanes, 1)
    assert (forked["other"], forked["begin"], forked["fork"]) == (2, 0.0, True)
    assert (crossed["other"], crossed["fork"]) == (3, False)
    assert 37.0 < crossed["begin"] < 40.0 < crossed["end"] < 43.0
    assert 17.0 < crossed["other_begin"] < 20.0 < crossed["other_end"] < 23.0
    (back,) = conflicts_of(lanes, 3)
    assert (back["other"], back["begin"], back["other_begin"]) == (1, crossed["other_begin"], crossed["begin"])


def test_lanes_that_fork_and_cross_again_have_a_fork_and_a_crossing():
    winding = line(*((x, 8.0 * math.sin(x / 20.0 * math.pi)) for x in np.linspace(0.0, 30.0, 100)))
    lanes = make_lanes(from_segments([line((0, 0), (60, 0)), winding], [[], []]), 3.5)
    for segment in (0, 1):
        assert conflicts_of(lanes, segment)["fork"].tolist() == [True, False]
    assert 16.0 < conflicts_of(lanes, 0)["begin"][1] < 20.0


def test_conflicts_are_mutual_and_where_lanes_cross(town):
    network = town.network
    pairs = {
        (segment, int(conflict["other"])): bool(conflict["fork"])
        for segment in range(network.n_segments)
        for conflict in conflicts_of(town, segment)
    }
    assert pairs and all(pairs.get((b, a)) == fork for (a, b), fork in pairs.items())
    follows = {
        (segment, int(after))
        for segment in range(network.n_segments)
        for after in network.successors[network.successor_offsets[segment] : network.successor_offsets[segment + 1]]
    }
    points = [network.points[first:end] for first, end in zip(network.offsets[:-1], network.offsets[1:], strict=True)]
    for a in range(0, network.n_segments, 7):
        for b in range(network.n_segments):
            if a != b and (a, b) not in follows and (b, a) not in follows:
                nearest = np.hypot(*(points[a][:, None] - points[b]).T).min()
                assert ((a, b) in pairs) == (nearest < 2.5)
    starts = [line[0] for line in points]
    for (a, b), fork in pairs.items():
        assert fork == (math.dist(starts[a], starts[b]) < 0.5)


def test_pace_obeys_limits_bends_and_braking(town):
    network = town.network
    assert (town.pace <= network.speeds + 1e-9).all() and (town.pace > 1.0).all()
    for segment in range(network.n_segments):
        first, end = network.offsets[segment], network.offsets[segment + 1]
        pace = town.pace[first:end]
        assert (pace[:-1] ** 2 <= pace[1:] ** 2 + 2.0 * BRAKING * town.spacing[segment] + 1e-6).all()
        following = network.successors[network.successor_offsets[segment] : network.successor_offsets[segment + 1]]
        assert pace[-1] <= town.pace[network.offsets[following]].max() + 1e-9


def test_pace_in_and_before_a_bend(fork):
    lanes = make_lanes(fork, 3.5)
    slow = math.sqrt(LATERAL_ACCELERATION * 8.0)
    assert lanes.pace[lanes.segment_of == 2][5] == pytest.approx(slow, rel=0.02)
    assert lanes.pace[40] == 10.0, "straight on is faster"
    only = make_lanes(
        from_segments([line((0, 0), (40, 0)), resample(turn(8.0, start=(40.0, 0.0)), np.full(100, 10.0))], [[1], []]), 3
    )
    assert only.pace[40] == pytest.approx(slow, rel=0.03) and only.pace[0] == 10.0
    assert only.pace[36] == pytest.approx(math.sqrt(only.pace[40] ** 2 + 2 * BRAKING * 4.0), rel=0.01)


def test_the_first_stop_line_of_a_segment_counts(fork):
    lines = [StopLine(0, 38.0, 0), StopLine(0, 20.0, -1), StopLine(3, 15.0, -1)]
    lanes = make_lanes(fork, 3.5, stop_lines=lines, lights=[(0, 0, 2)])
    assert lanes.stop_at.tolist() == [38.0, np.inf, np.inf, 15.0]
    assert lanes.stop_light.tolist() == [0, -1, -1, -1] and lanes.stop_sign.tolist() == [False, False, False, True]


@pytest.mark.parametrize("width", [0.0, -1.0, np.nan, np.inf])
def test_a_width_that_is_none_is_refused(fork, width):
    with pytest.raises(ValueError, match="width: .* m is no width of a lane"):
        make_lanes(fork, width)


def test_arrays_of_another_length_are_refused(fork):
    with pytest.raises(ValueError, match=r"left has the shape \(3,\); expected one value, or one for each of 157 points"):
        make_lanes(fork, 3.5, left=[0, 1, 2])


@pytest.mark.parametrize("margin", [0.0, AREA_MARGIN])
def test_lanes_at_a_place_are_those_of_a_search_among_all(town, margin):
    network, found = town.network, np.empty(32, np.int64)
    rng = np.random.default_rng(0)
    places = network.points[rng.integers(len(network.points), size=400)] + rng.normal(0.0, 2.0, (400, 2))
    n_found = 0
    for x, y in places:
        away = np.array([x, y]) - network.points
        distance = np.hypot(*away.T)
        expected = []
        for segment in range(network.n_segments):
            first, end = network.offsets[segment], network.offsets[segment + 1]
            nearest = first + int(distance[first:end].argmin())
            (dx, dy), (cos, sin) = away[nearest], town.tangents[nearest]
            beside, ahead = abs(dy * cos - dx * sin), abs(dx * cos + dy * sin)
            if beside <= 0.5 * town.width[nearest] + margin and ahead <= 0.5 * town.spacing[segment] + 0.3:
                expected.append(nearest)
        n = lanes_at(town, x, y, margin, found)
        assert sorted(found[:n].tolist()) == expected
        n_found += n
    assert n_found > 400


def test_no_lanes_far_away_and_no_more_than_there_is_room_for(town):
    assert lanes_at(town, 1e6, 0.0, 0.0, np.empty(4, np.int64)) == 0
    middle = town.network.points[np.flatnonzero(town.in_junction)[5]]
    assert lanes_at(town, *middle, 0.0, np.empty(1, np.int64)) == 1


def test_narrow_lanes_are_found_up_to_their_edges_wherever_cells_end():
    begins = [(30.0 * k + 0.13 * k, 5.0 * k + 0.17 * k) for k in range(32)]
    lanes = make_lanes(from_segments([line((x, y), (x + 20, y)) for x, y in begins], [[]] * 32), 1.0)
    found = np.empty(4, np.int64)
    for x, y in begins:
        for side in (-0.79, 0.79):
            assert lanes_at(lanes, x - 0.79, y + side, AREA_MARGIN, found) == 1
            assert lanes_at(lanes, x + 20.79, y + side, AREA_MARGIN, found) == 1
        assert lanes_at(lanes, x + 10.0, y + 0.81, AREA_MARGIN, found) == 0
