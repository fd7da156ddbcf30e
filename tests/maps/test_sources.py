"""Roads by name: several maps in one, and what is refused."""

import numpy as np
import pytest

from sb3_delta_waypoint.driving.kernels import kernel
from sb3_delta_waypoint.driving.lanes import lanes_at, make_lanes
from sb3_delta_waypoint.driving.network import MapShares, from_segments, resample
from sb3_delta_waypoint.driving.records import PLACE, ROUTE_POINT
from sb3_delta_waypoint.driving.routes import draw_network_route, route_source
from sb3_delta_waypoint.maps.sources import roads_of
from sb3_delta_waypoint.maps.synthetic import synthetic_lanes


@pytest.fixture(scope="module")
def circle():
    at = np.linspace(0.0, 2.0 * np.pi, 300)
    points = 60.0 * np.column_stack([np.cos(at), np.sin(at)])
    return make_lanes(from_segments([resample(points, np.full(300, 10.0))], [[0]]), 3.5)


@kernel
def draw(seed, source, route, places):
    return draw_network_route(seed, source, route, places, len(route))


def drawn(source, seed, n_points=101, with_places=True):
    route, places = np.zeros(n_points, ROUTE_POINT), np.zeros(n_points if with_places else 0, PLACE)
    assert draw(np.uint64(seed), source, route, places) == n_points
    return route, places


def test_one_source_stays_where_it_is():
    lanes, shares = roads_of("synthetic:3")
    np.testing.assert_array_equal(lanes.network.points, synthetic_lanes(3).network.points)
    assert shares == MapShares(("synthetic:3",), (1.0,), (0, lanes.network.n_segments))
    assert roads_of("synthetic:3").lanes is lanes, "read once"


def test_several_maps_are_one_without_touching(circle):
    roads = roads_of([circle, "synthetic:1-2"])
    lanes, shares = roads.lanes, roads.shares
    parts = [circle, synthetic_lanes(1), synthetic_lanes(2)]
    assert shares.weights == (1.0, 0.5, 0.5) and shares.names[1:] == ("synthetic:1", "synthetic:2")
    points = segments = lights = 0
    bounds = []
    for number, part in enumerate(parts):
        n_points, n_segments = len(part.network.points), part.network.n_segments
        assert shares.segments[number : number + 2] == (segments, segments + n_segments)
        at, of = slice(points, points + n_points), slice(segments, segments + n_segments)
        shift = lanes.network.points[points] - part.network.points[0]
        np.testing.assert_allclose(lanes.network.points[at], part.network.points + shift)
        np.testing.assert_array_equal(lanes.segment_of[at] - segments, part.segment_of)
        np.testing.assert_array_equal(lanes.left[at], np.where(part.left < 0, -1, part.left + points))
        np.testing.assert_array_equal(lanes.stop_light[of], np.where(part.stop_light < 0, -1, part.stop_light + lights))
        first, end = lanes.network.successor_offsets[[segments, segments + n_segments]]
        np.testing.assert_array_equal(lanes.network.successors[first:end] - segments, part.network.successors)
        first, end = lanes.conflict_offsets[[segments, segments + n_segments]]
        np.testing.assert_array_equal(lanes.conflicts["other"][first:end] - segments, part.conflicts["other"])
        bounds.append((lanes.network.points[at].min(axis=0), lanes.network.points[at].max(axis=0)))
        points, segments, lights = points + n_points, segments + n_segments, lights + len(part.lights)
    assert (bounds[0][0] == circle.network.points.min(axis=0)).all(), "the first is not moved"
    assert all(before[1][0] + 200.0 < after[0][0] for before, after in zip(bounds[:-1], bounds[1:], strict=True))
    n_junctions = sum(len(np.unique(part.lights["junction"])) for part in parts)
    assert np.unique(lanes.lights["junction"]).tolist() == list(range(n_junctions)), "maps share no junction"
    middle = 0.5 * (lanes.crossings["x"] + lanes.crossings["to_x"]), 0.5 * (lanes.crossings["y"] + lanes.crossings["to_y"])
    away = np.hypot(*(np.stack(middle, axis=1)[:, None] - lanes.network.points).T).min(axis=0)
    assert away.max() < 3.0, "crossings move with their maps"
    found = np.empty(8, np.int64)
    for point in range(0, len(lanes.network.points), 500):
        n = lanes_at(lanes, *lanes.network.points[point], 0.0, found)
        assert lanes.segment_of[point] in lanes.segment_of[found[:n]]


