"""Scoring of an episode: the reward of a step, when the episode ends, and the metrics reported at its end."""

import math
from typing import Annotated, NamedTuple

import numpy as np
from numba import literal_unroll

from sb3_delta_waypoint.bounds import Bounds
from sb3_delta_waypoint.driving.kernels import inlined, kernel
from sb3_delta_waypoint.driving.records import EPISODE, Record
from sb3_delta_waypoint.driving.reward import REWARD_TERMS, RewardWeights

RUNNING, GOAL, OFF_ROUTE, TIMEOUT, COLLISION, BLOCKED = 0, 1, 2, 3, 4, 5
"""Outcomes of a step; the simulation uses the first four only."""


class EpisodeRules(NamedTuple):
    """Rules of an episode: when it ends, and which waypoints count as hit."""

    off_route_distance: Annotated[float, Bounds(0.01, 40.0, "m")] = 2.0
    """Distance beside the route, or behind its start, beyond which the episode ends [m]."""
    waypoint_spacing: Annotated[float, Bounds(0.01, 10_000.0, "m")] = 5.0
    """Arc length between the waypoints of the route that ``waypoint_hit_rate`` counts [m]."""
    waypoint_radius: Annotated[float, Bounds(0.01, 50.0, "m")] = 1.0
    """Largest distance at which a passed waypoint counts as hit [m]."""


class Before(NamedTuple):
    """State before a step with which the step is compared."""

    progress: float
    """Arc length of the car on its route [m]."""
    acceleration: float
    """Of the car [m/s²]."""
    ade: float
    """Average displacement between the plan that is driven and the expert's [m]."""


@inlined
def score_plan(totals: Record, plan: np.ndarray, expert: np.ndarray, displacements: np.ndarray) -> float:
    """
    Add the displacement between a plan and the expert's plan from the same state to the totals.

    :param totals: record of :data:`~.records.TOTALS`
    :param plan: float32 ``(H, 2)``, metres, ego frame
    :param expert: records of :data:`~.records.WAYPOINT` ``(H,)``, metres, ego frame
    :param displacements: float64 ``(H,)``, running sums by horizon step [m], updated
    :return: average displacement of this plan [m]
    """
    horizon = plan.shape[0]
    total, displacement = 0.0, 0.0
    for h in range(horizon):
        dx, dy = plan[h, 0] - expert[h].x, plan[h, 1] - expert[h].y
        displacement = math.sqrt(dx * dx + dy * dy)
        displacements[h] += displacement
        total += displacement
    totals.ade_sum += total / horizon
    totals.fde_sum += displacement
    return total / horizon


# numba unrolls a loop only in a separate function
@kernel
def _pay(totals: Record, terms: RewardWeights) -> float:
    """Add the terms of a step's reward to the totals and return their sum."""
    reward, k = 0.0, 0
    for name in literal_unroll(REWARD_TERMS):
        totals[name] += terms[k]
        reward += terms[k]
        k += 1  # noqa: SIM113 (numba unrolls no enumerate)
    totals.reward += reward
    return reward


@kernel
def _write_terms(totals: Record, episode: Record) -> None:
    for name in literal_unroll(REWARD_TERMS):
        episode[name] = totals[name]


