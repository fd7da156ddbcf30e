"""Scoring of an episode: the reward of a step, when the episode ends, and the metrics reported at its end."""

import math
from typing import Annotated, NamedTuple

import numpy as np
from numba import literal_unroll

from sb3_delta_waypoint.bounds import Bounds
from sb3_delta_waypoint.driving.closed_loop import closed_loop_score, score_terms
from sb3_delta_waypoint.driving.contacts import collide
from sb3_delta_waypoint.driving.history import BRAKING, LONGITUDINAL_JERK, look_back, remember
from sb3_delta_waypoint.driving.kernels import inlined, kernel
from sb3_delta_waypoint.driving.records import EPISODE, Record
from sb3_delta_waypoint.driving.reward import REWARD_TERMS, RewardWeights
from sb3_delta_waypoint.driving.standing import Standing
from sb3_delta_waypoint.driving.time_to_collision import BOUND, STEP, STEPS
from sb3_delta_waypoint.driving.vehicle import VehicleParameters

RUNNING, GOAL, OFF_ROUTE, TIMEOUT, COLLISION, BLOCKED = 0, 1, 2, 3, 4, 5
"""Outcomes of a step; only events from outside block a car."""
CLOSE = 2.0 * BOUND
"""Time to collision below which the reward punishes it [s]."""
USUAL_OVERSPEED = 2.5
"""Speed above the limit for which the terms of a product are moved up [m/s]; all that is worse counts alike."""


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
    ade: float = math.nan
    """Average displacement between the plan that is driven and the expert's [m]; NaN where no expert was asked."""


class Surroundings(NamedTuple):
    """What is around the car after a step."""

    agents: np.ndarray
    """The others: records of :data:`~.records.AGENT`, of any number."""
    standing: Standing
    """Where the car stands on the lanes."""
    speed_limit: float
    """[m/s], ``inf`` where there is none."""
    lights: bool
    """Whether there are traffic lights whose states are known; false in any step leaves red lights out of the score."""
    crossed_line: bool
    """Whether the car's front has crossed a stop line in this step."""
    crossed_on_red: bool
    """Whether it has done so on red."""


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
    totals.compared += 1
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


@kernel
def _multiplied(terms: RewardWeights, weights: RewardWeights, rules: EpisodeRules) -> RewardWeights:
    """
    Terms of a step whose safety terms multiply the others, so that their sum is the reward.

    The others are moved up by what an ordinary bad step costs, which is added to the term of the time.
    """
    room = (
        weights.time
        + weights.lateral_deviation * rules.off_route_distance
        + weights.comfort * LONGITUDINAL_JERK
        + weights.time_to_collision
        + weights.speed_limit * USUAL_OVERSPEED
    )
    others = terms.progress + terms.lateral_deviation + terms.imitation + terms.comfort
    others += terms.time_to_collision + terms.speed_limit
    soft = max(others + terms.time + room, 0.0)
    spared = max(1.0 + terms.collision, 0.0)
    on_route = spared * max(1.0 + terms.off_route, 0.0)
    return RewardWeights(
        progress=terms.progress,
        goal=terms.goal,
        time=soft - others,
        lateral_deviation=terms.lateral_deviation,
        imitation=terms.imitation,
        comfort=terms.comfort,
        off_route=soft * (on_route - spared),
        collision=soft * (spared - 1.0),
        red_light=soft * on_route * (max(1.0 + terms.red_light, 0.0) - 1.0),
        time_to_collision=terms.time_to_collision,
        speed_limit=terms.speed_limit,
        combine=0.0,
    )


@inlined
def score_step(
    car: Record,
    totals: Record,
    history: np.ndarray,
    before: Before,
    surroundings: Surroundings,
    vehicle: VehicleParameters,
    weights: RewardWeights,
    rules: EpisodeRules,
    dt: float,
) -> tuple[float, int]:
    """
    Reward and outcome of the step that has just been made. The totals and the history are updated.

    :param car: record of :data:`~.records.CAR`, moved and projected on its route
    :param totals: record of :data:`~.records.TOTALS`
    :param history: records of :data:`~.records.MOMENT` ``(MOMENTS,)``
    :param before: state before the step
    :param surroundings: what is around the car; of its agents, those that the car touches are marked
    :param vehicle: parameters of the car
    :param weights: weights of the reward's terms
    :param rules: rules of the episode
    :param dt: length of the step [s]
    :return: the reward and one of ``RUNNING``, ``GOAL``, ``OFF_ROUTE``, ``TIMEOUT``, ``COLLISION``
    """
    deviation = abs(car.lateral)
    jerk = abs(car.acceleration - before.acceleration) / dt
    if totals.steps == 0:
        totals.start_progress = before.progress
    totals.steps += 1
    standing = surroundings.standing
    meeting = collide(surroundings.agents, car, vehicle, standing, totals)

    outcome = RUNNING
    if meeting.at_fault:
        outcome = COLLISION
    # a car that drives backwards away from the start never leaves the route sideways
    elif max(deviation, -car.progress) > rules.off_route_distance:
        outcome = OFF_ROUTE
    elif car.progress >= car.route_length:
        outcome = GOAL
    elif totals.steps >= car.max_steps:
        outcome = TIMEOUT

    overspeed = max(car.speed - surroundings.speed_limit, 0.0)
    terms = RewardWeights(
        progress=weights.progress * (car.progress - before.progress),
        goal=weights.goal if outcome == GOAL else 0.0,
        time=-weights.time,
        lateral_deviation=-weights.lateral_deviation * deviation,
        imitation=0.0 if math.isnan(before.ade) else -weights.imitation * before.ade,
        comfort=-weights.comfort * jerk,
        off_route=-weights.off_route if outcome == OFF_ROUTE else 0.0,
        collision=-weights.collision if meeting.at_fault else 0.0,
        red_light=-weights.red_light if surroundings.crossed_on_red else 0.0,
        time_to_collision=-weights.time_to_collision * max(1.0 - meeting.time_to_collision / CLOSE, 0.0),
        speed_limit=-weights.speed_limit * overspeed,
        combine=0.0,
    )
    reward = _pay(totals, terms if weights.combine == 0.0 else _multiplied(terms, weights, rules))
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
    totals.time_to_collision_min = min(totals.time_to_collision_min, meeting.time_to_collision)
    totals.steps_off_area += not standing.on_area
    totals.steps_off_lane += not standing.in_lane
    totals.steps_directed += standing.directed
    totals.steps_limited += surroundings.speed_limit < math.inf
    totals.overspeed_sum += overspeed
    totals.steps_unlit += not surroundings.lights
    totals.stop_lines += surroundings.crossed_line
    totals.red_lights += surroundings.crossed_on_red
    totals.steps_braking += car.acceleration < -BRAKING
    remember(history, car, totals, standing, dt)
    return reward, outcome