def test_maps_are_drawn_by_their_weight():
    lanes, shares = roads_of({"synthetic:1": 3.0, "synthetic:2": 0.0, "synthetic:3-4": 1.0})
    assert shares.names == ("synthetic:1", "synthetic:3", "synthetic:4") and shares.weights == (3.0, 0.5, 0.5)
    source = route_source(lanes.network, 100.0, shares=shares)
    counts = np.zeros(3)
    for seed in range(2000):
        _, places = drawn(source, seed * 7919 + 1, 2)
        counts[np.searchsorted(shares.segments, places["segment"][0], side="right") - 1] += 1
    np.testing.assert_allclose(counts / counts.sum(), [0.75, 0.125, 0.125], atol=0.03)


def test_routes_of_one_map_do_not_depend_on_its_weight_or_on_places():
    lanes, shares = roads_of("synthetic:1")
    plain = route_source(lanes.network, 100.0)
    for seed in range(20):
        expected, _ = drawn(plain, seed, with_places=False)
        np.testing.assert_array_equal(drawn(route_source(lanes.network, 100.0, shares=shares), seed)[0], expected)


def test_places_say_where_route_points_lie():
    lanes, shares = roads_of(["synthetic:1", "synthetic:2"])
    network, source = lanes.network, route_source(lanes.network, 100.0, shares=shares)
    seen = 0
    for seed in range(40):
        route, places = drawn(source, seed)
        for point, place in zip(route, places, strict=True):
            first, end = network.offsets[place["segment"] : place["segment"] + 2]
            at = np.arange(end - first) * lanes.spacing[place["segment"]]
            x, y = (np.interp(place["along"], at, network.points[first:end, axis]) for axis in (0, 1))
            assert np.hypot(point["x"] - x, point["y"] - y) < 5e-3
        seen += len(np.unique(places["segment"]))
    assert seen > 80


@pytest.mark.parametrize(
    ("routes", "error", "message"),
    [
        ("synthetic:x", ValueError, "'synthetic:x': expected synthetic:SEED or synthetic:FIRST-LAST"),
        ("synthetic:", ValueError, "expected synthetic:SEED"),
        ("synthetic:-1", ValueError, "expected synthetic:SEED"),
        ("synthetic:9-3", ValueError, "expected synthetic:SEED"),
        ("synthetic:0-9999", ValueError, "names 10000 towns; at most 256 are joined"),
        (["synthetic:0-199", "synthetic:0-199"], ValueError, "more than 256 maps"),
        ("nowhere.xodr", FileNotFoundError, "nowhere.xodr: there is no such map file"),
        ("out/*.json", ValueError, "recorded episodes have no lanes"),
        ([], ValueError, "names no roads"),
        ({}, ValueError, "names no roads"),
        ([7], ValueError, "7 names no roads"),
        (7, ValueError, "routes=7: expected an OpenDRIVE map"),
        ({"synthetic:1": -1.0}, ValueError, "the weight of 'synthetic:1' is -1.0; it must be at least 0"),
        ({"synthetic:1": float("nan")}, ValueError, "the weight of 'synthetic:1' is nan"),
        ({"synthetic:1": float("inf")}, ValueError, "the weight of 'synthetic:1' is inf"),
        ({"synthetic:1": "much"}, ValueError, "the weight of 'synthetic:1' is 'much'"),
        ({"synthetic:1": 0.0, "synthetic:2": 0.0}, ValueError, "must add up to more than 0"),
        (from_segments([(np.array([[0.0, 0.0], [1.0, 0.0]]), np.ones(2))], [[]]), ValueError, "a road network has no lanes"),
    ],
)
def test_what_names_no_roads_is_refused(routes, error, message):
    with pytest.raises(error, match=message):
        roads_of(routes)


def test_a_map_that_is_too_small_for_the_routes_is_named(circle):
    short = make_lanes(from_segments([resample(np.array([[0.0, 0.0], [50.0, 0.0]]), np.full(2, 10.0))], [[]]), 3.5)
    lanes, shares = roads_of([circle, short])
    with pytest.raises(ValueError, match="route_length=100.0 m: the longest drive in map 1 is 50 m"):
        route_source(lanes.network, 100.0, shares=shares)
