"""Results of carla-eval on disk: what a damaged file is told from."""

import json

import pytest

pytest.importorskip("carla")

# ruff: noqa: E402 (the import below needs it)

from sb3_delta_waypoint.evaluation.carla.results import ScenarioResults

EPISODE = {"policy": "sft", "episode": 0, "metrics": {"distance": 9.0, "ade": None}, "infractions": [{"kind": "red_light"}]}
RESULT = {
    **{"backend": "loopback", "server_version": "0.9.16", "client_version": "0.9.16", "town": "Town01"},
    **{"settings": {"seed": 1}, "n_episodes": 2, "faults": [], "episodes": [EPISODE]},
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "scenario_ahead.json"


def test_a_result_is_read_again(path):
    path.write_text(json.dumps({**RESULT, "n_episodes": 2.0}))
    results = ScenarioResults(path, "ahead", {"seed": 1})
    assert (results.wanted, results.episodes, results.server["town"]) == (2, [EPISODE], "Town01")
    assert results.left(["sft"]) == [(1, "sft")]
    assert results.summary(["sft"])["metrics"]["distance"]["mean"] == 9.0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"n_episodes": 10**12}, "n_episodes: 1000000000000 is greater than"),
        ({"n_episodes": "2"}, "n_episodes: '2' is not of type"),
        ({"episodes": {}}, "episodes: {} is not of type 'array'"),
        ({"episodes": [3]}, "episodes.0: 3 is not of type 'object'"),
        ({"episodes": [{**EPISODE, "metrics": {"distance": 10**400}}]}, "episodes.0.metrics.distance: 1000.* … "),
        ({"episodes": [{**EPISODE, "metrics": {"distance": "far"}}]}, "episodes.0.metrics.distance: 'far' is not of type"),
        ({"episodes": [{**EPISODE, "metrics": {"distance": None}}]}, "episodes.0.metrics.distance: None is not of type"),
        ({"episodes": [{**EPISODE, "infractions": ["red_light"]}]}, "episodes.0.infractions.0: 'red_light' is not"),
        ({"episodes": [EPISODE, {**EPISODE, "metrics": {"distance": 1.0}}]}, "its episodes have different metrics"),
        ({"settings": None}, "settings: None is not of type 'object'"),
        ({"town": ["Town01"]}, "town: .* is not of type 'string'"),
    ],
)
def test_a_damaged_result_is_named(path, change, said):
    path.write_text(json.dumps({**RESULT, **change}))
    with pytest.raises(
        ValueError, match=rf"scenario_ahead.json is not a result of carla-eval, or is damaged: remove it \({said}"
    ):
        ScenarioResults(path, "ahead", {"seed": 1})


def test_a_result_that_is_nested_too_deeply_is_named(path):
    path.write_text("[" * 100_000)
    with pytest.raises(ValueError, match="scenario_ahead.json is not a result .*nested too deeply"):
        ScenarioResults(path, "ahead", {"seed": 1})
