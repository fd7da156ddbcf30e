"""The Gymnasium contract of CarlaWaypoint-v0, which is that of ToyWaypoint-v0, over the loopback server."""

import math
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env as gymnasium_check_env
from stable_baselines3.common.env_checker import check_env as sb3_check_env
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv

carla = pytest.importorskip("carla")

# ruff: noqa: E402 (the imports below need it)
from sb3_delta_waypoint import check_waypoint_env
from sb3_delta_waypoint.carla_bridge.env import CarlaWaypointEnv
from sb3_delta_waypoint.carla_bridge.loopback import LoopbackServer
from sb3_delta_waypoint.driving.frames import to_world
from sb3_delta_waypoint.driving.records import PEDESTRIAN, VEHICLE
from sb3_delta_waypoint.driving.reward import TRAFFIC_REWARD
from sb3_delta_waypoint.grpo.groups import ScenarioGroups, number_scenarios
from sb3_delta_waypoint.maps.carla_frame import transform_of
from sb3_delta_waypoint.rendering.birds_eye import Renderer
from sb3_delta_waypoint.rendering.scene import STOP_LINE
from tests.carla_bridge.conftest import look_around


@pytest.fixture(scope="module")
def env() -> Iterator[CarlaWaypointEnv]:
    """An env with a server of its own; tests leave it in some episode."""
    env = CarlaWaypointEnv(render_mode="rgb_array")
    yield env
    env.close()


def play(env: CarlaWaypointEnv, noise: float = 0.0, limit: int = 2000) -> tuple[list, dict]:
    """Observations and rewards of an episode in which the expert drives, with some noise; and its last info."""
    rng, trace, done, info = np.random.default_rng(0), [], False, {}
    while not done and len(trace) < limit:
        plan = env.expert_plan() + rng.normal(0.0, noise, (20, 2)).astype(np.float32)
        observation, reward, terminated, truncated, info = env.step(plan)
        trace.append((*(value.tobytes() for value in observation.values()), reward))
        done = terminated or truncated
    return trace, info


def test_gymnasium_accepts_the_env(env):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*`spec`.*|.*spec is None.*|.*is None.*")
        gymnasium_check_env(env, skip_render_check=True, skip_close_check=True)


@pytest.mark.parametrize("extra", [{}, {"traffic": {"vehicles": 2}, "cameras": {"front": {"width": 16, "height": 12}}}])
def test_it_keeps_the_contract_of_waypoint_envs(make, extra):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_waypoint_env(make(route_length=15.0, **extra))


def test_sb3_accepts_the_env_with_its_usual_advice(env):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sb3_check_env(env)
    messages = [str(warning.message) for warning in caught if "sb3" in str(warning.filename) or "stable" in warning.filename]
    accepted = ("unconventional shape", "symmetric and normalized Box action space")
    assert [message for message in messages if not any(part in message for part in accepted)] == []


def test_spaces_and_metrics_are_those_of_the_toy_env_and_more(env):
    toy = gym.make("ToyWaypoint-v0").unwrapped
    assert env.observation_space == toy.observation_space and env.action_space == toy.action_space
    toy.reset(seed=0)
    toy_info: dict = {}
    while not toy_info:
        toy_info = toy.step(toy.expert_plan())[-1]
    env.reset(seed=0)
    trace, info = play(env)
    metrics = info["episode_metrics"]
    assert info["is_success"] and metrics["success"] == metrics["route_completion"] == 1.0
    assert list(metrics)[: len(toy_info["episode_metrics"])] == list(toy_info["episode_metrics"])
    assert {"collision", "collision_pedestrian", "lane_invasion", "off_road", "red_light", "stop_sign", "blocked"} < set(
        metrics
    )
    assert all(isinstance(value, float) for value in metrics.values())
    assert metrics["episode_reward"] == pytest.approx(sum(step[-1] for step in trace))
    assert metrics["ade"] == 0.0, "the expert agrees with itself"
    assert env.backend == "loopback"


