"""Dead reckoning."""

import numpy as np

from sb3_delta_waypoint.episodes.paths import driven_paths


def test_a_circle_is_exact(circle):
    episode = circle(n_frames=200, radius=7.0, speed=9.0)
    points, speeds = driven_paths([episode])[0]
    angle = 9.0 / 7.0 * 0.1 * np.arange(200)
    expected = 7.0 * np.stack([np.sin(angle), 1 - np.cos(angle)], axis=1)
    np.testing.assert_allclose(points, expected, atol=1e-5)  # states are float32
    np.testing.assert_array_equal(speeds, np.full(200, 9.0))


def test_a_straight_line_with_gaps_in_time(circle):
    episode = circle(n_frames=3, speed=4.0)
    episode.observations["state"][:, 2] = 0.0
    episode.t = np.array([0.0, 0.1, 1.0])
    points, _ = driven_paths([episode])[0]
    np.testing.assert_allclose(points, [[0.0, 0.0], [0.4, 0.0], [4.0, 0.0]])


def test_one_path_per_episode(circle):
    paths = driven_paths([circle(n_frames=5), circle(n_frames=7)])
    assert [points.shape for points, _ in paths] == [(5, 2), (7, 2)]


def test_standing_still(circle):
    points, speeds = driven_paths([circle(speed=0.0)])[0]
    assert not points.any() and not speeds.any()


def test_the_speed_between_two_frames_is_their_mean(circle):
    episode = circle(n_frames=3)
    state, episode.t = episode.observations["state"], np.array([0.0, 0.1, 0.3])
    state[:, 0], state[:, 2] = [2.0, 4.0, 10.0], 0.0
    np.testing.assert_allclose(driven_paths([episode])[0][0], [[0.0, 0.0], [0.3, 0.0], [1.7, 0.0]], atol=1e-6)
