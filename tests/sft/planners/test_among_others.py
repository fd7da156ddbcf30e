"""The planners that see other road users."""

import json

import gymnasium as gym
import numpy as np
import pytest
import torch

from sb3_delta_waypoint.contract import GROUPS
from sb3_delta_waypoint.envs.spaces import NOBODY, observation_space
from sb3_delta_waypoint.episodes.reader import read_episodes
from sb3_delta_waypoint.episodes.recorder import record_episodes
from sb3_delta_waypoint.sft.checkpoint import load_planner, save_planner
from sb3_delta_waypoint.sft.planners import AttentionWaypointModel, PooledWaypointModel
from sb3_delta_waypoint.sft.planners.protocol import check_trainable
from tests.command_line import call

BOTH = pytest.mark.parametrize("planner_class", [AttentionWaypointModel, PooledWaypointModel])
WITHOUT_LIMITS = ("state", "route", "agents", "agents_valid", "signal")


def observations(batch=6, seed=0):
    space = observation_space(GROUPS)
    space.seed(seed)
    drawn = [space.sample() for _ in range(batch)]
    return {name: torch.as_tensor(np.stack([one[name] for one in drawn])) for name in space}


def made(planner_class, **kwargs):
    torch.manual_seed(3)
    return planner_class(**kwargs).eval()


@BOTH
def test_shapes(planner_class):
    planner = made(planner_class, horizon_steps=7, plan_dt=0.2)
    latent, waypoints = planner(observations(batch=5))
    assert latent.shape == (5, planner.latent_dim) and waypoints.shape == (5, 7, 2)
    assert planner.plan_dt == 0.2 and set(planner.observation_keys) == set(GROUPS)
    check_trainable(planner.train(), observations(2), planner_class.__name__)


@BOTH
def test_every_group_matters(planner_class):
    planner, seen = made(planner_class), observations()
    for name in GROUPS:
        changed = 1.0 - seen[name] if name == "agents_valid" else 0.5 * seen[name]
        assert not torch.allclose(planner({**seen, name: changed})[1], planner(seen)[1], atol=1e-4), name


@BOTH
def test_the_order_of_the_others_means_nothing(planner_class):
    planner, seen = made(planner_class), observations()
    order = torch.randperm(16, generator=torch.Generator().manual_seed(0))
    shuffled = {**seen, "agents": seen["agents"][:, order], "agents_valid": seen["agents_valid"][:, order]}
    torch.testing.assert_close(planner(shuffled), planner(seen), rtol=1e-4, atol=1e-5)


@BOTH
@pytest.mark.parametrize("junk", [1e6, float("nan"), float("inf")])
def test_rows_that_hold_nobody_are_never_read(planner_class, junk):
    planner, seen = made(planner_class), observations()
    absent = seen["agents_valid"] <= 0.5
    assert absent.any() and not absent.all()
    spoilt = {**seen, "agents": seen["agents"].masked_fill(absent[..., None], junk)}
    assert torch.equal(planner(spoilt)[1], planner(seen)[1])
    planner(spoilt)[1].sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in planner.parameters())


@BOTH
def test_nobody_may_be_there(planner_class):
    planner = made(planner_class)
    alone = {**observations(), **{name: torch.as_tensor(values).expand(6, *values.shape) for name, values in NOBODY.items()}}
    latent, waypoints = planner(alone)
    assert latent.isfinite().all() and waypoints.isfinite().all()
    waypoints.sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in planner.parameters())


@BOTH
def test_a_yaw_of_pi_is_one_of_minus_pi(planner_class):
    planner, seen = made(planner_class), observations()
    turned = [seen["agents"].clone(), seen["agents"].clone()]
    turned[0][..., 2], turned[1][..., 2] = torch.pi, -torch.pi
    first, second = (planner({**seen, "agents": agents})[1] for agents in turned)
    torch.testing.assert_close(first, second, rtol=1e-4, atol=1e-5)


@BOTH
def test_its_file_brings_it_back(planner_class, tmp_path):
    planner = made(planner_class, horizon_steps=4, groups=WITHOUT_LIMITS, width=32)
    planner.fit_normalisation(observations(), torch.randn(6, 4, 2))
    assert json.loads(json.dumps(planner.config())) == planner.config()
    loaded = load_planner(save_planner(planner, tmp_path / "model.pt"))
    assert type(loaded) is planner_class and loaded.config() == planner.config()
    seen = observations()
    assert torch.equal(loaded(seen)[1], planner(seen)[1])
    del seen["speed_limit"]
    loaded(seen)


@BOTH
@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"width": 0}, "width=0: expected a positive"),
        ({"horizon_steps": 0}, "horizon_steps=0"),
        ({"plan_dt": 0.0}, "plan_dt=0.0"),
        ({"groups": ("state", "route", "agents")}, "needs 'agents_valid'"),
        ({"groups": ("state", "route")}, "needs 'agents'"),
        ({"groups": ("lidar",)}, "'lidar': there is no such group"),
    ],
)
def test_what_makes_no_sense_is_refused(planner_class, kwargs, message):
    with pytest.raises(ValueError, match=message):
        planner_class(**kwargs)


@BOTH
def test_missing_groups_and_wrong_shapes_are_named(planner_class):
    planner, seen = made(planner_class), observations()
    with pytest.raises(ValueError, match=r"'agents' has the shape \(6, 15, 7\); the planner reads \(batch, 16, 7\)"):
        planner({**seen, "agents": seen["agents"][:, 1:]})
    del seen["signal"]
    with pytest.raises(ValueError, match="lacks 'signal'"):
        planner(seen)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Two short drives that hold all groups."""
    out = tmp_path_factory.mktemp("traffic")
    record_episodes(gym.make("ToyWaypoint-v0", route_length=20.0, horizon_steps=6, observe=tuple(GROUPS)), 2, out)
    return out


@pytest.mark.parametrize("name", ["attention", "pooled"])
def test_sft_trains_it_by_its_name(name, recorded, tmp_path):
    assert set(read_episodes(f"{recorded}/*.json")[0][0].observations) == set(GROUPS)
    few = ("--num-steps", 30, "--batch-size", 16, "--planner-kwargs", "width:16", "--out", tmp_path)
    result = call("sft", "--episodes-glob", f"{recorded}/*.json", "--planner", name, *few)
    assert result.exit_code == 0, result.output
    planner = load_planner(tmp_path / "model.pt")
    assert planner.config()["width"] == 16 and planner.horizon_steps == 6
    assert planner.residual_std.shape == (6, 2) and not (planner.residual_std == 1.0).all()
