"""The observation and action spaces of the contract."""

from collections.abc import Iterable

import numpy as np
from gymnasium import spaces

from sb3_delta_waypoint.contract import EGO_GROUPS, GROUPS, POSITION_BOUND
from sb3_delta_waypoint.driving.config import DrivingConfig

NOBODY = {
    "speed_limit": np.full(GROUPS["speed_limit"].shape, GROUPS["speed_limit"].column("limit").high, np.float32),
    "agents": np.zeros(GROUPS["agents"].shape, np.float32),
    "agents_valid": np.zeros(GROUPS["agents_valid"].shape, np.float32),
    "signal": np.array([POSITION_BOUND, 1.0], np.float32),
}
"""Values of the groups about traffic where there is no other road user, no stop line and no speed limit."""


class PlanSpace(spaces.Box):
    """
    Space of plans, float32 ``(H, 2)``, metres, ego frame: a ``Box`` that also holds the time between its rows.

    Spaces with different ``plan_dt`` are not equal, so that a policy or a saved model refuses plans of another ``plan_dt``. A
    plain ``Box`` equals a plan space with the same bounds.

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


def group_space(name: str) -> spaces.Box:
    """
    Space of an observation group.

    :param name: name of a group of :data:`~.contract.GROUPS`
    :return: float32 ``Box`` of the group's shape and bounds
    """
    group = GROUPS[name]
    bounds = ([getattr(column, end) for column in group.columns] for end in ("low", "high"))
    # a single column has no axis of its own
    low, high = (np.broadcast_to(np.array(end if len(end) > 1 else end[0], np.float32), group.shape) for end in bounds)
    return spaces.Box(low, high, dtype=np.float32)


def observation_space(groups: Iterable[str] = EGO_GROUPS) -> spaces.Dict:
    """
    Space of the observations.

    :param groups: names of groups of :data:`~.contract.GROUPS`
    :return: a ``Dict`` of a float32 ``Box`` for each group, in SI units
    """
    return spaces.Dict({name: group_space(name) for name in groups})


def action_space(config: DrivingConfig) -> PlanSpace:
    """
    Space of the actions, which are plans.

    :param config: the driving configuration, with the rows of a plan and the time between them
    :return: float32 ``(H, 2)``, metres, ego frame
    """
    return PlanSpace(config.horizon_steps, config.plan_dt)
