"""Synthetic towns: geometry, rules, and that the same seed gives the same town."""

import math

import numpy as np
import pytest

from sb3_delta_waypoint.maps.synthetic import LANE_WIDTH, LIMITS, synthetic_lanes

SEEDS = [0, 1, 2, 5, 11]


@pytest.fixture(scope="module", params=SEEDS)
def town(request):
    return synthetic_lanes(request.param)


def segments(lanes):
    offsets = lanes.network.offsets
    return [slice(first, end) for first, end in zip(offsets[:-1], offsets[1:], strict=True)]


def test_the_same_seed_gives_the_same_town_and_another_another():
    one, again, other = synthetic_lanes(4), synthetic_lanes(4), synthetic_lanes(5)
    for name in set(one._fields) - {"network", "grid"}:
        np.testing.assert_array_equal(getattr(one, name), getattr(again, name))
    for arrays in zip(one.network, again.network, strict=True):
        np.testing.assert_array_equal(*arrays)
    assert abs(one.length.sum() - other.length.sum()) > 100.0


def test_nothing_ends_and_everything_is_reached(town):
    network = town.network
    assert (np.diff(network.successor_offsets) > 0).all()
    assert set(network.successors) == set(range(network.n_segments))
    assert 2_000.0 < town.length.sum() < 12_000.0
    assert set(network.speeds) <= set(LIMITS)


def test_no_kinks_and_no_turn_tighter_than_a_car_drives(town):
    network = town.network
    for segment, part in enumerate(segments(town)):
        steps = np.diff(network.points[part], axis=0)
        turns = np.diff(np.unwrap(np.arctan2(steps[:, 1], steps[:, 0])))
        assert np.abs(turns).max(initial=0.0) < town.spacing[segment] / 6.0
        for after in network.successors[network.successor_offsets[segment] : network.successor_offsets[segment + 1]]:
            begin = network.offsets[after]
            assert math.dist(network.points[part][-1], network.points[begin]) < 1e-6
            assert town.tangents[part][-1] @ town.tangents[begin] > math.cos(math.radians(5.0))


def test_lanes_overlap_in_junctions_only(town):
    begins = town.network.offsets[:-1]
    inside = town.in_junction[begins]
    segment = np.repeat(np.arange(town.network.n_segments), np.diff(town.conflict_offsets))
    assert (inside[segment] & inside[town.conflicts["other"]]).all()
    streets = town.network.points[~town.in_junction]
    of = town.segment_of[~town.in_junction]
    for number in np.unique(of)[::3]:
        others = streets[of != number]
        for x, y in streets[of == number][5:-5:5]:
            assert np.hypot(others[:, 0] - x, others[:, 1] - y).min() > LANE_WIDTH - 0.2


def test_neighbours_are_mutual_and_on_their_side(town):
    points, tangents = town.network.points, town.tangents
    for one, back, side in ((town.left, town.right, 1.0), (town.right, town.left, -1.0)):
        here = np.flatnonzero(one >= 0)
        there = one[here]
        over = points[there] - points[here]
        across = tangents[here, 0] * over[:, 1] - tangents[here, 1] * over[:, 0]
        np.testing.assert_allclose(side * across, LANE_WIDTH, atol=0.1)
        assert (np.sum(tangents[here] * tangents[there], axis=1) > 0.99).all()
        assert (np.abs(back[there] - here) <= 2).all() and not town.in_junction[here].any()


def test_traffic_keeps_to_the_right(town):
    """Beside the innermost lane of a street, on its left, others come the other way."""
    points, tangents = town.network.points, town.tangents
    inner = np.flatnonzero(~town.in_junction & (town.left < 0))
    normals = np.column_stack([-tangents[inner, 1], tangents[inner, 0]])
    facing = 0
    for place, tangent in zip(points[inner] + LANE_WIDTH * normals, tangents[inner], strict=True):
        near = np.flatnonzero((np.hypot(*(points - place).T) < 0.8) & ~town.in_junction)
        assert (tangents[near] @ tangent < -0.9).all()
        facing += len(near) > 0
    assert facing > 0.95 * len(inner)


def test_stop_lines_lie_at_the_end_of_streets_that_lead_into_a_junction(town):
    network = town.network
    stopped = np.flatnonzero(np.isfinite(town.stop_at))
    assert len(stopped)
    for segment in stopped:
        following = network.successors[network.successor_offsets[segment] : network.successor_offsets[segment + 1]]
        assert not town.in_junction[network.offsets[segment]] and town.in_junction[network.offsets[following]].all()
        assert town.length[segment] - 8.0 < town.stop_at[segment] <= town.length[segment]
    assert ((town.stop_light >= 0) ^ town.stop_sign)[stopped].all()


def test_the_arms_of_a_junction_take_turns(town):
    lights = town.lights
    for junction in np.unique(lights["junction"]):
        of_junction = lights[lights["junction"] == junction]
        assert (
            of_junction["turn"].tolist() == list(range(len(of_junction))) and (of_junction["turns"] == len(of_junction)).all()
        )
    assert set(town.stop_light) - {-1} == set(range(len(lights)))


def test_crossings_lead_straight_over_the_whole_road(town):
    assert len(town.crossings)
    points = town.network.points[~town.in_junction]
    tangents = town.tangents[~town.in_junction]
    for crossing in town.crossings:
        begin, end = np.array([crossing["x"], crossing["y"]]), np.array([crossing["to_x"], crossing["to_y"]])
        length = math.dist(begin, end)
        n_lanes = (length - 3.0) / LANE_WIDTH
        assert round(n_lanes) in (2, 4) and n_lanes == pytest.approx(round(n_lanes), abs=0.1)
        assert np.hypot(*(points - begin).T).min() > 0.5 * LANE_WIDTH + 1.0
        nearest = np.hypot(*(points - 0.5 * (begin + end)).T).argmin()
        assert abs((end - begin) @ tangents[nearest]) < 0.1 * length
    for segment in np.flatnonzero(np.isfinite(town.stop_at)):
        first = town.network.offsets[segment]
        queue = town.network.points[first + int(max(town.stop_at[segment] - 1.0, 0.0) / town.spacing[segment])]
        middle = (
            np.column_stack([town.crossings["x"] + town.crossings["to_x"], town.crossings["y"] + town.crossings["to_y"]]) / 2
        )
        assert (np.hypot(*(middle - queue).T) > 2.0).all(), "nobody waits on a crossing"


def test_some_towns_have_all_there_is():
    towns = [synthetic_lanes(seed) for seed in SEEDS]
    assert any((town.left >= 0).any() for town in towns) and any((town.right >= 0).any() for town in towns)
    assert any(len(town.lights) for town in towns) and any(town.stop_sign.any() for town in towns)
    free = [
        town.in_junction[town.network.offsets[town.network.successors]].sum() - np.isfinite(town.stop_at).sum()
        for town in towns
    ]
    assert all(count > 0 for count in free)
    assert all(set(np.unique(town.width)) == {LANE_WIDTH} for town in towns)


def test_a_negative_seed_is_refused():
    with pytest.raises(ValueError, match="synthetic town -1: a seed is at least 0"):
        synthetic_lanes(-1)
