"""Small models of the algorithms that take the callbacks."""

from sb3_contrib import TRPO
from stable_baselines3 import A2C, PPO

from sb3_delta_waypoint import DeltaWaypointPolicy, make_waypoint_vec_env

SMALL = {PPO: {"n_steps": 32, "batch_size": 64, "n_epochs": 2}, A2C: {"n_steps": 32}, TRPO: {"n_steps": 32, "batch_size": 64}}


def make(algorithm, **kwargs):
    venv = make_waypoint_vec_env(n_envs=8, seed=1)
    return algorithm(DeltaWaypointPolicy, venv, seed=1, **{**SMALL[algorithm], **kwargs})
