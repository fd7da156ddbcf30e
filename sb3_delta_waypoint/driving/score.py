"""One episode: what a step earns, when it ends, and the metrics that are reported at its end."""

import math
from typing import Annotated, NamedTuple

import numpy as np
from numba import literal_unroll

from sb3_delta_waypoint.bounds import Bounds
from sb3_delta_waypoint.driving.kernels import inlined, kernel
from sb3_delta_waypoint.driving.records import EPISODE, Record
from sb3_delta_waypoint.driving.reward import REWARD_TERMS, RewardWeights

RUNNING, GOAL, OFF_ROUTE, TIMEOUT, COLLISION, BLOCKED = 0, 1, 2, 3, 4, 5
"""How a step leaves the episode; the simulation knows the first four."""


class EpisodeRules(NamedTuple):
    """When an episode ends and what counts as reached. Metres."""

    off_route_distance: Annotated[float, Bounds(0.01, 40.0, "m")] = 2.0
    """Farther beside the route, or behind its start, than this ends the episode."""
    waypoint_spacing: Annotated[float, Bounds(0.01, 10_000.0, "m")] = 5.0
    """Arc length between the waypoints of the route that ``waypoint_hit_rate`` counts."""
    waypoint_radius: Annotated[float, Bounds(0.01, 50.0, "m")] = 1.0
    """A waypoint is hit by passing it no farther away than this."""


class Before(NamedTuple):
    """What a step is compared with: the car before it, and the plan that it drove."""

    progress: float
    """[m]"""
    acceleration: float
    """[m/s²]"""
    ade: float
    """Average displacement of the plan from the expert's plan [m]."""


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
    totals.ade_sum += total / horizon
    totals.fde_sum += displacement
    return total / horizon


# numba unrolls only in functions of their own
@kernel
def _pay(totals: Record, terms: RewardWeights) -> float:
    """Add what each term of the reward gives in a step to the totals; the sum of them."""
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
    Reward of the step that has just brought the car here, and whether the episode goes on.

    :param car: record of :data:`~.records.CAR`, moved and projected on its route
    :param totals: record of :data:`~.records.TOTALS`
    :param before: the car before the step, and its plan
    :param weights: of the reward's terms
    :param rules: when the episode ends
    :param dt: length of the step [s]
    :return: the reward and one of ``RUNNING``, ``GOAL``, ``OFF_ROUTE``, ``TIMEOUT``
    """
    deviation = abs(car.lateral)
    jerk = abs(car.acceleration - before.acceleration) / dt
    totals.steps += 1

    outcome = RUNNING
    # who drives away from the start backwards never leaves the route sideways
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
    # several in one step, where they are close; none beyond the goal, which the last step overshoots
    while (totals.waypoints_passed + 1) * rules.waypoint_spacing <= min(totals.furthest, car.route_length):
        totals.waypoints_passed += 1
        totals.waypoints_hit += deviation <= rules.waypoint_radius
    return reward, outcome


@inlined
def score_event(totals: Record, reward: float, outcome: int, weights: RewardWeights) -> float:
    """
    What an event from outside, such as a collision, costs in the step that it ends: as much as leaving the route, and the
    goal is not reached.

    :param totals: record of :data:`~.records.TOTALS`, of the scored step
    :param reward: of that step
    :param outcome: how the step had left the episode
    :param weights: of the reward's terms
    :return: the reward with the event
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
    The metrics of a finished episode.

    :param car: record of :data:`~.records.CAR`
    :param totals: record of :data:`~.records.TOTALS`
    :param outcome: how the episode ended
    :param rules: when it ends, and what counts as reached
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
    :param horizon_steps: rows ``H`` of a plan
    :return: names of an episode's metrics, those of :data:`~.records.EPISODE` and the displacement by horizon step
    """
    return (*EPISODE.names, *(f"displacement_{h + 1}" for h in range(horizon_steps)))  # type: ignore[misc]


def succeeded(outcome: np.ndarray) -> np.ndarray:
    """Whether an episode ended at the goal, from its outcome."""
    return outcome == GOAL


def terminated(outcome: np.ndarray) -> np.ndarray:
    """Whether an episode ended by itself, from its outcome."""
    return (outcome != RUNNING) & (outcome != TIMEOUT)


def truncated(outcome: np.ndarray) -> np.ndarray:
    """Whether an episode was cut off by its time limit, from its outcome."""
    return outcome == TIMEOUT
