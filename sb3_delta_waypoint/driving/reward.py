"""The reward: a weighted sum of terms, each of them reported per episode."""

from dataclasses import dataclass
from typing import Annotated

from sb3_delta_waypoint.bounds import Bounds

Weight = Annotated[float, Bounds(0.0, 1e6)]


@dataclass(frozen=True)
class RewardWeights:
    """
    Weights of the reward's terms. Penalties carry their sign in the formula, so every weight is positive or zero.

    :param progress: reward for each metre gained along the route
    :param goal: bonus at the goal
    :param time: penalty for each step
    :param lateral_deviation: penalty for each step and metre beside the route
    :param imitation: penalty for each step and metre of ADE between the plan and the expert's plan from the same state
    :param comfort: penalty for each step and m/s³ of longitudinal jerk
    :param off_route: penalty for leaving the route, which ends the episode
    """

    progress: Weight = 0.1
    goal: Weight = 10.0
    time: Weight = 0.01
    lateral_deviation: Weight = 0.5
    imitation: Weight = 0.5
    comfort: Weight = 0.0
    off_route: Weight = 20.0
