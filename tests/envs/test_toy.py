"""The Gymnasium contract of ToyWaypoint-v0, scalar and vector."""

import warnings

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env as gymnasium_check_env
from gymnasium.wrappers import RecordEpisodeStatistics
from gymnasium.wrappers.vector import RecordEpisodeStatistics as VectorRecordEpisodeStatistics
from stable_baselines3.common.env_checker import check_env as sb3_check_env

import sb3_delta_waypoint
from sb3_delta_waypoint.driving.network import RoadNetwork
from sb3_delta_waypoint.driving.reward import RewardWeights
from sb3_delta_waypoint.driving.vehicle import VehicleParameters
from sb3_delta_waypoint.envs import ToyWaypointEnv
from sb3_delta_waypoint.episodes.recorder import record_episodes


def play(env: gym.Env, noise: float = 0.0, seed: int | None = None) -> tuple[list[float], dict]:
    """Rewards and final info of an episode in which the expert drives, with some noise."""
    rng = np.random.default_rng(0)
    env.reset(seed=seed)
    rewards, done = [], False
    while not done:
        plan = env.unwrapped.expert_plan() + rng.normal(0.0, noise, (20, 2)).astype(np.float32)
        _, reward, terminated, truncated, info = env.step(plan)
        rewards.append(reward)
        done = terminated or truncated
    return rewards, info


def test_gymnasium_accepts_the_env():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gymnasium_check_env(gym.make("ToyWaypoint-v0", render_mode="rgb_array").unwrapped)


def test_sb3_accepts_the_env_with_its_usual_advice():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sb3_check_env(gym.make("ToyWaypoint-v0").unwrapped)
    messages = [str(warning.message) for warning in caught]
    accepted = ("unconventional shape", "symmetric and normalized Box action space")
    assert [message for message in messages if not any(part in message for part in accepted)] == []


def test_registering_again_changes_nothing():
    before = gym.registry["ToyWaypoint-v0"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sb3_delta_waypoint.register_envs()
    assert gym.registry["ToyWaypoint-v0"] is before
    assert before.max_episode_steps is None


def test_scenarios_follow_the_base_seed():
    env = gym.make("ToyWaypoint-v0")
    first, info = env.reset(seed=3)
    second, next_info = env.reset()
    assert (info["scenario"], next_info["scenario"]) == (0, 1)
    assert (first["route"] != second["route"]).any()
    replayed, _ = env.reset(seed=3, options={"scenario": 1})
    assert (replayed["route"] == second["route"]).all()
    third, info = env.reset()
    assert info["scenario"] == 0 and (third["route"] == first["route"]).all(), "a replay leaves the order alone"
    assert (env.reset(seed=4)[0]["route"] != first["route"]).any()


def test_observations_stay_in_their_space_and_the_end_is_reported():
    env = gym.make("ToyWaypoint-v0")
    rewards, info = play(env, noise=0.3, seed=1)
    metrics = info["episode_metrics"]
    assert metrics["episode_reward"] == pytest.approx(sum(rewards))
    assert metrics["episode_length"] == len(rewards)
    assert info["is_success"] == bool(metrics["success"])
    assert sum(value for name, value in metrics.items() if name.startswith("reward_")) == pytest.approx(sum(rewards))
    assert all(isinstance(value, float) for value in metrics.values())
    assert info["scenario"] == 0


def test_gymnasium_wrappers_work():
    env = RecordEpisodeStatistics(gym.make("ToyWaypoint-v0"))
    rewards, info = play(env, seed=2)
    assert info["episode"]["r"] == pytest.approx(sum(rewards), abs=1e-3)
    venv = VectorRecordEpisodeStatistics(gym.make_vec("ToyWaypoint-v0", num_envs=3, route_length=20))
    venv.reset(seed=0)
    ends = 0
    for _ in range(100):
        _, _, terminated, truncated, _ = venv.step(venv.unwrapped.expert_plans())
        ends += (terminated | truncated).sum()
    assert venv.episode_count == ends > 3


@pytest.mark.parametrize(
    ("action", "named"),
    [
        (np.full((20, 2), np.nan, np.float32), "nan"),
        (np.full((20, 2), np.inf, np.float32), "inf"),
        (np.zeros((19, 2), np.float32), "19"),
        (np.zeros(40, np.float32), "40"),
    ],
)
def test_bad_plans_are_refused(action, named):
    env = gym.make("ToyWaypoint-v0", disable_env_checker=True)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=named):
        env.step(action)


def test_a_bad_plan_in_a_vector_env_names_the_env_and_moves_none():
    venv = gym.make_vec("ToyWaypoint-v0", num_envs=5)
    venv.reset(seed=0)
    before = venv.unwrapped.simulation.cars.copy()
    plans = venv.unwrapped.expert_plans()
    plans[3, 7, 1] = np.nan
    with pytest.raises(ValueError, match="env 3 has nan at waypoint 7, y"):
        venv.step(plans)
    assert (venv.unwrapped.simulation.cars == before).all()


