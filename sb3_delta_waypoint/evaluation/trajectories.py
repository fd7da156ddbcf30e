"""Driving single scenarios again to record the trajectories."""

from collections.abc import Callable
from dataclasses import dataclass

import gymnasium as gym
import numpy as np

Policy = Callable[[dict[str, np.ndarray]], np.ndarray]
"""A function from one observation to a plan, (H, 2) metres, ego frame."""


@dataclass(frozen=True)
class Trajectory:
    """
    The trajectory of one drive.

    :param path: positions of the car, (T + 1, 2) metres, world frame
    :param route: the route, (P, 2) metres, world frame
    :param plans: the policy's plan at each step, (T, H, 2) metres, in the ego frame of that step
    :param metrics: the episode's metrics
    """

    path: np.ndarray
    route: np.ndarray
    plans: np.ndarray
    metrics: dict[str, float]

    @property
    def success(self) -> bool:
        """Whether the goal was reached."""
        return bool(self.metrics["success"])


@dataclass(frozen=True)
class TrajectoryPair:
    """The trajectories of the planner and of the refined policy in one scenario."""

    scenario: int
    sft: Trajectory
    rl: Trajectory

    @property
    def gain(self) -> tuple[float, float]:
        """Gain of the refined policy: in route completion, rounded to a percent, and, in a tie, in lateral deviation [m]."""
        sft, rl = self.sft.metrics, self.rl.metrics
        return (
            round(rl["route_completion"] - sft["route_completion"], 2),
            sft["lateral_deviation_mean"] - rl["lateral_deviation_mean"],
        )


def record_trajectory(policy: Policy, env: gym.Env, seed: int, scenario: int) -> Trajectory:
    """
    Drive one scenario and record the trajectory.

    :param policy: a function from one observation to a plan, (H, 2) metres, ego frame
    :param env: a scalar waypoint env
    :param seed: base seed of the scenarios
    :param scenario: number of the scenario
    :return: the trajectory
    """
    observation, _ = env.reset(seed=seed, options={"scenario": scenario})
    drive = env.unwrapped.drive  # type: ignore[attr-defined]
    car, n_points = drive.cars[0], drive.cars[0]["n_points"]
    route = drive.routes[0][:n_points]
    path, plans, done = [(car["x"], car["y"])], [], False
    info: dict = {}
    while not done:
        plan = policy(observation)
        observation, _, terminated, truncated, info = env.step(plan)
        plans.append(plan)
        path.append((car["x"], car["y"]))
        done = terminated or truncated
    return Trajectory(
        path=np.array(path),
        route=np.column_stack([route["x"], route["y"]]),
        plans=np.array(plans),
        metrics=info["episode_metrics"],
    )


def record_pairs(sft: Policy, rl: Policy, env: gym.Env, seed: int, scenarios: list[int]) -> list[TrajectoryPair]:
    """
    Drive scenarios with both policies and record the trajectories.

    :param sft: the planner
    :param rl: the refined policy
    :param env: a scalar waypoint env
    :param seed: base seed of the scenarios
    :param scenarios: numbers of the scenarios
    :return: the pair of trajectories of each scenario
    """
    return [
        TrajectoryPair(number, record_trajectory(sft, env, seed, number), record_trajectory(rl, env, seed, number))
        for number in scenarios
    ]
