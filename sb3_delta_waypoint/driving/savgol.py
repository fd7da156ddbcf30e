"""
Savitzky–Golay filter: smoothing and derivatives by polynomials that are fitted to a moving window.

The polynomials are of degree 2, for the second derivative of degree 3. Values and edges are those of
``scipy.signal.savgol_filter`` in its mode ``interp``. Source: Savitzky and Golay, Analytical Chemistry 36 (1964).
"""

import numpy as np

from sb3_delta_waypoint.driving.kernels import kernel


@kernel
def savgol(
    signal: np.ndarray,
    begin: int,
    end: int,
    window: int,
    derivative: int,
    dt: float,
    first: bool,
    last: bool,
    result: np.ndarray,
) -> tuple[int, int]:
    """
    Filter a part of a signal.

    :param signal: float64 ``(n,)``
    :param begin: where the part begins
    :param end: where it ends, at least ``window`` later
    :param window: number of values in the window
    :param derivative: 0 to smooth, 1 or 2 for this derivative
    :param dt: time between the values [s]
    :param first: whether nothing was before the part: then the first polynomial is used up to its edge
    :param last: whether nothing comes after it
    :param result: float64 ``(n,)``, written
    :return: where the values that were written begin and end
    """
    half, middle = window // 2, 0.5 * (window - 1)
    # orthogonal polynomials about the middle of the window: 1, u, u² - mean, u³ - ratio u
    squares, fourths = 0.0, 0.0
    for k in range(window):
        squares += (k - middle) ** 2
        fourths += (k - middle) ** 4
    mean, ratio = squares / window, fourths / squares
    norm_2, norm_3 = 0.0, 0.0
    for k in range(window):
        u = k - middle
        norm_2 += (u * u - mean) ** 2
        norm_3 += (u * u * u - ratio * u) ** 2
    scale = dt**-derivative

    # in the middle of each window; one of even length reaches one step farther ahead
    low, high, back = begin + half, end - half, (window - 1) // 2
    result[low:high] = 0.0
    for k in range(window):
        u = k - middle
        if derivative == 0:
            weight = 1.0 / window - mean * (u * u - mean) / norm_2
        elif derivative == 1:
            weight = scale * u / squares
        else:
            weight = scale * 2.0 * (u * u - mean) / norm_2
        for t in range(low, high):
            result[t] += weight * signal[t + k - back]

    for edge in range(2):
        if not (first if edge == 0 else last):
            continue
        at = begin if edge == 0 else end - window
        sums = np.zeros(4)
        for k in range(window):
            u = k - middle
            sums[0] += signal[at + k]
            sums[1] += u * signal[at + k]
            sums[2] += (u * u - mean) * signal[at + k]
            sums[3] += (u * u * u - ratio * u) * signal[at + k]
        for t in range(begin, low) if edge == 0 else range(high, end):
            u = t - at - middle
            if derivative == 0:
                result[t] = sums[0] / window + sums[1] * u / squares + sums[2] * (u * u - mean) / norm_2
            elif derivative == 1:
                result[t] = scale * (sums[1] / squares + 2.0 * u * sums[2] / norm_2)
            else:
                result[t] = scale * (2.0 * sums[2] / norm_2 + 6.0 * u * sums[3] / norm_3)
    return begin if first else low, end if last else high
