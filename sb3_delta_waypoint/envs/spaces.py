"""The observation and action contract that every env of this package keeps."""

import numpy as np
from gymnasium import spaces

from sb3_delta_waypoint.contract import POSITION_BOUND, ROUTE_POINTS
from sb3_delta_waypoint.driving.config import DrivingConfig

STATE_BOUND = np.array([60.0, 1.5, 10.0, 30.0], np.float32)
"""Largest speed [m/s], steering angle [rad], yaw rate [rad/s] and acceleration [m/s²]; speed is never negative."""


class PlanSpace(spaces.Box):
    """
    Plans, float32 ``(H, 2)``, metres, ego frame: a ``Box`` that knows how far apart in time its rows are. So whoever is given
    the action space, a policy or a saved model, can tell plans of another ``plan_dt``: the two spaces are not equal. A ``Box``
    that says nothing of time equals a space with the same bounds.

    :param horizon_steps: rows ``H``
    :param plan_dt: seconds between the rows
    """

    def __init__(self, horizon_steps: int, plan_dt: float):
        super().__init__(-POSITION_BOUND, POSITION_BOUND, (horizon_steps, 2), np.float32)
        self.plan_dt = plan_dt

    def __eq__(self, other: object) -> bool:
        return super().__eq__(other) and bool(np.isclose(self.plan_dt, getattr(other, "plan_dt", self.plan_dt)))

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}, plan_dt={self.plan_dt:g} s)"


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
            "route": spaces.Box(-POSITION_BOUND, POSITION_BOUND, (ROUTE_POINTS, 2), np.float32),
        }
    )


def action_space(config: DrivingConfig) -> PlanSpace:
    """
    What a policy decides: where the car should be.

    :param config: the rows of a plan and the time between them
    :return: float32 ``(H, 2)``, metres, ego frame
    """
    return PlanSpace(config.horizon_steps, config.plan_dt)
