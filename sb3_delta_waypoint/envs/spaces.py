"""The observation and action contract that every env of this package keeps."""

import numpy as np
from gymnasium import spaces

from sb3_delta_waypoint.driving.routes import OBSERVED_POINTS

STATE_BOUND = np.array([60.0, 1.5, 10.0, 30.0], np.float32)
"""Largest speed [m/s], steering angle [rad], yaw rate [rad/s] and acceleration [m/s²]; speed is never negative."""
POSITION_BOUND = 100.0
"""Largest coordinate of a route point or a waypoint [m]."""


def observation_space() -> spaces.Dict:
    """
    What a policy sees.

    :return: ``state`` float32 ``(4,)``: speed [m/s], steering angle [rad], yaw rate [rad/s], acceleration [m/s²];
        ``route`` float32 ``(10, 2)``: the next route points, 3 m apart, metres, ego frame (x forward, y left)
    """
    low = -STATE_BOUND
    low[0] = 0.0
    return spaces.Dict(
        {
            "state": spaces.Box(low, STATE_BOUND, dtype=np.float32),
            "route": spaces.Box(-POSITION_BOUND, POSITION_BOUND, (OBSERVED_POINTS, 2), np.float32),
        }
    )


def action_space(horizon_steps: int) -> spaces.Box:
    """
    What a policy decides: where the car should be.

    :param horizon_steps: rows ``H``
    :return: float32 ``(H, 2)``, metres, ego frame
    """
    return spaces.Box(-POSITION_BOUND, POSITION_BOUND, (horizon_steps, 2), np.float32)
