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
            assert (values == info_before["episode_metrics"][name]).all(), name
        for i in np.flatnonzero(infos["_final_obs"]):
            for key, values in infos["final_obs"][i].items():
                assert (values == before["final_obs"][i][key]).all(), key
