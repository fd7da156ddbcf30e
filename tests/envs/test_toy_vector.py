"""What the vector env tells of the episodes that end."""

import copy

import gymnasium as gym
import numpy as np


def test_what_is_told_of_an_episode_stays_as_it_is():
    venv = gym.make_vec("ToyWaypoint-v0", num_envs=3, route_length=10)
    venv.reset(seed=0)
    told, kept = [], []
    while len(told) < 6:
        *_, infos = venv.step(venv.unwrapped.expert_plans())
        if infos:
            told.append(infos)
            kept.append(copy.deepcopy(infos))
    for infos, before in zip(told, kept, strict=True):
        info, info_before = infos["final_info"], before["final_info"]
        assert (info["scenario"] == info_before["scenario"]).all()
        for name, values in info["episode_metrics"].items():
            np.testing.assert_equal(values, info_before["episode_metrics"][name], name)
        for i in np.flatnonzero(infos["_final_obs"]):
            for key, values in infos["final_obs"][i].items():
                assert (values == before["final_obs"][i][key]).all(), key


def test_an_episode_that_began_in_a_state_has_neither_success_nor_metrics():
    venv = gym.make_vec("ToyWaypoint-v0", num_envs=3, route_length=10)
    venv.reset(seed=0)
    for _ in range(4):
        venv.step(venv.unwrapped.expert_plans())
    seen = venv.unwrapped.begin_in_state([0], venv.unwrapped.state_of(2))
    assert seen["route"].shape == (1, 10, 2) and set(seen) == {"state", "route"}
    ended = {}
    while len(ended) < 3:
        *_, infos = venv.step(venv.unwrapped.expert_plans())
        if infos:
            info = infos["final_info"]
            for i in np.flatnonzero(infos["_final_info"]):
                ended.setdefault(i, (info, i))
    info, _ = ended[0]
    assert info["_scenario"][0] and info["scenario"][0] == 2
    assert info["_start_step"][0] and info["start_step"][0] == 4
    assert not info["_is_success"][0] and not info["is_success"][0] and not info["_episode_metrics"][0]
    assert not any(values[0] for values in info["episode_metrics"].values())
    for i in (1, 2):
        info, _ = ended[i]
        assert info["_is_success"][i] and info["_episode_metrics"][i] and not info.get("_start_step", np.zeros(3))[i]
