"""The Savitzky–Golay filter is SciPy's."""

import numpy as np
import pytest

from sb3_delta_waypoint.driving.savgol import savgol

signal = pytest.importorskip("scipy.signal")


@pytest.mark.parametrize("window", [5, 7, 8, 11, 12, 15])
@pytest.mark.parametrize(("derivative", "degree"), [(0, 2), (1, 2), (2, 3)])
def test_values_and_edges(window, derivative, degree):
    values = np.random.default_rng(0).normal(size=40).cumsum()
    expected = signal.savgol_filter(values, window, degree, deriv=derivative, delta=0.1)
    result = np.full(40, np.nan)
    if derivative < 2 or window % 2:
        assert savgol(values, 0, 40, window, derivative, 0.1, True, True, result) == (0, 40)
        np.testing.assert_allclose(result, expected, atol=1e-9)
    # an episode in two parts, the second of which begins with the last values of the first
    result[:] = np.nan
    begin, end = savgol(values[:30], 0, 30, window, derivative, 0.1, True, False, result[:30])
    np.testing.assert_allclose(result[begin:end], expected[begin:end], atol=1e-9)
    assert (begin, end) == (0, 30 - window // 2)
    begin, end = savgol(values, 12, 40, window, derivative, 0.1, False, True, result)
    np.testing.assert_allclose(result[begin:end], expected[begin:end], atol=1e-9)
    assert (begin, end) == (12 + window // 2, 40)


def test_a_window_as_long_as_the_signal():
    values = np.array([1.0, 4.0, 2.0, 8.0, 5.0])
    result = np.empty(5)
    savgol(values, 0, 5, 5, 0, 0.1, True, True, result)
    np.testing.assert_allclose(result, signal.savgol_filter(values, 5, 2), atol=1e-12)