@inlined
def score_event(totals: Record, reward: float, outcome: int, event: int, weights: RewardWeights, counted: bool) -> float:
    """
    Correct the reward of a step that an event from outside, such as a collision, has ended.

    The event costs as much as leaving the route, and a goal reached in the same step does not count. A collision with
    something that is not among the others is taken for the car's fault.

    :param totals: record of :data:`~.records.TOTALS` after the step, updated
    :param reward: reward of the step
    :param outcome: outcome of the step without the event
    :param event: the outcome that the event makes of it
    :param weights: weights of the reward's terms
    :param counted: whether the contacts of this step have been counted already
    :return: reward of the step with the event
    """
    if event == COLLISION and not counted and totals.fault_vehicle + totals.fault_vulnerable + totals.fault_object == 0:
        totals.hit_vehicle += 1
        totals.fault_vehicle += 1
        totals.gap_min = totals.time_to_collision_min = 0.0
    if outcome == GOAL:
        totals.reward_goal -= weights.goal
        totals.reward -= weights.goal
        reward -= weights.goal
    cost = weights.off_route
    if weights.combine != 0.0:
        cost = reward * min(weights.off_route, 1.0)
    totals.reward_off_route -= cost
    totals.reward -= cost
    return reward - cost


@inlined
def score_episode(
    car: Record,
    totals: Record,
    history: np.ndarray,
    outcome: int,
    rules: EpisodeRules,
    reference: float,
    dt: float,
    episode: Record,
) -> None:
    """
    Write the metrics of a finished episode.

    :param car: record of :data:`~.records.CAR`
    :param totals: record of :data:`~.records.TOTALS`
    :param history: records of :data:`~.records.MOMENT` ``(MOMENTS,)``, what is left of it is looked at
    :param outcome: outcome of the last step
    :param rules: rules of the episode
    :param reference: progress of the reference on the route [m], such as the route's length
    :param dt: length of a step [s]
    :param episode: record of :data:`~.records.EPISODE`, written
    """
    steps = totals.steps
    episode.success = outcome == GOAL
    episode.route_completion = 1.0 if outcome == GOAL else min(max(totals.furthest / car.route_length, 0.0), 1.0)
    episode.waypoint_hit_rate = totals.waypoints_hit / max(math.floor(car.route_length / rules.waypoint_spacing), 1.0)
    episode.ade = totals.ade_sum / totals.compared
    episode.fde = totals.fde_sum / totals.compared
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
    look_back(history, totals, dt, True)
    _write_score(car, totals, outcome, reference, dt, episode)


@kernel
def _write_score(car: Record, totals: Record, outcome: int, reference: float, dt: float, episode: Record) -> None:
    """Write the closed-loop score, its terms, and what stands beside it."""
    terms = score_terms(car, totals, outcome == GOAL, reference)
    episode.closed_loop_score = closed_loop_score(terms)
    episode.closed_loop_score_without_lights = closed_loop_score(terms, False)
    episode.closed_loop_score_without_comfort = closed_loop_score(terms, True, False)
    episode.score_no_at_fault_collision = terms.no_at_fault_collision
    episode.score_drivable_area = terms.drivable_area
    episode.score_making_progress = terms.making_progress
    episode.score_driving_direction = terms.driving_direction
    episode.score_red_light = terms.red_light
    episode.score_progress = terms.progress
    episode.score_time_to_collision = terms.time_to_collision
    episode.score_speed_limit = terms.speed_limit
    episode.score_comfort = terms.comfort
    hits = totals.hit_vehicle + totals.hit_vulnerable + totals.hit_object
    episode.collision = hits
    episode.collision_at_fault = totals.fault_vehicle + totals.fault_vulnerable + totals.fault_object > 0
    episode.collision_vehicle = totals.hit_vehicle
    episode.collision_vulnerable = totals.hit_vulnerable
    episode.collision_pedestrian = totals.hit_pedestrian
    episode.collision_static = totals.hit_object
    # nothing is looked for beyond the last moment
    episode.time_to_collision_min = min(totals.time_to_collision_min, STEP * (STEPS + 1))
    episode.gap_min = totals.gap_min if totals.gap_min < math.inf else math.nan
    episode.harsh_braking_share = totals.steps_braking / totals.steps
    episode.red_light = totals.red_lights
    episode.stop_lines = totals.stop_lines
    episode.off_area_time = totals.steps_off_area * dt
    episode.off_lane_time = totals.steps_off_lane * dt


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