@pytest.mark.parametrize(
    ("kwargs", "error", "named"),
    [
        ({"routes": "nowhere.xodr"}, FileNotFoundError, "nowhere.xodr"),
        ({"routes": "nowhere/*.json"}, FileNotFoundError, "nowhere"),
        ({"route_length": -1.0}, ValueError, "route_length"),
        ({"route_length": float("nan")}, ValueError, "route_length"),
        ({"waypoint_spacing": 500.0}, ValueError, "waypoint_spacing"),
        ({"off_route_distance": 0.0}, ValueError, "off_route_distance"),
        ({"horizon_steps": 0}, ValueError, "horizon_steps"),
        ({"plan_dt": 0.0}, ValueError, "plan_dt"),
        ({"reward": {"speeding": 1.0}}, ValueError, "speeding"),
        ({"vehicle": {"wheels": 4}}, ValueError, "wheels"),
        ({"vehicle": {"max_speed": float("nan")}}, ValueError, "vehicle: max_speed=nan: expected a number between"),
        ({"vehicle": VehicleParameters(max_speed=0.0)}, ValueError, "vehicle: max_speed=0.0"),
        ({"vehicle": (2.8, 0.6)}, ValueError, r"vehicle=\(2\.8, 0\.6\): expected a mapping .* or VehicleParameters"),
        ({"start": 3}, ValueError, "start=3: expected a mapping .* or StartParameters"),
        ({"reward": {"goal": "much"}}, ValueError, "reward: goal='much'"),
        ({"expert": {1: 2}}, ValueError, "1 is unknown"),
        ({"routes": 5}, ValueError, "routes=5: expected a file"),
        ({"routes": RoadNetwork(1, 2, 3, 4, 5)}, ValueError, "points must be an array"),
        ({"routes": "nowhere.xodr", "route_length": 0}, ValueError, "route_length=0"),
        ({"plan_dt": 1.5}, ValueError, "plan_dt=1.5: expected a number between 0.01 and 1 s"),
        ({"render_mode": "3d"}, ValueError, "3d"),
    ],
)
def test_bad_arguments_are_refused(kwargs, error, named):
    with pytest.raises(error, match=named):
        ToyWaypointEnv(**kwargs)


def test_a_list_of_seeds_is_refused_with_the_reason():
    venv = gym.make_vec("ToyWaypoint-v0", num_envs=2)
    with pytest.raises(ValueError, match="one base seed"):
        venv.reset(seed=[1, 2])


def test_reward_weights_come_as_a_mapping_or_an_object():
    totals = []
    for reward in ({"progress": 0.0, "goal": 0.0}, RewardWeights(progress=0.0, goal=0.0)):
        rewards, _ = play(gym.make("ToyWaypoint-v0", reward=reward), seed=1)
        totals.append(sum(rewards))
    assert totals[0] == totals[1] < 0.0


def test_a_longer_horizon_and_another_plan_dt_still_drive():
    env = gym.make("ToyWaypoint-v0", horizon_steps=10, plan_dt=0.2)
    env.reset(seed=0)
    done = False
    while not done:
        _, _, terminated, truncated, info = env.step(env.unwrapped.expert_plan())
        done = terminated or truncated
    assert info["is_success"] and "displacement_10" in info["episode_metrics"]


def test_recorded_episodes_become_routes(tmp_path):
    source = gym.make("ToyWaypoint-v0", route_length=60)
    record_episodes(source, 2, tmp_path, seed=5)
    env = gym.make("ToyWaypoint-v0", routes=str(tmp_path / "**/*.json"))
    source.reset(seed=5, options={"scenario": 0})
    driven = source.unwrapped.simulation.routes[0]
    shapes = []
    for scenario in range(8):
        env.reset(seed=1, options={"scenario": scenario})
        simulation = env.unwrapped.simulation
        shapes.append(int(simulation.cars[0]["n_points"]))
        route = simulation.routes[0, : shapes[-1]]
        assert 50 <= shapes[-1] <= 62
        assert 3.0 < route["speed"].mean() < 13.0
    rewards, info = play(env, seed=1)
    assert info["is_success"]
    assert len(driven) == 61


def test_map_routes_follow_the_lanes(shared_data):
    pytest.importorskip("carla")
    venv = gym.make_vec("ToyWaypoint-v0", num_envs=64, routes=str(shared_data("Town01.xodr")))
    venv.reset(seed=0)
    successes = []
    while len(successes) < 128:
        _, _, terminated, truncated, infos = venv.step(venv.unwrapped.expert_plans())
        done = terminated | truncated
        successes += list(infos["final_info"]["is_success"][done]) if done.any() else []
    assert np.mean(successes) >= 0.99
