"""Recording: the expert drives."""

import json

import gymnasium as gym
import numpy as np
import pytest

import sb3_delta_waypoint  # noqa: F401
from sb3_delta_waypoint.envs.spaces import PlanSpace
from sb3_delta_waypoint.episodes.paths import driven_paths
from sb3_delta_waypoint.episodes.reader import read_episode, read_episodes
from sb3_delta_waypoint.episodes.recorder import record_episodes


class FailingEnv(gym.Env):
    """Three frames an episode; the expert fails in the given scenarios; Ctrl-C comes in another."""

    def __init__(self, failing=(), interrupted=None, faults=0):
        self.failing, self.interrupted, self.faults = failing, interrupted, faults
        self.action_space = PlanSpace(4, 0.1)
        self.scenario = self.steps = 0

    def expert_plan(self):
        return np.zeros((4, 2), np.float32)

    def reset(self, *, seed=None, options=None):
        self.scenario, self.steps = options["scenario"], 0
        return self.observation(), {}

    def step(self, action):
        if self.scenario == self.interrupted and self.steps == 1:
            raise KeyboardInterrupt
        self.steps += 1
        if self.faults:
            self.faults -= 1
            return self.observation(), 0.0, False, True, {"fault": "the server is gone", "scenario": self.scenario}
        return self.observation(), 0.0, self.steps == 3, False, {"is_success": self.scenario not in self.failing}

    def observation(self):
        return {"state": np.zeros(4, np.float32), "route": np.zeros((10, 2), np.float32)}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    out = tmp_path_factory.mktemp("recorded")
    return out, record_episodes(gym.make("ToyWaypoint-v0", route_length=40.0), 3, out, seed=7)


def test_files_and_names(recorded):
    out, paths = recorded
    assert sorted(out.iterdir()) == paths == [out / f"toy-7-{scenario}.json" for scenario in range(3)]
    episode = read_episode(paths[1], horizon_steps=20)
    assert (episode.episode_id, episode.domain, episode.dt) == ("toy-7-1", "toy", 0.1)
    assert episode.source == {"dataset": "ToyWaypoint-v0", "split": "train", "scene_id": "7/1"}


def test_frames_are_what_the_expert_saw_and_planned(recorded):
    env = gym.make("ToyWaypoint-v0", route_length=40.0)
    episode = read_episode(recorded[1][2])
    observation, _ = env.reset(seed=7, options={"scenario": 2})
    for frame in range(len(episode)):
        plan = env.unwrapped.expert_plan()
        assert episode.t[frame] == pytest.approx(0.1 * frame)
        np.testing.assert_allclose(episode.observations["state"][frame], observation["state"], atol=1e-5)
        np.testing.assert_allclose(episode.observations["route"][frame], observation["route"], atol=1e-5)
        np.testing.assert_allclose(episode.waypoints[frame], plan, atol=1e-5)
        observation, _, done, _, info = env.step(plan)
    assert done and info["is_success"]


def test_the_driven_path_is_the_recorded_one(recorded):
    env = gym.make("ToyWaypoint-v0", route_length=40.0)
    env.reset(seed=7, options={"scenario": 0})
    points, speeds = driven_paths(read_episodes(str(recorded[1][0]))[0])[0]
    car = env.unwrapped.simulation.cars[0]
    x, y, yaw = float(car["x"]), float(car["y"]), float(car["yaw"])
    for (forward, left), speed in zip(points, speeds, strict=True):
        assert speed == pytest.approx(float(car["speed"]), abs=1e-5)
        assert float(car["x"]) == pytest.approx(x + forward * np.cos(yaw) - left * np.sin(yaw), abs=0.02)
        assert float(car["y"]) == pytest.approx(y + forward * np.sin(yaw) + left * np.cos(yaw), abs=0.02)
        env.step(env.unwrapped.expert_plan())


def test_the_same_seed_gives_the_same_files_and_another_seed_others(recorded, tmp_path):
    _, paths = recorded
    env = gym.make("ToyWaypoint-v0", route_length=40.0)
    again = record_episodes(env, 2, tmp_path / "again", seed=7)
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in paths[:2]]
    other = record_episodes(env, 1, tmp_path / "other", seed=8)
    assert not np.array_equal(read_episode(other[0]).observations["route"][0], read_episode(paths[0]).observations["route"][0])