def test_the_expert_drives_the_loopback_car(env):
    env.reset(seed=5)
    metrics = []
    for _ in range(8):
        metrics.append(play(env)[1]["episode_metrics"])
        env.reset()
    assert all(episode["success"] for episode in metrics)
    assert max(episode["lateral_deviation_max"] for episode in metrics) < 1.0
    assert sum(episode["collision"] + episode["off_road"] for episode in metrics) == 0


def test_scenarios_follow_the_base_seed(env):
    first, info = env.reset(seed=3)
    second, following = env.reset()
    assert (info["scenario"], following["scenario"]) == (0, 1)
    assert (first["route"] != second["route"]).any()
    replayed, _ = env.reset(seed=3, options={"scenario": 1})
    assert (replayed["route"] == second["route"]).all()
    third, info = env.reset()
    assert info["scenario"] == 0 and (third["route"] == first["route"]).all(), "a replay leaves the order alone"
    assert (env.reset(seed=4)[0]["route"] != first["route"]).any()
    with pytest.raises(ValueError, match="expected a whole number between 0"):
        env.reset(options={"scenario": -1})


@pytest.mark.parametrize("kwargs", [{}, {"traffic": {"vehicles": 6, "pedestrians": 2}}])
def test_the_same_plans_give_the_same_trace_whatever_was_driven_before(make, kwargs):
    env = make(**kwargs)
    env.reset(seed=7, options={"scenario": 2})
    first = play(env, noise=0.3, limit=150)
    for scenario in (0, 1):  # leaves the car elsewhere, turned and fast
        env.reset(seed=8, options={"scenario": scenario})
        play(env, noise=1.0, limit=40)
    env.reset(seed=7, options={"scenario": 2})
    # as text, since a term that cannot be computed is not equal to itself
    assert repr(play(env, noise=0.3, limit=150)) == repr(first)


def test_leaving_the_route_ends_the_episode(env):
    env.reset(seed=1)
    plan = np.stack([np.linspace(1.0, 20.0, 20), np.linspace(0.0, 30.0, 20)], axis=1).astype(np.float32)
    terminated, steps = False, 0
    while not terminated and steps < 200:
        _, _, terminated, truncated, info = env.step(plan)
        steps += 1
    assert terminated and not truncated
    assert info["episode_metrics"]["off_route"] == 1.0 and not info["is_success"]
    assert info["episode_metrics"]["lane_invasion"] >= 1.0
    with pytest.raises(gym.error.ResetNeeded):
        env.step(plan)


def test_running_into_something_ends_the_episode_and_counts_once(make, server):
    env = make()
    env.reset(seed=2)
    route = env.drive.route[30]
    library = env.session.library
    place = carla.Transform(carla.Location(float(route["x"]), -float(route["y"]), 0.0))
    obstacle = env.session.world.spawn_actor(library.find("static.prop.container"), place)
    plan, terminated, info = np.stack([np.arange(1.0, 21.0), np.zeros(20)], axis=1).astype(np.float32), False, {}
    for _ in range(100):
        plan = env.expert_plan()
        _, _, terminated, _, info = env.step(plan)
        if terminated:
            break
    metrics = info["episode_metrics"]
    assert terminated and not info["is_success"]
    assert metrics["collision"] == metrics["collision_static"] == 1.0 and metrics["collision_vehicle"] == 0.0
    assert metrics["reward_off_route"] < 0.0
    obstacle.destroy()
    env = make(ends_at=())
    env.reset(seed=2)
    obstacle = env.session.world.spawn_actor(library.find("static.prop.container"), place)
    for _ in range(60):
        _, _, terminated, _, _ = env.step(env.expert_plan())
        assert not terminated
    assert env._stage.events.counts["collision"] == 1, "pushing on is the same collision"
    obstacle.destroy()


