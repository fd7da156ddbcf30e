"""The reward: terms with weights, each of which is reported per episode, and how they are combined."""

from typing import Annotated, Any, NamedTuple

from sb3_delta_waypoint.bounds import Bounds
from sb3_delta_waypoint.messages import short_repr

SUM, PRODUCT = "sum", "product"
"""How the terms of a step are combined."""

Weight = Annotated[float, Bounds(0.0, 1e6)]


class RewardWeights(NamedTuple):
    """
    Weights of the reward's terms. The formula subtracts penalties, so every weight is positive or zero.

    A term is a field here and a line in :func:`~.score.score_step`; its contribution to an episode is reported as
    ``reward_<term>``.
    """

    progress: Weight = 0.1
    """Reward for each metre gained along the route."""
    goal: Weight = 10.0
    """Bonus for reaching the goal."""
    time: Weight = 0.01
    """Penalty for each step."""
    lateral_deviation: Weight = 0.5
    """Penalty for each step and metre beside the route."""
    imitation: Weight = 0.5
    """Penalty for each step and metre of ADE between the plan and the expert's plan from the same state."""
    comfort: Weight = 0.0
    """Penalty for each step and m/s³ of longitudinal jerk."""
    off_route: Weight = 20.0
    """Penalty for leaving the route, which ends the episode."""
    collision: Weight = 0.0
    """Penalty for a collision that is the car's own fault, which ends the episode."""
    red_light: Weight = 0.0
    """Penalty for driving over a stop line on red."""
    time_to_collision: Weight = 0.0
    """Penalty for each step just before a collision; it falls to 0 at a time to collision of 1.9 s."""
    speed_limit: Weight = 0.0
    """Penalty for each step and m/s above the speed limit."""
    combine: Any = SUM
    """
    ``"sum"``, or ``"product"``: collision, off route and red light multiply the other terms of the step, which are
    moved up to be positive, by ``max(0, 1 - weight)``.
    """


TRAFFIC_REWARD = RewardWeights(
    progress=0.1,
    goal=10.0,
    time=0.05,
    lateral_deviation=0.2,
    imitation=0.0,
    comfort=0.002,
    off_route=20.0,
    collision=20.0,
    red_light=10.0,
    time_to_collision=0.2,
    speed_limit=0.02,
)
"""Weights among others on the road, without an expert."""

REWARD_TERMS = tuple(f"reward_{term}" for term in RewardWeights._fields if term != "combine")
"""Names under which the sum of each term over an episode is reported, in the order of the weights."""


def check_combine(weights: RewardWeights) -> None:
    """
    Check how the terms are to be combined.

    :param weights: weights of the reward's terms
    :raises ValueError: if it is neither ``"sum"`` nor ``"product"``
    """
    if weights.combine not in (SUM, PRODUCT):
        raise ValueError(f'reward: combine={short_repr(weights.combine)}: expected "{SUM}" or "{PRODUCT}"')
