"""Road networks: packing paths, what is refused, how far one can drive."""

import math

import numpy as np
import pytest
from numba import njit

from sb3_delta_waypoint.driving.network import (
    RoadNetwork,
    from_paths,
    from_segments,
    reachable_length,
    segment_lengths,
    validate_network,
)


def straight(start: float, length: int, speed: float = np.inf) -> tuple[np.ndarray, np.ndarray]:
    """A segment along x with a point at each metre."""
    x = start + np.arange(length + 1.0)
    return np.column_stack([x, np.zeros_like(x)]), np.full_like(x, speed)


@pytest.fixture
def fork() -> RoadNetwork:
    """0 (10 m) leads to 1 (5 m, a dead end) and to 2 (20 m), which leads to 3 (7 m), another dead end."""
    return from_segments([straight(0, 10), straight(10, 5), straight(10, 20), straight(30, 7)], [[1, 2], [], [3], []])


def circle(radius: float = 5.0) -> tuple[np.ndarray, np.ndarray]:
    angle = np.linspace(0.0, 2.0 * np.pi, 40)
    return radius * np.column_stack([np.cos(angle), np.sin(angle)]), np.full(40, np.inf)


def test_a_path_is_resampled_to_equal_steps_of_at_most_a_metre():
    points = np.array([[0.0, 0.0], [4.0, 0.0], [4.0, 0.0], [4.0, 6.3]])
    network = from_paths([(points, [2.0, 6.0, 6.0, 6.0])])
    assert network.n_segments == 1
    np.testing.assert_array_equal(network.points[[0, -1]], points[[0, -1]])
    assert segment_lengths(network)[0] == pytest.approx(10.3, abs=0.3)  # the corner may be cut
    steps = np.linalg.norm(np.diff(network.points, axis=0), axis=1)
    assert steps.max() <= 1.0 and steps.min() > 0.6
    # 11 steps of 10.3 / 11 m: the third point is 2.81 m along the first 4 m, on which the speed rises from 2 to 6 m/s
    assert network.speeds[3] == pytest.approx(2.0 + 3 * 10.3 / 11)
    assert network.speeds[-1] == 6.0


def test_paths_become_segments_in_order_that_lead_nowhere():
    network = from_paths([straight(0, 10, 3.0), straight(100, 20, 4.0)])
    np.testing.assert_array_equal(network.offsets, [0, 11, 32])
    np.testing.assert_array_equal(network.successor_offsets, [0, 0, 0])
    assert len(network.successors) == 0
    np.testing.assert_array_equal(network.speeds, [3.0] * 11 + [4.0] * 21)
    assert [array.dtype for array in network] == [np.float64, np.float64, np.int64, np.int64, np.int64]


def test_a_limit_holds_up_to_where_it_ends():
    network = from_paths([([[0.0, 0.0], [10.0, 0.0], [20.0, 0.0]], [10.0, np.inf, 5.0])])
    np.testing.assert_array_equal(network.speeds, [10.0] * 10 + [np.inf] * 10 + [5.0])


def test_a_path_of_a_car_at_rest_is_left_out():
    network = from_paths([(np.zeros((5, 2)), np.zeros(5)), straight(0, 3), (np.zeros((1, 2)), np.zeros(1))])
    assert network.n_segments == 1
    with pytest.raises(ValueError, match="none of the 1 paths leads anywhere"):
        from_paths([(np.zeros((5, 2)), np.zeros(5))])
    with pytest.raises(ValueError, match="none of the 0 paths"):
        from_paths([])