def test_a_car_that_does_not_move_is_blocked(make):
    env = make(blocked_time=3.0)
    env.reset(seed=2)
    terminated = False
    for _ in range(120):
        _, _, terminated, truncated, info = env.step(np.zeros((20, 2), np.float32))
        if terminated or truncated:
            break
    assert terminated and info["episode_metrics"]["blocked"] == 1.0 and info["episode_metrics"]["timeout"] == 0.0


def test_two_ticks_for_a_step_at_20_fps_drive_the_same_road(make):
    routes = []
    for fps in (10.0, 20.0):
        env = make(fps=fps)
        env.reset(seed=4)
        before = env.session.world.get_snapshot().timestamp.elapsed_seconds
        _, info = play(env)
        elapsed = env.session.world.get_snapshot().timestamp.elapsed_seconds - before
        assert info["is_success"] and elapsed == pytest.approx(0.1 * info["episode_metrics"]["episode_length"], abs=1e-3)
        routes.append(env.drive.route["x"].copy())
    np.testing.assert_array_equal(*routes)


def test_the_expert_yields_to_traffic(make):
    env = make(traffic={"vehicles": 12, "pedestrians": 3})
    observation, _ = env.reset(seed=1)
    collisions, kinds = 0, set()
    for _ in range(6):
        assert env.observation_space.contains(observation)
        assert observation["agents_valid"].sum() >= 3
        valid = observation["agents"][observation["agents_valid"] > 0]
        kinds.update(valid[:, 6].tolist())
        assert (np.diff(np.hypot(valid[:, 0], valid[:, 1])) >= 0).all()
        collisions += play(env, limit=250)[1].get("episode_metrics", {"collision": 0})["collision"]
        observation, _ = env.reset()
    assert collisions <= 1 and kinds == {0.0, 1.0}


def test_an_episode_among_others_is_scored_as_in_the_other_envs(make):
    groups = ("state", "route", "speed_limit", "agents", "agents_valid", "signal")
    env = make(traffic={"vehicles": 6, "pedestrians": 2, "behaviour": "idm"}, observe=groups)
    assert set(env.observation_space.spaces) == set(groups)
    assert env.drive.config.reward == TRAFFIC_REWARD
    extent = env._stage.ego.half_length, env._stage.ego.half_width
    vehicle = env.drive.config.vehicle
    assert (vehicle.length, vehicle.width) == (2.0 * extent[0], 2.0 * extent[1])
    observation, _ = env.reset(seed=1)
    assert observation["speed_limit"].shape == (10,) and 5.0 < observation["speed_limit"].min() < 20.0
    metrics = play(env)[1]["episode_metrics"]
    terms = {name: value for name, value in metrics.items() if name.startswith("score_")}
    assert len(terms) == 9 and not any(np.isnan(value) for value in terms.values()), "every term can be computed"
    assert metrics["score_drivable_area"] == metrics["score_driving_direction"] == 1.0
    assert metrics["reward_imitation"] == 0.0 and 0.0 < metrics["gap_min"] < np.inf
    assert make(traffic={}, reward={"goal": 3.0}).drive.config.reward == TRAFFIC_REWARD._replace(goal=3.0)
    assert set(make(traffic={}).observation_space.spaces) == set(groups) - {"speed_limit"}


def test_running_into_another_is_a_collision_at_fault(make):
    env = make(traffic={"vehicles": 0, "pedestrians": 1}, ends_at=())
    env.reset(seed=1)
    stage, session = env._stage, env.session
    library, route = session.library, env.drive.route[30]
    place = transform_of((float(route["x"]), float(route["y"]), math.atan2(route["sin"], route["cos"])), 0.3)
    traffic = stage._lookout._traffic
    # in the place of the pedestrian
    session.destroy(traffic.numbers)
    traffic.numbers[:] = [session.spawn(library.find("vehicle.audi.tt"), place).id]
    traffic._waiting.clear()
    traffic.agents["kind"], traffic.agents["length"], traffic.agents["width"] = VEHICLE, 4.18, 1.99
    plan = np.stack([np.arange(1.0, 21.0) * 0.8, np.zeros(20)], axis=1).astype(np.float32)
    for _ in range(60):
        _, _, terminated, _, _ = env.step(plan)
        assert not terminated, "with ends_at=() it drives on"
    totals = env.drive.totals[0]
    assert totals["fault_vehicle"] == totals["hit_vehicle"] == 1
    assert traffic.agents["collided"].all() and stage.events.counts["collision_vehicle"] == 1
    env.reset()
    assert env.drive.totals[0]["hit_vehicle"] == 0 and not stage._lookout._traffic.agents["collided"].any()


