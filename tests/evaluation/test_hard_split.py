"""The hard split, and its file."""

import hashlib
import json

import numpy as np
import pytest

from sb3_delta_waypoint.evaluation.hard_split import hard_numbers, read_scenarios, save_scenarios
from sb3_delta_waypoint.evaluation.rollout import Scenarios


def test_two_of_three_must_fail():
    fine = {"collision_at_fault": np.zeros(5), "closed_loop_score": np.full(5, 100.0)}
    collides = {"collision_at_fault": np.array([1.0, 0, 0, 1, 0]), "closed_loop_score": np.full(5, 100.0)}
    slow = {"collision_at_fault": np.zeros(5), "closed_loop_score": np.array([49.0, 30.0, 50.0, 100.0, 100.0])}
    assert hard_numbers([fine, collides, slow]) == [0]
    assert hard_numbers([fine, collides, slow], at_least=1) == [0, 1, 3]
    assert hard_numbers([collides, collides, fine]) == [0, 3]
    # an undefined score is no failure
    slow["closed_loop_score"][0] = np.nan
    assert hard_numbers([fine, collides, slow]) == []


def test_without_a_score_success_decides():
    assert hard_numbers([{"success_rate": np.array([0.0, 1.0, 0.0])}, {"success_rate": np.array([0.0, 0.0, 1.0])}]) == [0]


def test_the_file_brings_all_that_a_scenario_is(tmp_path):
    planner = tmp_path / "model.pt"
    planner.write_bytes(b"weights")
    kwargs = {"route_length": 30, "observe": ("state",), "horizon_steps": 5, "plan_dt": 0.2}
    chosen_from = Scenarios(100, 8, env_id="ToyWaypoint-v0", env_kwargs=kwargs)
    path = save_scenarios(tmp_path / "out" / "hard.json", chosen_from, [3, 41], [planner])
    scenarios = read_scenarios(path)
    assert (scenarios.env_id, scenarios.seed, scenarios.numbers, scenarios.n) == ("ToyWaypoint-v0", 8, [3, 41], 2)
    # what the policy decides is not part of a scenario
    assert scenarios.env_kwargs == {"route_length": 30}
    content = json.loads(path.read_text())
    assert content["planners"] == {str(planner): hashlib.sha256(b"weights").hexdigest()} and content["chosen_from"] == 100


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": "other"}, "is not a list of scenarios"),
        ({"numbers": []}, r"numbers is \[\], expected scenario numbers"),
        ({"numbers": [1, -2]}, "expected scenario numbers"),
        ({"numbers": [True]}, "expected scenario numbers"),
        ({"seed": "1"}, "seed is '1', expected int"),
    ],
)
def test_what_is_no_such_file(tmp_path, change, said):
    path = save_scenarios(tmp_path / "hard.json", Scenarios(10), [3], [])
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ValueError, match=said):
        read_scenarios(path)
    with pytest.raises(FileNotFoundError, match="no list of scenarios"):
        read_scenarios(tmp_path / "nowhere.json")