@pytest.mark.parametrize(
    ("points", "speeds", "message"),
    [
        (np.zeros((4, 3)), np.zeros(4), r"path 1: points must be \(N, 2\) and speeds \(N,\), not \(4, 3\) and \(4,\)"),
        (np.zeros((4, 2)), np.zeros(3), r"path 1: .*\(4, 2\) and \(3,\)"),
        ([[0, 0], [1, 1e300]], [1, 1], r"path 1, point 1: .* is not a finite position, at most 1e\+09 m away"),
        ([[0, 0], [1e8, 0]], [1, 1], r"path 1 is 1e\+08 m long; at most 1e\+06 m are sampled"),
        ([[0, 0], [1, np.nan]], [1, 1], r"path 1, point 1: \[ *1\. nan\] is not a finite position"),
        ([[0, 0], [1, 0]], [1, -2], "path 1, point 1: -2.0 m/s is not a speed"),
        ([[0, 0], [1, 0]], [np.nan, 1], "path 1, point 0: nan m/s is not a speed"),
    ],
)
def test_a_bad_path_is_named(points, speeds, message):
    with pytest.raises(ValueError, match=message):
        from_paths([straight(0, 3), (points, speeds)])


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("points", np.zeros((47, 3)), "points must be"),
        ("speeds", np.zeros(45), r"speeds \(P,\), not \(46, 2\) and \(45,\)"),
        ("offsets", np.array([0]), "no segments"),
        ("offsets", np.array([0, 11, 17, 38, 45]), "offsets must rise from 0 to 46"),
        ("offsets", np.array([0, 17, 11, 38, 46]), "offsets must rise"),
        ("offsets", np.array([0, 11, 12, 38, 46]), "segment 1 has 1 points; it needs at least 2"),
        ("successor_offsets", np.array([0, 3, 3, 3]), "successor_offsets has 4 entries, offsets 5"),
        ("successor_offsets", np.array([0, 2, 2, 3, 4]), "successor_offsets must rise from 0 to 3"),
        ("successors", np.array([1, 4, 3]), "segment 0: there is no successor 4, only segments 0 to 3"),
        ("successors", np.array([1, 2, -1]), "segment 2: there is no successor -1"),
        ("successors", np.array([1, 2, 0]), "segment 2 ends 30.00 m from the start of its successor 0; at most 1.5 m"),
    ],
)
def test_an_inconsistent_network_is_refused(fork, field, value, message):
    validate_network(fork)
    with pytest.raises(ValueError, match=message):
        validate_network(fork._replace(**{field: value}))


@pytest.mark.parametrize(
    ("index", "point", "speed", "message"),
    [
        (12, [np.inf, 0.0], 1.0, r"segment 1, point 1: \[inf +0\.\] is not a finite position"),
        (12, [10.0, 0.0], 1.0, "segment 1, point 0: 0.0 m to the next point; points must not coincide"),
        (12, [11.0, 0.5], 1.0, "segment 1, point 0: 1.11.* m to the next point; at most 1.0 m"),
        (12, [11.0, 0.0], np.nan, "segment 1, point 1: nan m/s"),
        (12, [11.0, 0.0], -1.0, "segment 1, point 1: -1.0 m/s"),
    ],
)
def test_a_bad_point_is_named(fork, index, point, speed, message):
    fork.points[index], fork.speeds[index] = point, speed
    with pytest.raises(ValueError, match=message):
        validate_network(fork)


def test_lengths_are_measured_within_segments(fork):
    np.testing.assert_allclose(segment_lengths(fork), [10.0, 5.0, 20.0, 7.0])


def test_reach_takes_the_longest_way_and_stops_at_dead_ends(fork):
    np.testing.assert_allclose(reachable_length(fork, 1000.0), [37.0, 5.0, 27.0, 7.0])


def test_reach_is_capped(fork):
    np.testing.assert_allclose(reachable_length(fork, 25.0), [25.0, 5.0, 25.0, 7.0])


def test_a_circle_never_ends():
    way_in = (np.array([[4.5, -1.0], [5.0, -0.2]]), np.full(2, np.inf))
    network = from_segments([circle(), way_in], [[0], [0]])
    np.testing.assert_allclose(reachable_length(network, 500.0), [500.0, 500.0])


@pytest.mark.parametrize("cap", [0.0, -1.0, math.inf, math.nan])
def test_an_impossible_cap_is_refused(fork, cap):
    with pytest.raises(ValueError, match="cap is"):
        reachable_length(fork, cap)


def test_a_kernel_can_read_it(fork):
    @njit
    def first_point_of_last_successor(network):
        return network.points[network.offsets[network.successors[-1]], 0]

    assert first_point_of_last_successor(fork) == 30.0
