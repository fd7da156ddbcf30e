"""Every metric of an episode, computed again in NumPy from what was observed, planned and rewarded on the way."""

from typing import NamedTuple

import numpy as np
import pytest

from sb3_delta_waypoint.driving.measured_drive import MeasuredDrive, Measurement
from sb3_delta_waypoint.driving.reward import RewardWeights
from sb3_delta_waypoint.driving.score import EpisodeRules, metric_names
from sb3_delta_waypoint.envs import ToyWaypointEnv
from tests.driving.scoring import comfortable

WEIGHTS = RewardWeights(0.3, 7.0, 0.02, 0.11, 0.13, 0.017, 3.0)
SPACING, RADIUS, OFF_ROUTE = 7.0, EpisodeRules().waypoint_radius, 1.5


class Step(NamedTuple):
    """Before or after a step: speed, yaw rate, acceleration, position, yaw."""

    speed: float
    yaw_rate: float
    acceleration: float
    x: float
    y: float
    yaw: float


def on_route(route: np.ndarray, x: float, y: float) -> tuple[float, float]:
    """Arc length and offset to the left of the nearest place on a polyline of points 1 m apart, which goes on for 3 m."""
    ahead = np.diff(route, axis=0)
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    beyond = np.array([x, y]) - route[:-1]
    along = (beyond * ahead).sum(axis=1)
    low, high = np.zeros(len(ahead)), np.ones(len(ahead))
    low[0], high[-1] = -3.0, 3.0
    nearest = np.linalg.norm(beyond - np.clip(along, low, high)[:, None] * ahead, axis=1).argmin()
    return nearest + along[nearest], float(ahead[nearest, 0] * beyond[nearest, 1] - ahead[nearest, 1] * beyond[nearest, 0])


