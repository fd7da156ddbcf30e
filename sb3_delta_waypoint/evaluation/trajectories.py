"""Driving chosen scenarios again, one by one, to see where a policy went."""

from collections.abc import Callable
from dataclasses import dataclass

import gymnasium as gym
import numpy as np

Policy = Callable[[dict[str, np.ndarray]], np.ndarray]
"""From one observation to a plan, (H, 2) metres."""


@dataclass(frozen=True)
class Trajectory:
    """
    One drive, world frame.

    :param path: where the car was, (T + 1, 2) metres
    :param route: the route, (P, 2) metres
    :param plans: what the policy planned at each step, (T, H, 2) metres, in the ego frame of that step
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
    """What the planner and the refined policy drove in one scenario."""

    scenario: int
    sft: Trajectory
    rl: Trajectory

    @property
    def gain(self) -> tuple[float, float]:
        """By how much the refined policy completed more of the route, to a percent, and, in a tie, drove nearer to it [m]."""
        sft, rl = self.sft.metrics, self.rl.metrics
        return (
            round(rl["route_completion"] - sft["route_completion"], 2),
            sft["lateral_deviation_mean"] - rl["lateral_deviation_mean"],
        )


def record_trajectory(policy: Policy, env: gym.Env, seed: int, scenario: int) -> Trajectory:
    """
    Drive one scenario and keep what happened.

    :param policy: from one observation to a plan, (H, 2) metres
    :param env: a scalar waypoint env
    :param seed: base seed of the scenarios
    :param scenario: the scenario's number
    :return: the drive
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
    Drive some scenarios with both policies.

    :param sft: the planner
    :param rl: the refined policy
    :param env: a scalar waypoint env
    :param seed: base seed of the scenarios
    :param scenarios: the scenarios' numbers
    :return: both drives of each
    """
    return [
        TrajectoryPair(number, record_trajectory(sft, env, seed, number), record_trajectory(rl, env, seed, number))
        for number in scenarios
    ]
