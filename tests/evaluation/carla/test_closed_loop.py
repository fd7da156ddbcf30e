"""Closed-loop episodes, driven on the loopback server: what is measured, and what faults do."""

import os
import signal

import numpy as np
import pytest

carla = pytest.importorskip("carla")

# ruff: noqa: E402 (the imports below need it)

from sb3_delta_waypoint.carla_bridge.env import CarlaWaypointEnv
from sb3_delta_waypoint.evaluation.carla import closed_loop
from sb3_delta_waypoint.evaluation.carla.closed_loop import Drivers, drive_episode, evaluate_closed_loop
from sb3_delta_waypoint.evaluation.carla.results import ResultFolder
from sb3_delta_waypoint.evaluation.carla.suite import CarlaScenario, is_kind

SEED = 5
RUN = {"seed": SEED, "checkpoint": "none"}
FOG = {"fog_density": 77.0}


@pytest.fixture(scope="module")
def env():
    with CarlaWaypointEnv(route_length=30.0, off_route_distance=6.0, timeout=5.0) as env:
        yield env


def expert(env):
    return lambda observation: env.expert_plan()


def shifted(env, metres):
    """The expert, so far to the left of itself."""
    return lambda observation: env.expert_plan() + np.array([0.0, metres], np.float32)


def test_a_clean_episode_has_full_marks(env):
    episode = drive_episode(env, expert(env), SEED, 0)
    metrics = episode["metrics"]
    assert (episode["outcome"], episode["infractions"], episode["infractions_per_km"]) == ("goal", [], 0.0)
    assert metrics["success"] == 1.0 and metrics["ade"] == 0.0
    assert metrics["driving_score_2_0"] == metrics["driving_score_2_1"] == 100.0
    assert metrics["distance"] == metrics["route_length"] == pytest.approx(30.0, abs=1.0)
    assert metrics["seconds"] == pytest.approx(0.1 * metrics["episode_length"])
    assert metrics["waypoints_reached"] == 6.0
    # as text, since a term that cannot be computed is not equal to itself
    assert repr(drive_episode(env, expert(env), SEED, 0)) == repr(episode)


def test_leaving_the_road_takes_its_share_of_the_score(env):
    episode = drive_episode(env, shifted(env, -3.0), SEED, 0)
    metrics = episode["metrics"]
    assert 0.2 < metrics["off_road_share"] < 1.0 and metrics["off_road"] >= 1.0
    outside = episode["infractions"][-1]
    assert outside == {"kind": "outside_route_lanes", "percentage": pytest.approx(100.0 * metrics["off_road_share"])}
    expected = 100.0 * metrics["route_completion"] * (1.0 - metrics["off_road_share"])
    assert metrics["driving_score_2_0"] == metrics["driving_score_2_1"] == pytest.approx(expected)


def test_leaving_the_route_ends_the_episode_and_is_an_infraction(env):
    episode = drive_episode(env, shifted(env, 12.0), SEED, 0)
    metrics = episode["metrics"]
    assert (episode["outcome"], metrics["success"]) == ("off_route", 0.0)
    assert "route_dev" in [infraction["kind"] for infraction in episode["infractions"]]
    assert episode["infractions_per_km"] == pytest.approx(1000.0 * len(episode["infractions"]) / metrics["distance"])


def test_a_collision_is_counted_by_kind_and_charged(env):
    env.reset(seed=SEED, options={"scenario": 0})
    ahead = env.drive.route[20]
    with env.session.lock:
        container = env.session.library.find("static.prop.container")
        place = carla.Transform(carla.Location(float(ahead["x"]), -float(ahead["y"]), 0.0))
        obstacle = env.session.world.try_spawn_actor(container, place)
        del container
    assert obstacle is not None
    try:
        episode = drive_episode(env, expert(env), SEED, 0)
    finally:
        obstacle.destroy()
    metrics = episode["metrics"]
    assert episode["outcome"] == "collision" and metrics["collision_static"] == 1.0
    assert episode["infractions"] == [{"kind": "collisions_layout", "percentage": None}]
    assert metrics["driving_score_2_0"] == pytest.approx(100.0 * metrics["route_completion"] * 0.65)
    assert metrics["driving_score_2_1"] == pytest.approx(100.0 * metrics["route_completion"] / 1.6)


