"""The reward: a weighted sum of terms, each of which is reported per episode."""

from typing import Annotated, NamedTuple

from sb3_delta_waypoint.bounds import Bounds

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


REWARD_TERMS = tuple(f"reward_{term}" for term in RewardWeights._fields)
"""Names under which the sum of each term over an episode is reported, in the order of the weights."""