def test_behaviours_change_how_others_drive_and_not_where_they_start(make):
    seen = []
    for behaviour in ("cautious", "aggressive", "cautious"):
        env = make(traffic={"vehicles": 8, "pedestrians": 0, "behaviour": behaviour})
        env.reset(seed=2)
        start = env._stage._lookout._traffic.agents.copy()
        play(env, limit=30)
        seen.append((start["x"].tolist(), env._stage._lookout._traffic.agents["x"].tolist()))
    # after the first tick
    assert seen[0][0] == pytest.approx(seen[1][0], abs=0.1) and seen[0] == seen[2]
    assert max(abs(one - other) for one, other in zip(seen[0][1], seen[1][1], strict=True)) > 1.0


def test_a_server_with_its_own_traffic_manager_refuses_behaviours():
    with LoopbackServer(disguised=True) as server, pytest.raises(ValueError, match="traffic manager drives the vehicles of"):
        CarlaWaypointEnv(port=server.port, traffic={"behaviour": "idm"})


def test_use_before_reset_and_after_close_is_refused(make):
    env = make(render_mode="rgb_array")
    plan = np.zeros((20, 2), np.float32)
    uses = (env.expert_plan, env.render, lambda: env.step(plan))
    for use in uses:
        with pytest.raises(gym.error.ResetNeeded, match=r"call reset\(\) first"):
            use()
    env.reset(seed=0)
    for bad in ({"scenario": -1}, {"scenario": 2**63}, {"scenario": 1.5}, {"scenaro": 1}):
        with pytest.raises(ValueError, match="options"):
            env.reset(options=bad)
    with pytest.raises(ValueError, match="has 101.0 at waypoint 0, x; accepted are metres from -100 to 100"):
        env.step(plan + 101.0)
    env.step(plan)
    env.close()
    for use in uses:
        with pytest.raises(gym.error.ResetNeeded):
            use()
    with pytest.raises(gym.error.ClosedEnvironmentError, match="make a new one"):
        env.reset()


def test_rendering_gives_a_picture(env):
    env.reset(seed=1)
    env.step(env.expert_plan())
    picture = env.render()
    assert picture.dtype == np.uint8 and picture.ndim == 3 and picture.std() > 10.0


def test_the_picture_shows_traffic_and_who_was_hit(make, monkeypatch):
    monkeypatch.setattr(Renderer, "draw", lambda self, scene: scene)
    env = make(traffic={"vehicles": 4, "pedestrians": 2}, render_mode="rgb_array")
    env.reset(seed=3)
    env.step(env.expert_plan())
    scene = env.render()
    kinds = scene.agents["kind"].tolist()
    assert kinds.count(VEHICLE) >= 2 and kinds.count(PEDESTRIAN) >= 1
    assert scene.agents["present"].all() and not scene.faults
    assert scene.box.length == pytest.approx(scene.box.rear + env._stage.ego.front)
    assert scene.stop_lines.dtype == STOP_LINE
    # those that are observed are drawn
    observed = env.unwrapped._observation
    place = to_world(observed["agents"][0, :2], scene.pose)
    apart = np.hypot(scene.agents["x"] - place[0], scene.agents["y"] - place[1])
    assert not observed["agents_valid"][0] or apart.min() < 1e-3
    number = env._stage._lookout._traffic.numbers[1]
    env._stage.events.touched[number] = True
    assert dict(env.render().faults) == {1: True}
    env.reset()
    assert not env.render().faults


