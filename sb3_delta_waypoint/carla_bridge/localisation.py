"""Localisation by the sensors that a leaderboard agent may use: GNSS, compass and speedometer."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from sb3_delta_waypoint.driving.frames import Pose

EARTH_RADIUS = 6378137.0
"""Radius of the earth in the leaderboard's ``utils/route_manipulation.py`` [m]."""
GNSS_DEVIATION = 0.55
"""Standard deviation of a fix along each axis [m]; it is 5e-6 degrees for the leaderboard's GNSS."""
SLIP_DEVIATION = 0.03
"""Standard deviation of dead reckoning after 1 m [m]; it grows with the square root of the distance."""

Projection = Callable[[float, float], tuple[float, float]]
"""Function from latitude and longitude [degrees] to x and y [m], right-handed frame."""


class Localiser:
    """
    A Kalman filter that estimates the position by dead reckoning and GNSS fixes, with known heading and speed.

    :param start: x, y [m] and yaw [rad] of the rear axle, as accurate as a GNSS fix
    """

    def __init__(self, start: Pose):
        self.x, self.y, self.yaw = start
        self._variance = GNSS_DEVIATION**2

    def update(self, fix: tuple[float, float], yaw: float, distance: float) -> Pose:
        """
        Update the estimate with the measurements of one tick.

        :param fix: x, y [m] of the rear axle by GNSS
        :param yaw: yaw by compass [rad]; if it is not finite, as before the compass has settled, the last one is kept
        :param distance: distance driven since the last tick, by the speedometer [m]
        :return: estimated x, y [m] and yaw [rad] of the rear axle
        """
        before, self.yaw = self.yaw, yaw if math.isfinite(yaw) else self.yaw
        # the chord of an arc points half-way between the headings at its ends
        heading = before + 0.5 * math.remainder(self.yaw - before, math.tau)
        self._variance += SLIP_DEVIATION**2 * distance
        gain = self._variance / (self._variance + GNSS_DEVIATION**2)
        self._variance *= 1.0 - gain
        x, y = self.x + distance * math.cos(heading), self.y + distance * math.sin(heading)
        self.x, self.y = x + gain * (fix[0] - x), y + gain * (fix[1] - y)
        return self.x, self.y, self.yaw


def yaw_of_compass(compass: float) -> float:
    """
    Convert a compass angle to a yaw.

    :param compass: angle from north, clockwise [rad]; north is along +y of the right-handed frame
    :return: yaw [rad], within ±π
    """
    return math.remainder(math.pi / 2 - compass, math.tau)


def projection_through(places: Sequence[tuple[float, float]], points: Sequence[tuple[float, float]]) -> Projection:
    """
    Fit a Mercator projection to places of known position: its scale and origin, by least squares.

    The leaderboard gives its global plan by such a projection (``_location_to_gps`` in ``utils/route_manipulation.py``).

    :param places: latitude and longitude [degrees] of each place
    :param points: x and y [m] of each place, right-handed frame
    :return: the projection
    :raises ValueError: if there are fewer than two different places, or no such projection fits them
    """
    north, east = np.array([_mercator(*place) for place in places]).reshape(-1, 2).T
    x, y = np.array(points, dtype=np.float64).reshape(-1, 2).T
    if len(x) == 0 or np.ptp(x) + np.ptp(y) < 1.0:
        raise ValueError(f"the global plan has {len(x)} places within 1 m; at least two different ones are needed")
    # a common scale of both axes, and an origin of each
    scale = float((east - east.mean()) @ (x - x.mean()) + (north - north.mean()) @ (y - y.mean())) / float(
        ((east - east.mean()) ** 2).sum() + ((north - north.mean()) ** 2).sum()
    )
    x_0, y_0 = float(x.mean() - scale * east.mean()), float(y.mean() - scale * north.mean())
    off = float(np.hypot(x_0 + scale * east - x, y_0 + scale * north - y).max())
    if off > 1.0:
        raise ValueError(f"latitudes, longitudes and positions of the global plan do not fit: one is {off:.1f} m off")

    def project(latitude: float, longitude: float) -> tuple[float, float]:
        up, right = _mercator(latitude, longitude)
        return x_0 + scale * right, y_0 + scale * up

    return project


def _mercator(latitude: float, longitude: float) -> tuple[float, float]:
    """North and east on a Mercator map of the earth [m at the equator]."""
    north = math.asinh(math.tan(math.radians(latitude)))
    return EARTH_RADIUS * north, EARTH_RADIUS * math.radians(longitude)
