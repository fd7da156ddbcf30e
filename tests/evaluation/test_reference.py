"""Times relative to the reference driver, who drives once."""

import numpy as np
import pytest

from sb3_delta_waypoint.evaluation import reference
from sb3_delta_waypoint.evaluation.reference import reference_metrics, with_times
from sb3_delta_waypoint.evaluation.rollout import Scenarios

KWARGS = {"route_length": 20.0, "horizon_steps": 10}


@pytest.fixture
def drives(monkeypatch):
    """The scenarios that the expert has driven in this test."""
    driven, drive = [], Scenarios.evaluate_expert
    monkeypatch.setattr(reference, "_driven", {})
    monkeypatch.setattr(Scenarios, "evaluate_expert", lambda self, *args: driven.append(self) or drive(self, *args))
    return driven


def test_the_reference_is_the_expert_on_the_same_scenarios(drives):
    metrics = reference_metrics(Scenarios(6, 3, 4, env_kwargs=KWARGS))
    assert metrics["success_rate"].tolist() == [1.0] * 6 and metrics["ade"].max() < 1e-3
    # twice the speed profile plus five seconds
    assert (metrics["time_limit"] > 5.0 + 0.15 * metrics["episode_length"]).all()
    few = reference_metrics(Scenarios(seed=3, n_envs=4, env_kwargs=KWARGS, numbers=[4, 1]))
    np.testing.assert_array_equal(few["time_limit"], metrics["time_limit"][[4, 1]])
    assert len(drives) == 2


def test_it_drives_once_in_a_process(drives):
    first = reference_metrics(Scenarios(4, 3, env_kwargs=KWARGS))
    # how many cars drive side by side, and what is observed, does not matter to it
    observing = {**KWARGS, "observe": ("state", "route", "signal")}
    assert reference_metrics(Scenarios(4, 3, 2, env_kwargs=observing)) is first and len(drives) == 1
    for other in (Scenarios(5, 3, env_kwargs=KWARGS), Scenarios(4, 2, env_kwargs=KWARGS), Scenarios(4, 3)):
        assert reference_metrics(other) is not first
    assert len(drives) == 4


def test_it_drives_once_for_all_reports_in_a_folder(drives, tmp_path, monkeypatch):
    scenarios = Scenarios(4, 3, env_kwargs=KWARGS)
    first = reference_metrics(scenarios, tmp_path)
    monkeypatch.setattr(reference, "_driven", {})  # as in another process
    again = reference_metrics(scenarios, tmp_path)
    assert len(drives) == 1
    for name, values in first.items():
        np.testing.assert_array_equal(values, again[name])
    # the file is of other scenarios: it is replaced
    reference_metrics(Scenarios(5, 3, env_kwargs=KWARGS), tmp_path)
    monkeypatch.setattr(reference, "_driven", {})
    reference_metrics(scenarios, tmp_path)
    assert len(drives) == 3


def test_times_by_hand():
    reached = {"success_rate": np.array([1.0, 1.0, 0.0, 0.0]), "episode_length": np.array([50.0, 60.0, 7.0, 8.0])}
    reference = {
        "success_rate": np.array([1.0, 0.0, 1.0, 0.0]),
        "episode_length": np.array([40.0, 3.0, 40.0, 3.0]),
        "time_limit": np.array([20.0, 21.0, 22.0, 23.0]),
    }
    times = with_times(reached, reference)
    np.testing.assert_array_equal(times["time_ratio"], [1.25, np.nan, np.nan, np.nan])
    np.testing.assert_allclose(times["time_with_failures"], [5.0, 6.0, 22.0, 23.0])
    del reference["time_limit"]
    assert "time_with_failures" not in with_times(reached, reference)
