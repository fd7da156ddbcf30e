"""A small planner and what refines it."""

import pytest
import torch as th
from sb3_contrib import TRPO
from stable_baselines3 import A2C, PPO

from sb3_delta_waypoint import DeltaWaypointPolicy, SFTWaypointModel, make_waypoint_vec_env
from sb3_delta_waypoint.sft.checkpoint import save_planner

SMALL = {PPO: {"n_steps": 32, "batch_size": 64, "n_epochs": 2}, A2C: {"n_steps": 16}, TRPO: {"n_steps": 32, "batch_size": 64}}
ALGORITHMS = list(SMALL)


def observations(n: int, seed: int = 0) -> dict[str, th.Tensor]:
    """Plausible observations."""
    generator = th.Generator().manual_seed(seed)
    state = th.rand((n, 4), generator=generator) * th.tensor([10.0, 0.4, 0.5, 2.0])
    ahead = th.arange(1, 11) * 3.0
    bend = 0.02 * th.randn((n, 1), generator=generator) * ahead**2
    return {"state": state, "route": th.stack([ahead.expand(n, -1), bend], dim=2)}


@pytest.fixture
def planner() -> SFTWaypointModel:
    """A planner with random weights and plausible units."""
    th.manual_seed(7)
    model = SFTWaypointModel(hidden_dims=(32, 32))
    model.waypoints_std.fill_(3.0)
    return model


@pytest.fixture
def sft_path(planner, tmp_path):
    """Its file."""
    return str(save_planner(planner, tmp_path / "model.pt"))


@pytest.fixture
def make_model(sft_path):
    """A function that makes a model of an algorithm on a few short envs."""

    def make(algorithm=PPO, sft=sft_path, n_envs=4, policy_kwargs=None, **kwargs):
        venv = make_waypoint_vec_env(n_envs=n_envs, seed=1, route_length=30)
        options = {**SMALL[algorithm], **kwargs}
        return algorithm(DeltaWaypointPolicy, venv, policy_kwargs={"sft": sft, **(policy_kwargs or {})}, seed=1, **options)

    return make
