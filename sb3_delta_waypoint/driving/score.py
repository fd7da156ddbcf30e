"""One episode: what a step earns, when it ends, and the metrics that are reported at its end."""

import math
from typing import Annotated, NamedTuple

import numpy as np

from sb3_delta_waypoint.bounds import Bounds
from sb3_delta_waypoint.driving.kernels import inlined
from sb3_delta_waypoint.driving.records import Record

RUNNING, GOAL, OFF_ROUTE, TIMEOUT, COLLISION, BLOCKED = 0, 1, 2, 3, 4, 5
"""How a step leaves the episode; the simulation knows the first four."""

EPISODE_METRICS = (
    "success",
    "route_completion",
    "waypoint_hit_rate",
    "ade",
    "fde",
    "lateral_deviation_mean",
    "lateral_deviation_max",
    "jerk_mean",
    "lateral_acceleration_max",
    "speed_mean",
    "off_route",
    "timeout",
    "episode_length",
    "episode_reward",
    "reward_progress",
    "reward_goal",
    "reward_time",
    "reward_lateral_deviation",
    "reward_imitation",
    "reward_comfort",
    "reward_off_route",
)
"""Names of the metrics of an episode in the order of :func:`write_metrics`; ``displacement_1 … displacement_H`` follow."""


class EpisodeRules(NamedTuple):
    """When an episode ends and what counts as reached. Metres."""

    off_route_distance: Annotated[float, Bounds(0.01, 40.0, "m")] = 2.0
    """Farther beside the route, or behind its start, than this ends the episode."""
    waypoint_spacing: Annotated[float, Bounds(0.01, 10_000.0, "m")] = 5.0
    """Arc length between the waypoints of the route that ``waypoint_hit_rate`` counts."""
    waypoint_radius: Annotated[float, Bounds(0.01, 50.0, "m")] = 1.0
    """A waypoint is hit by passing it no farther away than this."""


@inlined
def score_plan(totals: Record, plan: np.ndarray, expert: np.ndarray, displacements: np.ndarray) -> float:
    """
    Add the displacement between a plan and the expert's plan from the same state to the totals.

    :param totals: record of :data:`~.records.TOTALS`
    :param plan: float32 ``(H, 2)``, metres
    :param expert: records of :data:`~.records.WAYPOINT` ``(H,)``, metres
    :param displacements: float64 ``(H,)``, running sums by horizon step
    :return: average displacement of this plan [m]
    """
    horizon = plan.shape[0]
    total, displacement = 0.0, 0.0
    for h in range(horizon):
        dx, dy = plan[h, 0] - expert[h].x, plan[h, 1] - expert[h].y
        displacement = math.sqrt(dx * dx + dy * dy)
        displacements[h] += displacement
        total += displacement
    totals.ade += total / horizon
    totals.fde += displacement
    return total / horizon


@inlined
def score_step(
    car: Record,
    totals: Record,
    before: tuple[float, float],
    ade: float,
    weights: tuple[float, ...],
    rules: EpisodeRules,
    dt: float,
) -> tuple[float, int]:
    """
    Reward of the step that has just brought the car here, and whether the episode goes on.

    :param car: record of :data:`~.records.CAR`, moved and projected on its route
    :param totals: record of :data:`~.records.TOTALS`
    :param before: progress [m] and acceleration [m/s²] before the step
    :param ade: average displacement of the plan that was driven [m]
    :param weights: of :class:`~.reward.RewardWeights`, in its order
    :param rules: when the episode ends
    :param dt: length of the step [s]
    :return: the reward and one of ``RUNNING``, ``GOAL``, ``OFF_ROUTE``, ``TIMEOUT``
    """
    w_progress, w_goal, w_time, w_lateral, w_imitation, w_comfort, w_off_route = weights
    deviation = abs(car.lateral)
    jerk = abs(car.acceleration - before[1]) / dt
    totals.steps += 1

    outcome = RUNNING
    # who drives away from the start backwards never leaves the route sideways
    if max(deviation, -car.progress) > rules.off_route_distance:
        outcome = OFF_ROUTE
    elif car.progress >= car.route_length:
        outcome = GOAL
    elif totals.steps >= car.max_steps:
        outcome = TIMEOUT

    progress = w_progress * (car.progress - before[0])
    goal = w_goal if outcome == GOAL else 0.0
    time = -w_time
    lateral = -w_lateral * deviation
    imitation = -w_imitation * ade
    comfort = -w_comfort * jerk
    off_route = -w_off_route if outcome == OFF_ROUTE else 0.0
    reward = progress + goal + time + lateral + imitation + comfort + off_route

    totals.progress += progress
    totals.goal += goal
    totals.time += time
    totals.lateral_deviation += lateral
    totals.imitation += imitation
    totals.comfort += comfort
    totals.off_route += off_route
    totals.reward += reward
    totals.lateral_sum += deviation
    totals.lateral_max = max(totals.lateral_max, deviation)
    totals.jerk_sum += jerk
    totals.lateral_acceleration_max = max(totals.lateral_acceleration_max, abs(car.speed * car.yaw_rate))
    totals.speed_sum += car.speed
    totals.furthest = max(totals.furthest, car.progress)
    # several in one step, where they are close; none beyond the goal, which the last step overshoots
    while (totals.waypoints_passed + 1) * rules.waypoint_spacing <= min(totals.furthest, car.route_length):
        totals.waypoints_passed += 1
        totals.waypoints_hit += deviation <= rules.waypoint_radius
    return reward, outcome


@inlined
def write_metrics(
    car: Record, totals: Record, displacements: np.ndarray, outcome: int, spacing: float, row: np.ndarray
) -> None:
    """
    The metrics of a finished episode.

    :param car: record of :data:`~.records.CAR`
    :param totals: record of :data:`~.records.TOTALS`
    :param displacements: float64 ``(H,)``, sums by horizon step
    :param outcome: how the episode ended
    :param spacing: arc length between the route's waypoints [m]
    :param row: float64 ``(len(EPISODE_METRICS) + H,)``, written
    """
    steps = totals.steps
    row[0] = outcome == GOAL
    row[1] = 1.0 if outcome == GOAL else min(max(totals.furthest / car.route_length, 0.0), 1.0)
    row[2] = totals.waypoints_hit / max(math.floor(car.route_length / spacing), 1.0)
    row[3] = totals.ade / steps
    row[4] = totals.fde / steps
    row[5] = totals.lateral_sum / steps
    row[6] = totals.lateral_max
    row[7] = totals.jerk_sum / steps
    row[8] = totals.lateral_acceleration_max
    row[9] = totals.speed_sum / steps
    row[10] = outcome == OFF_ROUTE
    row[11] = outcome == TIMEOUT
    row[12] = steps
    row[13] = totals.reward
    row[14] = totals.progress
    row[15] = totals.goal
    row[16] = totals.time
    row[17] = totals.lateral_deviation
    row[18] = totals.imitation
    row[19] = totals.comfort
    row[20] = totals.off_route
    for h in range(displacements.shape[0]):
        row[len(EPISODE_METRICS) + h] = displacements[h] / steps
