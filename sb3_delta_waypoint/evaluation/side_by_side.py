"""A report of two policies: both drive the same scenarios, and the scenarios where they differ most once more for the plot."""

from pathlib import Path

import gymnasium as gym
import numpy as np

from sb3_delta_waypoint.evaluation.compare import Comparison, compare, most_different
from sb3_delta_waypoint.evaluation.reference import reference_metrics, with_times
from sb3_delta_waypoint.evaluation.report import write_report
from sb3_delta_waypoint.evaluation.rollout import BatchPolicy, Scenarios
from sb3_delta_waypoint.evaluation.trajectories import record_pairs
from sb3_delta_waypoint.policies.inference import WaypointPolicy

N_TRAJECTORIES = 6
"""Number of scenarios that are drawn."""


def compare_on_scenarios(
    sft: BatchPolicy,
    rl: BatchPolicy,
    scenarios: Scenarios,
    folder: str | Path,
    progress: bool = False,
    reference: bool = False,
) -> tuple[Comparison, list[Path]]:
    """
    Drive a planner and its refinement through the same scenarios and write the report.

    :param sft: the planner, a function from observations to plans, one ((H, 2) metres) or a batch ((n, H, 2) metres)
    :param rl: the refined policy, a function of the same kind
    :param scenarios: the scenarios
    :param folder: folder for ``comparison.json``, ``comparison.md`` and the plots
    :param progress: whether to show progress bars
    :param reference: whether to drive the env's expert, too, and compare the times to the goal with its own
    :return: the comparison and the paths of the files
    """
    before, after = (scenarios.evaluate(policy, progress) for policy in (sft, rl))
    if reference:
        driven = reference_metrics(scenarios, folder, progress)
        before, after = (with_times(metrics, driven) for metrics in (before, after))
    comparison = compare(before, after)
    if scenarios.backend is not None:
        comparison["backend"] = scenarios.backend
    env = gym.make(scenarios.env_id, **scenarios.env_kwargs)
    try:
        pairs = []
        if hasattr(env.unwrapped, "drive"):  # only the paths of such envs can be drawn
            numbers = most_different(before, after, N_TRAJECTORIES)
            if scenarios.numbers is not None:
                numbers = [scenarios.numbers[row] for row in numbers]
            pairs = record_pairs(sft, rl, env, scenarios.seed, numbers)
    finally:
        env.close()
    return comparison, write_report(comparison, folder, scenarios.env_kwargs.get("plan_dt", 0.1), pairs)


def planner_inside(policy: WaypointPolicy) -> BatchPolicy:
    """
    Return the frozen planner inside a refined policy.

    :param policy: the refined policy
    :return: its planner, a function from observations to plans
    """

    def planner(observations: dict[str, np.ndarray]) -> np.ndarray:
        return policy(observations, parts=True).sft_waypoints

    return planner
