"""Open-loop errors on recorded episodes."""

from pathlib import Path

import numpy as np
import pytest

from sb3_delta_waypoint.episodes.reader import Episode
from sb3_delta_waypoint.evaluation.open_loop import evaluate_open_loop, open_loop_name

H = 4


def episode(name, n_frames, sideways):
    """Frames whose expert goes straight ahead; the state says how far the policy of these tests errs."""
    waypoints = np.zeros((n_frames, H, 2), dtype=np.float32)
    waypoints[:, :, 0] = np.arange(1, H + 1)
    state = np.zeros((n_frames, 4), dtype=np.float32)
    state[:, 0] = sideways
    observations = {"state": state, "route": np.zeros((n_frames, 10, 2), dtype=np.float32)}
    return Episode(name, "toy", {}, Path(f"{name}.json"), np.arange(n_frames) * 0.1, observations, waypoints, 0.1)


def erring(observations):
    """Errs sideways by the first state times the step."""
    plan = np.zeros((len(observations["state"]), H, 2))
    plan[:, :, 0] = np.arange(1, H + 1)
    plan[:, :, 1] = observations["state"][:, :1] * np.arange(1, H + 1)
    return plan


def test_means_over_the_frames_of_each_episode():
    metrics = evaluate_open_loop(erring, [episode("a", 2, [1.0, 3.0]), episode("b", 3, 0.5)])
    np.testing.assert_allclose(metrics["open_loop_ade"], [2 * 2.5, 0.5 * 2.5])
    np.testing.assert_allclose(metrics["open_loop_fde"], [2 * 4.0, 0.5 * 4.0])
    np.testing.assert_allclose(metrics["open_loop_displacement_3"], [2 * 3.0, 0.5 * 3.0])
    assert [name for name in metrics if "displacement" in name] == [f"open_loop_displacement_{step}" for step in (1, 2, 3, 4)]


def test_another_horizon_is_named():
    with pytest.raises(ValueError, match=r"a\.json: the policy plans 2 steps, the episode holds 4"):
        evaluate_open_loop(lambda observations: np.zeros((1, 2, 2)), [episode("a", 1, 0.0)])


def test_another_plan_dt_is_named():
    def slow(observations):
        return erring(observations)

    slow.plan_dt = 0.2
    with pytest.raises(ValueError, match=r"a\.json: the policy's waypoints are 0\.2 s apart, the episode's 0\.1 s"):
        evaluate_open_loop(slow, [episode("a", 1, 0.0)])


def test_no_episodes():
    with pytest.raises(ValueError, match="at least one episode"):
        evaluate_open_loop(erring, [])


def test_short_names_of_open_loop_metrics():
    assert open_loop_name("ade") == "open_loop_ade"
    assert open_loop_name("displacement_3") == "open_loop_displacement_3"
    assert open_loop_name("open_loop_fde") == "open_loop_fde"