def recomputed(route: np.ndarray, trace: list[Step], plans: np.ndarray, experts: np.ndarray, limit: int) -> dict[str, float]:
    """By the definitions in the documentation; ``trace`` has one entry more than there are steps."""
    steps, length = len(trace) - 1, len(route) - 1.0
    progress, lateral = np.array([on_route(route, step.x, step.y) for step in trace]).T
    lateral = np.abs(lateral[1:])
    jerk = np.abs(np.diff([step.acceleration for step in trace])) / 0.1
    displacement = np.linalg.norm(plans.astype(float) - experts, axis=2)
    off_route = float(lateral[-1] > OFF_ROUTE)
    success = float(not off_route and progress[-1] >= length)
    furthest = np.maximum.accumulate(progress[1:])
    hits = 0
    for number in range(1, int(length // SPACING) + 1):
        passed = furthest >= number * SPACING
        hits += bool(passed.any() and lateral[passed.argmax()] <= RADIUS)
    terms = {
        "progress": WEIGHTS.progress * (progress[-1] - progress[0]),
        "goal": WEIGHTS.goal * success,
        "time": -WEIGHTS.time * steps,
        "lateral_deviation": -WEIGHTS.lateral_deviation * lateral.sum(),
        "imitation": -WEIGHTS.imitation * displacement.mean(axis=1).sum(),
        "comfort": -WEIGHTS.comfort * jerk.sum(),
        "off_route": -WEIGHTS.off_route * off_route,
        **dict.fromkeys(("collision", "red_light", "time_to_collision", "speed_limit"), 0.0),
    }
    return {
        "success": success,
        "route_completion": 1.0 if success else max(furthest[-1], 0.0) / length,
        "waypoint_hit_rate": hits / (length // SPACING),
        "ade": displacement.mean(),
        "fde": displacement[:, -1].mean(),
        "lateral_deviation_mean": lateral.mean(),
        "lateral_deviation_max": lateral.max(),
        "jerk_mean": jerk.mean(),
        "lateral_acceleration_max": max(abs(step.speed * step.yaw_rate) for step in trace[1:]),
        "speed_mean": np.mean([step.speed for step in trace[1:]]),
        "off_route": off_route,
        "timeout": float(not off_route and not success and steps >= limit),
        **score(route, trace, success),
        "episode_reward": sum(terms.values()),
        **{f"reward_{name}": value for name, value in terms.items()},
        **{f"displacement_{h + 1}": displacement[:, h].mean() for h in range(plans.shape[1])},
    }


def outermost(route: np.ndarray, step: Step) -> float:
    """Largest distance of a corner of the car's box from the route, to either side."""
    ahead, left = np.array([np.cos(step.yaw), np.sin(step.yaw)]), np.array([-np.sin(step.yaw), np.cos(step.yaw)])
    corners = [(step.x, step.y) + forward * ahead + side * left for forward in (3.7, -1.0) for side in (0.95, -0.95)]
    return max(abs(on_route(route, *corner)[1]) for corner in corners)


def score(route: np.ndarray, trace: list[Step], success: float) -> dict[str, float]:
    """The closed-loop score of a car alone on its route, without lanes, limits and lights."""
    steps, moved = len(trace) - 1, on_route(route, trace[-1].x, trace[-1].y)[0] - on_route(route, trace[0].x, trace[0].y)[0]
    progress = 1.0 if success else min(1.0, max(moved, 2.0) / (len(route) - 1.0))
    far = np.array([outermost(route, step) for step in trace[1:]])
    drivable, making = float(not (far > OFF_ROUTE + 0.3).any()), float(progress >= 0.2)
    forward = np.array([step.acceleration for step in trace[1:]])
    across = np.array([step.speed * step.yaw_rate for step in trace[1:]])
    comfort = float(comfortable(forward, across, np.array([step.yaw for step in trace[1:]])))
    product = drivable * making
    return {
        "closed_loop_score": 100 * product * (5 * progress + 5 + 2 * comfort) / 12,
        "closed_loop_score_without_lights": 100 * product * (5 * progress + 5 + 2 * comfort) / 12,
        "closed_loop_score_without_comfort": 100 * product * (5 * progress + 5) / 10,
        "score_drivable_area": drivable,
        "score_making_progress": making,
        "score_progress": progress,
        "score_comfort": comfort,
        **dict.fromkeys(("score_no_at_fault_collision", "score_time_to_collision"), 1.0),
        **dict.fromkeys(("score_driving_direction", "score_red_light", "score_speed_limit", "gap_min"), np.nan),
        **dict.fromkeys(("collision", "collision_at_fault", "red_light", "stop_lines"), 0.0),
        **{f"collision_{kind}": 0.0 for kind in ("vehicle", "vulnerable", "pedestrian", "static")},
        "time_to_collision_min": 3.0,
        "harsh_braking_share": np.mean(forward < -4.05),
        "off_area_time": 0.1 * (far > OFF_ROUTE + 0.3).sum(),
        "off_lane_time": 0.1 * (far > OFF_ROUTE).sum(),
        "episode_length": float(steps),
    }


def drivers(name: str, expert: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Plans of a car that reaches the goal, one that leaves the route, and one that runs out of time."""
    if name == "goal":
        return (expert + rng.normal(0.0, 0.15, expert.shape)).astype(np.float32)
    if name == "off_route":
        return (expert + np.linspace(0.0, 3.0, len(expert))[:, None] * [0.0, 1.0]).astype(np.float32)
    return (0.3 * expert).astype(np.float32)


CONFIG = {
    "route_length": 60.0,
    "waypoint_spacing": SPACING,
    "off_route_distance": OFF_ROUTE,
    "reward": WEIGHTS,
    "start": {"lateral": 0.9},
}


@pytest.mark.parametrize("scenario", [0, 1, 2])
@pytest.mark.parametrize("driver", ["goal", "off_route", "timeout"])
def test_every_metric_of_the_simulated_and_of_the_measured_drive(driver, scenario):
    env, rng = ToyWaypointEnv(**CONFIG), np.random.default_rng(scenario)
    observation, _ = env.reset(seed=5, options={"scenario": scenario})
    simulation = env.simulation
    car = simulation.cars[0]
    route = np.stack([simulation.routes[0][name] for name in "xy"], axis=1)

    def look(state: np.ndarray) -> Step:
        return Step(float(state[0]), float(state[2]), float(state[3]), *(float(car[name]) for name in ("x", "y", "yaw")))

    # the same drive, measured: one point more, since the last whole metre may be lost by rounding
    measured = MeasuredDrive(simulation.config)
    points = np.vstack([route, 2 * route[-1] - route[-2]])
    measured.begin(points, np.full(len(points), np.inf), seed=0, scenario=scenario, longest=60.0)
    measured.settle(Measurement(*(float(car[name]) for name in ("x", "y", "yaw", "speed", "yaw_rate"))))

    trace, plans, experts, done, rewards = [look(observation["state"])], [], [], False, []
    limit = int(car["max_steps"])
    while not done:
        experts.append(env.expert_plan())
        plans.append(drivers(driver, experts[-1], rng))
        measured.command(plans[-1])
        observation, reward, terminated, truncated, info = env.step(plans[-1])
        measured.move(Measurement(*(float(car[name]) for name in ("x", "y", "yaw", "speed", "yaw_rate"))))
        _, _, outcome = measured.judge()
        trace.append(look(observation["state"]))
        rewards.append(reward)
        done = terminated or truncated
    metrics = info["episode_metrics"]
    assert metrics[driver if driver != "goal" else "success"] == 1.0, "the driver does what it is here for"
    expected = recomputed(route, trace, np.array(plans), np.array(experts), limit)
    assert sorted(expected) == sorted(metric_names(20))
    again = measured.metrics(outcome)
    for name in ("off_area_time", "off_lane_time"):
        # a corner is compared with the route where the route point beside it points
        assert metrics.pop(name) == pytest.approx(again.pop(name)) == pytest.approx(expected.pop(name), abs=0.21)
    assert metrics == pytest.approx(expected, rel=2e-4, abs=2e-4, nan_ok=True)
    assert metrics["episode_reward"] == pytest.approx(sum(rewards))
    assert again == pytest.approx(expected, rel=2e-4, abs=2e-3, nan_ok=True)
