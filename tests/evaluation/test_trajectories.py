"""Driving scenarios again, and the whole way from two policies to a report."""

import json

import gymnasium as gym
import numpy as np
import pytest

from sb3_delta_waypoint.evaluation.rollout import Scenarios
from sb3_delta_waypoint.evaluation.side_by_side import compare_on_scenarios
from sb3_delta_waypoint.evaluation.trajectories import record_pairs, record_trajectory

KWARGS = {"route_length": 12.0, "horizon_steps": 10}


def straight(observations, speed=0.9):
    plan = np.zeros((*observations["state"].shape[:-1], 10, 2), dtype=np.float32)
    plan[..., 0] = speed * np.arange(1, 11)
    return plan


def following(observations):
    """Along the route: its points are 3 m apart."""
    route = observations["route"]
    return (route[..., :1, :] * np.linspace(0.1, 1.0, 10)[:, None]).astype(np.float32)


@pytest.fixture
def env():
    env = gym.make("ToyWaypoint-v0", **KWARGS)
    yield env
    env.close()


def test_a_replay_is_the_drive_that_was_evaluated(env):
    evaluated = Scenarios(6, seed=5, n_envs=4, env_kwargs=KWARGS).evaluate(straight)
    for scenario in (4, 1):
        trajectory = record_trajectory(straight, env, 5, scenario)
        assert trajectory.metrics["ade"] == evaluated["ade"][scenario]
        assert trajectory.success == evaluated["success_rate"][scenario]
        n_steps = int(evaluated["episode_length"][scenario])
        assert trajectory.path.shape == (n_steps + 1, 2) and trajectory.plans.shape == (n_steps, 10, 2)
        # begins beside the route, ends as far along it as the metrics say
        assert np.hypot(*(trajectory.path[0] - trajectory.route[0])) < 1.0
        travelled = np.hypot(*np.diff(trajectory.path, axis=0).T).sum()
        length = np.hypot(*np.diff(trajectory.route, axis=0).T).sum()
        assert travelled == pytest.approx(trajectory.metrics["route_completion"] * length, abs=2.0)
        farthest = np.hypot(*(trajectory.path[:, None] - trajectory.route[None]).transpose(2, 0, 1)).min(axis=1).max()
        assert farthest == pytest.approx(trajectory.metrics["lateral_deviation_max"], abs=0.3)


def test_pairs_meet_the_same_scenario(env):
    (pair,) = record_pairs(straight, following, env, 5, [3])
    assert pair.scenario == 3
    np.testing.assert_array_equal(pair.sft.route, pair.rl.route)
    np.testing.assert_array_equal(pair.sft.path[0], pair.rl.path[0])
    assert not np.array_equal(pair.sft.path[-1], pair.rl.path[-1])


def test_from_two_policies_to_a_report(tmp_path):
    scenarios = Scenarios(40, seed=5, n_envs=20, env_kwargs=KWARGS)
    comparison, files = compare_on_scenarios(straight, following, scenarios, tmp_path)
    assert comparison["n_scenarios"] == 40
    assert comparison["metrics"]["route_completion"]["verdict"] == "better"
    # what is not defined is null in the file
    assert json.loads((tmp_path / "comparison.json").read_text()) == json.loads(json.dumps(comparison).replace("NaN", "null"))
    assert {file.name for file in files} == {
        "comparison.json",
        "comparison.md",
        "metrics.png",
        "displacement.png",
        "trajectories.png",
    }
