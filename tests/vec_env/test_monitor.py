"""The monitor records whole episodes as SB3's does, and no others."""

import numpy as np
import pytest
from stable_baselines3.common.vec_env import VecMonitor

from sb3_delta_waypoint import make_waypoint_vec_env
from sb3_delta_waypoint.vec_env import WholeEpisodeMonitor

pytestmark = pytest.mark.filterwarnings("ignore:The environment is already wrapped")
KEYS = ("is_success",)


def monitored(kind, folder):
    folder.mkdir(exist_ok=True)
    return kind(make_waypoint_vec_env(n_envs=4, seed=1, route_length=10), str(folder), KEYS)


def steps(venv, n=60, cut=False):
    venv.reset()
    found = []
    for k in range(n):
        if cut and k == 5:
            venv.unwrapped.begin_in_state([1, 2], venv.unwrapped.state_of(0))
        _, _, dones, infos = venv.step(np.stack(venv.env_method("expert_plan")))
        found += [(i, infos[i]) for i in np.flatnonzero(dones).tolist()]
    return found


def rows(folder):
    lines = (folder / "monitor.csv").read_text().splitlines()[1:]
    header = lines[0].split(",")
    return [dict(zip(header, line.split(","), strict=True)) | {"t": None} for line in lines[1:]]


def test_whole_episodes_are_recorded_as_by_sb3(tmp_path):
    told = []
    for kind, name in ((VecMonitor, "sb3"), (WholeEpisodeMonitor, "own")):
        episodes = steps(monitored(kind, tmp_path / name))
        told.append([(i, info["episode"] | {"t": None}) for i, info in episodes])
    assert told[0] == told[1] and len(told[0]) > 8
    assert rows(tmp_path / "sb3") == rows(tmp_path / "own")


def test_others_are_not(tmp_path):
    episodes = steps(monitored(WholeEpisodeMonitor, tmp_path), cut=True)
    cut = [i for i, info in episodes if "start_step" in info]
    assert sorted(cut) == [1, 2]
    for _, info in episodes:
        keys = {"episode", "is_success", "episode_metrics"}
        assert keys <= set(info) if "start_step" not in info else not keys & set(info)
        assert "scenario" in info and "terminal_observation" in info and "TimeLimit.truncated" in info
    whole = [info["episode"] for _, info in episodes if "episode" in info]
    assert len(rows(tmp_path)) == len(whole) == len(episodes) - 2
    # the next episode of such an env counts from its own start
    lengths = {i: info["episode"]["l"] for i, info in episodes if "episode" in info}
    assert all(lengths[i] == info["episode_metrics"]["episode_length"] for i, info in dict(episodes).items())
