"""From two policies to a report: both drive the same scenarios, and those where they differ most are driven again."""

from pathlib import Path

import gymnasium as gym
import numpy as np

from sb3_delta_waypoint.evaluation.compare import Comparison, compare, most_different
from sb3_delta_waypoint.evaluation.report import write_report
from sb3_delta_waypoint.evaluation.rollout import BatchPolicy, Scenarios
from sb3_delta_waypoint.evaluation.trajectories import record_pairs
from sb3_delta_waypoint.policies.inference import WaypointPolicy

N_TRAJECTORIES = 6
"""Scenarios that are drawn."""


def compare_on_scenarios(
    sft: BatchPolicy, rl: BatchPolicy, scenarios: Scenarios, folder: str | Path, progress: bool = False
) -> tuple[Comparison, list[Path]]:
    """
    Drive a planner and its refinement through the same scenarios and write the report.

    :param sft: the planner, from observations to plans, one ((H, 2) metres) or a batch ((n, H, 2))
    :param rl: the refined policy, likewise
    :param scenarios: where they drive
    :param folder: for ``comparison.json``, ``comparison.md`` and the plots
    :param progress: show progress bars
    :return: the comparison and the files
    """
    before, after = (scenarios.evaluate(policy, progress) for policy in (sft, rl))
    comparison = compare(before, after)
    if scenarios.backend is not None:
        comparison["backend"] = scenarios.backend
    env = gym.make(scenarios.env_id, **scenarios.env_kwargs)
    try:
        pairs = []
        if hasattr(env.unwrapped, "drive"):  # whose paths can be drawn
            numbers = most_different(before, after, N_TRAJECTORIES)
            pairs = record_pairs(sft, rl, env, scenarios.seed, numbers)
    finally:
        env.close()
    return comparison, write_report(comparison, folder, scenarios.env_kwargs.get("plan_dt", 0.1), pairs)


def planner_inside(policy: WaypointPolicy) -> BatchPolicy:
    """
    The frozen planner that a refined policy carries.

    :param policy: the refined policy
    :return: its planner, from observations to plans
    """

    def planner(observations: dict[str, np.ndarray]) -> np.ndarray:
        return policy(observations, parts=True).sft_waypoints

    return planner