@inlined
def score_step(
    car: Record, totals: Record, before: Before, weights: RewardWeights, rules: EpisodeRules, dt: float
) -> tuple[float, int]:
    """
    Reward and outcome of the step that has just been made. The totals are updated.

    :param car: record of :data:`~.records.CAR`, moved and projected on its route
    :param totals: record of :data:`~.records.TOTALS`
    :param before: state before the step
    :param weights: weights of the reward's terms
    :param rules: rules of the episode
    :param dt: length of the step [s]
    :return: the reward and one of ``RUNNING``, ``GOAL``, ``OFF_ROUTE``, ``TIMEOUT``
    """
    deviation = abs(car.lateral)
    jerk = abs(car.acceleration - before.acceleration) / dt
    totals.steps += 1

    outcome = RUNNING
    # a car that drives backwards away from the start never leaves the route sideways
    if max(deviation, -car.progress) > rules.off_route_distance:
        outcome = OFF_ROUTE
    elif car.progress >= car.route_length:
        outcome = GOAL
    elif totals.steps >= car.max_steps:
        outcome = TIMEOUT

    terms = RewardWeights(
        progress=weights.progress * (car.progress - before.progress),
        goal=weights.goal if outcome == GOAL else 0.0,
        time=-weights.time,
        lateral_deviation=-weights.lateral_deviation * deviation,
        imitation=-weights.imitation * before.ade,
        comfort=-weights.comfort * jerk,
        off_route=-weights.off_route if outcome == OFF_ROUTE else 0.0,
    )
    reward = _pay(totals, terms)
    totals.lateral_sum += deviation
    totals.lateral_max = max(totals.lateral_max, deviation)
    totals.jerk_sum += jerk
    totals.lateral_acceleration_max = max(totals.lateral_acceleration_max, abs(car.speed * car.yaw_rate))
    totals.speed_sum += car.speed
    totals.furthest = max(totals.furthest, car.progress)
    # a step may pass several close waypoints; those beyond the goal, which the last step overshoots, do not count
    while (totals.waypoints_passed + 1) * rules.waypoint_spacing <= min(totals.furthest, car.route_length):
        totals.waypoints_passed += 1
        totals.waypoints_hit += deviation <= rules.waypoint_radius
    return reward, outcome


@inlined
def score_event(totals: Record, reward: float, outcome: int, weights: RewardWeights) -> float:
    """
    Correct the reward of a step that an event from outside, such as a collision, has ended.

    The event costs as much as leaving the route, and a goal reached in the same step does not count.

    :param totals: record of :data:`~.records.TOTALS` after the step, updated
    :param reward: reward of the step
    :param outcome: outcome of the step without the event
    :param weights: weights of the reward's terms
    :return: reward of the step with the event
    """
    if outcome == GOAL:
        totals.reward_goal -= weights.goal
        totals.reward -= weights.goal
        reward -= weights.goal
    totals.reward_off_route -= weights.off_route
    totals.reward -= weights.off_route
    return reward - weights.off_route


@inlined
def score_episode(car: Record, totals: Record, outcome: int, rules: EpisodeRules, episode: Record) -> None:
    """
    Write the metrics of a finished episode.

    :param car: record of :data:`~.records.CAR`
    :param totals: record of :data:`~.records.TOTALS`
    :param outcome: outcome of the last step
    :param rules: rules of the episode
    :param episode: record of :data:`~.records.EPISODE`, written
    """
    steps = totals.steps
    episode.success = outcome == GOAL
    episode.route_completion = 1.0 if outcome == GOAL else min(max(totals.furthest / car.route_length, 0.0), 1.0)
    episode.waypoint_hit_rate = totals.waypoints_hit / max(math.floor(car.route_length / rules.waypoint_spacing), 1.0)
    episode.ade = totals.ade_sum / steps
    episode.fde = totals.fde_sum / steps
    episode.lateral_deviation_mean = totals.lateral_sum / steps
    episode.lateral_deviation_max = totals.lateral_max
    episode.jerk_mean = totals.jerk_sum / steps
    episode.lateral_acceleration_max = totals.lateral_acceleration_max
    episode.speed_mean = totals.speed_sum / steps
    episode.off_route = outcome == OFF_ROUTE
    episode.timeout = outcome == TIMEOUT
    episode.episode_length = steps
    episode.episode_reward = totals.reward
    _write_terms(totals, episode)


def metric_names(horizon_steps: int) -> tuple[str, ...]:
    """
    Names of the metrics of an episode.

    :param horizon_steps: rows ``H`` of a plan
    :return: the fields of :data:`~.records.EPISODE`, then the displacements by horizon step
    """
    return (*EPISODE.names, *(f"displacement_{h + 1}" for h in range(horizon_steps)))  # type: ignore[misc]


def succeeded(outcome: np.ndarray) -> np.ndarray:
    """Whether each outcome is the goal: bool, of the outcomes' shape."""
    return outcome == GOAL


def terminated(outcome: np.ndarray) -> np.ndarray:
    """Whether each outcome ends its episode other than by the time limit: bool, of the outcomes' shape."""
    return (outcome != RUNNING) & (outcome != TIMEOUT)


def truncated(outcome: np.ndarray) -> np.ndarray:
    """Whether each outcome is the time limit: bool, of the outcomes' shape."""
    return outcome == TIMEOUT