def left_over(server: LoopbackServer) -> list[str]:
    """What is in the world of a server that runs by itself."""
    world = look_around(server)[1]
    assert not world.get_settings().synchronous_mode
    world.wait_for_tick()
    return [actor.type_id for actor in world.get_actors() if actor.type_id.split(".")[0] in ("vehicle", "walker", "sensor")]


def test_closing_leaves_a_server_as_it_was_found(make, server):
    before = look_around(server)[1].get_settings(), look_around(server)[1].get_weather()
    env = make(weather="HardRainNoon", cameras={"front": {}}, traffic={})
    env.reset(seed=1)
    play(env, limit=5)
    env.close()
    env.close()
    world = look_around(server)[1]
    assert left_over(server) == [] and (world.get_settings(), world.get_weather()) == before


INTERRUPTED = """
import sys, time
from sb3_delta_waypoint import check_waypoint_env
from sb3_delta_waypoint.carla_bridge.env import CarlaWaypointEnv
env = CarlaWaypointEnv(port=int(sys.argv[1]), cameras={"front": {}})
env.reset(seed=1)
env.step(env.expert_plan())
if sys.argv[2] == "exception":
    raise RuntimeError("not the env's")
print("driving", flush=True)
while True:
    env.reset()
    for _ in range(20):
        env.step(env.expert_plan())
"""


@pytest.mark.parametrize("end", ["exception", "ctrl-c"])
def test_an_exception_or_ctrl_c_leaves_a_server_as_it_was_found(server, end):
    command = [sys.executable, "-c", INTERRUPTED, str(server.port), end]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        if end == "ctrl-c":
            assert process.stdout.readline() == "driving\n"
            os.kill(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert ("KeyboardInterrupt" if end == "ctrl-c" else "not the env's") in errors
    assert process.returncode not in (0, -signal.SIGABRT)
    assert left_over(server) == []


def test_closing_stops_the_env_s_own_server():
    env = CarlaWaypointEnv()
    pid = env.server.pid
    env.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


class GroupsWithPid(ScenarioGroups):
    def server_pid(self) -> int:
        return self.unwrapped.server.pid


def test_groups_meet_the_same_scenario_in_worker_processes():
    venv = make_vec_env("CarlaWaypoint-v0", 2, vec_env_cls=SubprocVecEnv, wrapper_class=GroupsWithPid)
    pids = venv.env_method("server_pid")
    assert len(set(pids)) == 2, "one server each"
    number_scenarios(venv, 2)
    venv.seed(5)
    first = venv.reset()
    assert (first["route"][0] == first["route"][1]).all()
    plans = np.stack(venv.env_method("expert_plan"))
    observations, rewards, dones, _ = venv.step(plans)
    assert rewards[0] == rewards[1] and not dones.any()
    venv.close()
    time.sleep(0.1)
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_dummy_vec_env_resets_by_itself(make):
    venv = DummyVecEnv([lambda: make(route_length=20)])
    venv.seed(1)
    venv.reset()
    infos: list[dict] = [{}]
    for _ in range(100):
        _, _, dones, infos = venv.step(np.stack(venv.env_method("expert_plan")))
        if dones[0]:
            break
    assert infos[0]["is_success"] and infos[0]["terminal_observation"]["route"].shape == (10, 2)


def test_the_expert_waits_at_red_lights(shared_data):
    env = CarlaWaypointEnv(town=shared_data("Town01.xodr"), traffic={"vehicles": 0, "pedestrians": 0})
    waited, crossed = 0, 0
    observation, _ = env.reset(seed=1)
    for _ in range(8):
        done = False
        while not done:
            observation, _, terminated, truncated, info = env.step(env.expert_plan())
            waited += observation["signal"][1] == 0.0 and observation["state"][0] < 0.1
            done = terminated or truncated
        assert info["is_success"]
        crossed += info["episode_metrics"]["red_light"]
        env.reset()
    env.close()
    assert waited > 10 and crossed == 0
