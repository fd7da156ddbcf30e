"""The panel: the same scenarios under every behaviour."""

from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

from sb3_delta_waypoint.callbacks import WaypointEvalCallback
from sb3_delta_waypoint.envs.toy import ToyWaypointEnv
from sb3_delta_waypoint.evaluation.panel import behaviours_of, panel, summarise_panel
from sb3_delta_waypoint.evaluation.report import panel_table
from sb3_delta_waypoint.evaluation.rollout import Scenarios
from sb3_delta_waypoint.evaluation.statistics import summarise_all
from tests.evaluation.test_report import shown


class AmongOthers(ToyWaypointEnv):
    """Nobody is there, but behaviours differ in how soon the episode ends."""

    behaviours = ("mixed", "aggressive")

    def __init__(self, traffic=None, **kwargs):
        tolerance = {"mixed": 2.0, "aggressive": 0.05}[(traffic or {}).get("behaviour", "mixed")]
        super().__init__(route_length=15, off_route_distance=tolerance, **kwargs)


@pytest.fixture
def env_id():
    gym.register("AmongOthers-v0", entry_point=AmongOthers)
    yield "AmongOthers-v0"
    del gym.registry["AmongOthers-v0"]


def ahead(observations):
    plan = np.zeros((*observations["state"].shape[:-1], 20, 2), dtype=np.float32)
    plan[..., 0] = 0.5 * np.arange(1, 21)
    return plan


def test_every_behaviour_gets_the_same_scenarios(env_id):
    scenarios = Scenarios(4, 3, env_id=env_id, env_kwargs={"traffic": {"vehicles": 3, "behaviour": "mixed"}})
    played = panel(scenarios)
    assert list(played) == ["mixed", "aggressive"] == list(behaviours_of(env_id))
    assert played["aggressive"].env_kwargs == {"traffic": {"vehicles": 3, "behaviour": "aggressive"}}
    assert {(each.n, each.seed, each.env_id) for each in played.values()} == {(4, 3, env_id)}
    assert scenarios.env_kwargs["traffic"]["behaviour"] == "mixed"
    results = {name: each.evaluate(ahead) for name, each in played.items()}
    assert results["mixed"]["episode_length"].mean() > results["aggressive"]["episode_length"].mean()
    text = shown(panel_table({n: summarise_all(r) for n, r in results.items()}, summarise_panel(results), "title"))
    for word in ("mixed", "aggressive", "overall", "success rate ↑", "route completion ↑", "95% interval"):
        assert word in text
    assert "ADE" not in text


def test_an_env_without_behaviours_has_no_panel():
    with pytest.raises(ValueError, match="ToyWaypoint-v0 has no panel of behaviours"):
        panel(Scenarios())


def test_a_listed_scenario_keeps_its_number_under_every_behaviour(env_id):
    assert [each.numbers for each in panel(Scenarios(env_id=env_id, numbers=[7, 2])).values()] == [[7, 2]] * 2


def test_a_scenario_is_resampled_with_all_its_behaviours():
    hard = np.random.default_rng(0).normal(size=200)
    same = summarise_panel({name: {"ade": hard} for name in "abcd"})["ade"]
    once = summarise_all({"ade": hard})["ade"]
    assert same["mean"] == pytest.approx(once["mean"])
    # four behaviours of the same scenarios do not tell more than one
    np.testing.assert_allclose(same["ci95"], once["ci95"], atol=0.02)
    assert set(summarise_panel({"a": {"ade": hard, "fde": hard}, "b": {"ade": hard}})) == {"ade"}


def test_the_best_model_among_others_is_that_of_the_best_score(env_id, tmp_path: Path):
    assert WaypointEvalCallback(gym.make(env_id)).metric == "closed_loop_score"
    assert WaypointEvalCallback(gym.make(env_id), metric="success_rate").metric == "success_rate"
    assert WaypointEvalCallback(gym.make("ToyWaypoint-v0")).metric == "success_rate"