class Watched(CarlaWaypointEnv):
    """Remembers itself, for policies that look at what they drive in, or break it."""

    now: "Watched"

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        Watched.now = self


@pytest.fixture
def evaluate(monkeypatch, tmp_path):
    """A function that evaluates policies on short routes."""
    monkeypatch.setattr(closed_loop, "CarlaWaypointEnv", Watched)

    def run(policies, scenario):
        results = ResultFolder(tmp_path, RUN, [scenario], list(policies))
        drivers = Drivers(policies, {"horizon_steps": 20, "plan_dt": 0.1})
        return evaluate_closed_loop(drivers, [scenario], results, {"timeout": 1.0}), results.scenarios[scenario.name]

    return run


def watched_expert(observation):
    return Watched.now.expert_plan()


def test_routes_of_the_kind_in_the_weather_that_was_asked_for(evaluate):
    seen = []

    def looking(observation):
        if Watched.now.drive.totals[0]["steps"] == 0:
            route = Watched.now.drive.route
            seen.append((np.stack([route["x"], route["y"]], axis=1), Watched.now.session.world.get_weather().fog_density))
        return watched_expert(observation)

    scenario = CarlaScenario("turns", 3, "turn", weather=FOG, env={"route_length": 40.0})
    content, found = evaluate({"sft": looking}, scenario)
    assert content["complete"] and len(seen) == 3
    assert all(is_kind("turn", points) and fog == 77.0 for points, fog in seen)
    assert len({episode["scenario_number"] for episode in found.episodes}) == 3


@pytest.mark.filterwarnings("ignore:.*broken off")
def test_an_episode_that_the_server_broke_off_is_driven_again_and_counts_once(evaluate):
    calls = []

    def killing(observation):
        calls.append(0)
        if len(calls) == 5:
            os.kill(Watched.now.server.pid, signal.SIGKILL)
        return watched_expert(observation)

    scenario = CarlaScenario("short", 1, env={"route_length": 20.0})
    content, found = evaluate({"sft": watched_expert, "rl": killing}, scenario)
    assert content["complete"] and not found.faults
    sft, rl = found.episodes
    assert (sft["attempts"], rl["attempts"]) == (1, 2)
    assert repr(sft["metrics"]) == repr(rl["metrics"])
    assert content["overall"]["comparison"]["n_scenarios"] == 1


@pytest.mark.filterwarnings("ignore:.*broken off")
def test_an_episode_that_is_broken_off_each_time_counts_for_nobody_and_is_reported(evaluate, monkeypatch, tmp_path):
    monkeypatch.setattr(closed_loop, "ATTEMPTS", 2)

    def killing(observation):
        os.kill(Watched.now.server.pid, signal.SIGKILL)
        return watched_expert(observation)

    scenario = CarlaScenario("short", 1, env={"route_length": 20.0})
    content, found = evaluate({"sft": watched_expert, "rl": killing}, scenario)
    assert not content["complete"]
    (fault,) = found.faults
    assert (fault["episode"], fault["policy"], fault["attempts"]) == (0, "rl", 2)
    assert "ServerLostError" in fault["fault"]
    assert [episode["policy"] for episode in found.episodes] == ["sft"]
    assert content["overall"] == {}, "the planner's episode has no counterpart"
    content = ResultFolder(tmp_path, RUN, [CarlaScenario("other", 1)], ["sft", "rl"]).write()
    assert content["scenarios"]["short"]["faults"] == [fault], "while others are driven it stays in the summary"
    content, found = evaluate({"sft": watched_expert, "rl": watched_expert}, scenario)
    assert content["complete"] and content["scenarios"]["short"]["faults"] == [], "it was tried again"
    assert content["overall"]["comparison"]["n_scenarios"] == 1


def test_observations_that_the_model_needs_and_the_env_lacks_are_named(evaluate, tmp_path):
    scenario = CarlaScenario("short", 1, env={"route_length": 20.0})
    drivers = Drivers({"sft": watched_expert}, {}, ("state", "agents"))
    results = ResultFolder(tmp_path, {"seed": SEED}, [scenario], ["sft"])
    with pytest.raises(ValueError, match="scenario short: the model reads 'agents'"):
        evaluate_closed_loop(drivers, [scenario], results)
    assert not list(tmp_path.iterdir())