def test_other_plans(tmp_path):
    env = gym.make("ToyWaypoint-v0", route_length=20.0, horizon_steps=5, plan_dt=0.2)
    episode = read_episode(record_episodes(env, 1, tmp_path)[0])
    assert (episode.horizon_steps, episode.dt) == (5, 0.2)
    assert episode.t[1] == pytest.approx(0.1)  # frames are control steps, whatever the plan's step


def test_failed_drives_are_replaced_and_reported(tmp_path):
    with pytest.warns(UserWarning, match="not written: the expert did not reach the goal in scenario 1, 2 of seed 3"):
        paths = record_episodes(FailingEnv(failing=(1, 2)), 2, tmp_path, seed=3)
    assert [path.name for path in paths] == ["failingenv-3-0.json", "failingenv-3-3.json"]
    assert sorted(tmp_path.iterdir()) == paths


def test_an_expert_that_keeps_failing(tmp_path):
    with pytest.raises(ValueError, match="the expert reached the goal in only 1 of 22 scenarios of seed 0"):
        record_episodes(FailingEnv(failing=range(1, 100)), 2, tmp_path)


def test_a_drive_that_the_simulator_breaks_off_is_driven_again(tmp_path):
    paths = record_episodes(FailingEnv(faults=2), 2, tmp_path)
    assert [len(read_episode(path)) for path in paths] == [3, 3]
    with pytest.raises(OSError, match="scenario 0 of seed 0 was broken off 3 times: the server is gone"):
        record_episodes(FailingEnv(faults=3), 2, tmp_path / "never")
    assert not (tmp_path / "never").exists()


def test_breaking_off_leaves_complete_files(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        record_episodes(FailingEnv(interrupted=2), 5, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["failingenv-0-0.json", "failingenv-0-1.json"]
    assert len(read_episodes(f"{tmp_path}/*.json")[0]) == 2


def test_episodes_are_not_mixed_with_earlier_ones(tmp_path):
    record_episodes(FailingEnv(), 3, tmp_path, seed=1)
    with pytest.raises(FileExistsError, match=r"holds 3 JSON file\(s\) already, such as failingenv-1-0.json.*--overwrite"):
        record_episodes(FailingEnv(), 1, tmp_path, seed=2)
    record_episodes(FailingEnv(), 1, tmp_path, seed=2, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["failingenv-2-0.json"]


def test_overwriting_spares_other_files(tmp_path):
    (tmp_path / "mine.json").write_text(json.dumps({}))
    with pytest.raises(FileExistsError, match="mine.json"):
        record_episodes(FailingEnv(), 1, tmp_path, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.json"]


@pytest.mark.parametrize(("n_episodes", "seed", "said"), [(0, 0, "n_episodes is 0"), (1, -1, "seed is -1")])
def test_arguments_out_of_range(tmp_path, n_episodes, seed, said):
    with pytest.raises(ValueError, match=said):
        record_episodes(FailingEnv(), n_episodes, tmp_path, seed=seed)


def test_the_folder_is_a_file(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(NotADirectoryError, match="is a file"):
        record_episodes(FailingEnv(), 1, tmp_path / "out")


def test_files_are_called_after_the_env_and_hold_all_its_groups(tmp_path):
    class SignalWaypoint(FailingEnv):
        def observation(self):
            return {**super().observation(), "signal": np.ones(2, np.float32), "front": np.zeros((3, 8, 8), np.uint8)}

    (path,) = record_episodes(SignalWaypoint(), 1, tmp_path)
    assert path.name == "signal-0-0.json" and read_episode(path).domain == "signal"
    assert set(read_episode(path).observations) == {"state", "route", "signal"}


def test_an_env_without_an_expert(tmp_path):
    with pytest.raises(ValueError, match="has no expert_plan.., which gives the plan to record"):
        record_episodes(gym.make("CartPole-v1"), 1, tmp_path)
