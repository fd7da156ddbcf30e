"""What is said of planners that break the contract."""

import numpy as np
import pytest
import torch
from torch import nn

from sb3_delta_waypoint.sft.planners.finding import new_planner
from sb3_delta_waypoint.sft.planners.protocol import check_trainable

DATA = {"state": torch.rand(3, 4), "route": torch.rand(3, 10, 2)}


class Linear(nn.Module):
    """The shortest planner that keeps the contract."""

    observation_keys = ("state",)

    def __init__(self, horizon_steps, plan_dt, width=3):
        super().__init__()
        self.horizon_steps, self.plan_dt, self.width = horizon_steps, plan_dt, width
        self.encoder, self.head = nn.Linear(4, width), nn.Linear(width, 2 * horizon_steps)

    def config(self):
        return {"horizon_steps": self.horizon_steps, "plan_dt": self.plan_dt, "width": self.width}

    def forward(self, observation):
        latent = self.encoder(observation["state"])
        return latent, self.head(latent).unflatten(1, (self.horizon_steps, 2))


class WithoutArguments(nn.Module):
    """What is used as it is."""

    horizon_steps = 5


def variant(**changes):
    return type("Broken", (Linear,), changes)


def check(planner_class, **kwargs):
    planner, name = new_planner(planner_class, 5, 0.2, kwargs)
    check_trainable(planner, DATA, name)
    return planner


def test_a_planner_that_keeps_the_contract():
    assert check(Linear, width=7).config() == {"horizon_steps": 5, "plan_dt": 0.2, "width": 7}


def waypoints_flat(self, observation):
    latent, waypoints = Linear.forward(self, observation)
    return latent, waypoints.flatten(1)


def latent_deep(self, observation):
    latent, waypoints = Linear.forward(self, observation)
    return latent[..., None], waypoints


def detached(self, observation):
    latent, waypoints = Linear.forward(self, observation)
    return latent, waypoints.detach()


def changed(latent=lambda latent: latent, waypoints=lambda plans: plans):
    def forward(self, observation):
        mine, plans = Linear.forward(self, observation)
        return latent(mine), waypoints(plans)

    return forward


def with_config(**changes):
    return lambda self: {**Linear.config(self), **changes}


def forgets_horizon(self, horizon_steps, plan_dt):
    Linear.__init__(self, 9, plan_dt)


def forgets_plan_dt(self, horizon_steps, plan_dt):
    Linear.__init__(self, horizon_steps, plan_dt)
    del self.plan_dt


def wide_errors(self, horizon_steps, plan_dt, width=3):
    Linear.__init__(self, horizon_steps, plan_dt, width)
    self.register_buffer("residual_std", torch.ones(2))


def frozen(self, horizon_steps, plan_dt, width=3):
    Linear.__init__(self, horizon_steps, plan_dt, width)
    self.requires_grad_(False)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"config": None}, r"lacks config\(\): return the constructor's arguments"),
        ({"config": lambda self: [5]}, r"config\(\) gives \[5\]; return the arguments by name"),
        ({"config": lambda self: {"depth": 3}}, r"cannot be built again from its config\(\), {'depth': 3}: .*'depth'"),
        (
            {"config": with_config(extra=object())},
            r"config\(\) gives {'extra': <object .*}, which its file cannot hold: return num",
        ),
        ({"config": with_config(width=np.float64(7))}, r"gives {'width': np.float64\(7.0\)}, which its file cannot hold"),
        ({"config": with_config(widths=[{"a": {7}}])}, r"gives {'widths': .*}, which its file cannot hold"),
        (
            {"config": lambda self: {"horizon_steps": 5, "plan_dt": 0.2}},
            r"other tensors \(encoder.bias, encoder.weight, head.weight\).*every argument",
        ),
        ({"forward": lambda self, observation: observation["state"]}, r"gives a Tensor; return the tensors \(latent, way"),
        ({"forward": lambda self, observation: (1, 2, 3)}, r"gives 3 values; return the tensors"),
        ({"forward": waypoints_flat}, r"waypoints have the shape \(3, 10\); expected \(3, 5, 2\).*view\("),
        ({"forward": latent_deep}, r"latent has the shape \(3, 7, 1\); expected \(3, D\): flatten it"),
        ({"forward": detached}, "waypoints do not depend on its parameters; forward.. must not detach"),
        ({"forward": changed(waypoints=lambda plans: plans / 0.0)}, "waypoints are not finite; normalise"),
        ({"forward": changed(latent=lambda latent: latent / 0.0)}, "latent are not finite; normalise"),
        ({"forward": changed(latent=lambda latent: latent[:1])}, r"latent has the shape \(1, 7\); expected \(3, D\)"),
        ({"forward": changed(latent=lambda latent: latent.double())}, r"latent are torch.float64; .*: convert by .float\(\)"),
        ({"forward": changed(waypoints=lambda plans: plans.long())}, r"waypoints are torch.int64; expected torch.float32"),
        ({"__init__": wide_errors}, r"residual_std has the shape \(2,\); expected \(5, 2\)"),
        ({"__init__": frozen}, "has no parameters to train"),
    ],
)
def test_what_breaks_the_contract_is_named_with_the_remedy(changes, said):
    with pytest.raises(ValueError, match=f"planner 'Broken'.*{said}"):
        check(variant(**changes), width=7)


@pytest.mark.parametrize(
    ("planner", "kwargs", "said"),
    [
        (
            Linear,
            {"depth": 2},
            r"cannot be built with .*plan_dt=0.2, depth=2: .*'depth'; it takes \(.*width=3\)",
        ),
        (Linear, {"width": -3}, "planner 'Linear' cannot be built with .*width=-3: .*negative dim.*; it takes"),
        (Linear, "width", "planner 'Linear' cannot be built with 'width': expected arguments by name, a mapping"),
        (
            WithoutArguments,
            {},
            r"'WithoutArguments' cannot be built with horizon_steps=5, plan_dt=0.2: give it an __init__\(\)",
        ),
        (variant(__init__=forgets_horizon), {}, "was built with horizon_steps=5 and says 9: keep it, self.horizon_steps"),
        (
            variant(__init__=forgets_plan_dt),
            {},
            "plan_dt=0.2 and plans in steps of 0.1 s: keep it, self.plan_dt",
        ),
        (variant(observation_keys=3), {}, "planner 'Broken': observation_keys is 3; expected names"),
        (dict, {}, "'dict' is no class of torch.nn.Module"),
        (nn.Linear(2, 2), {}, "is no class of torch.nn.Module: training builds a new planner"),
        ("model.pt", {}, "planner='model.pt': expected a class or its import path"),
        ("no_such_module:Planner", {}, "cannot import 'no_such_module'.*PYTHONPATH"),
    ],
)
def test_what_cannot_be_built(planner, kwargs, said):
    with pytest.raises(ValueError, match=said):
        new_planner(planner, 5, 0.2, kwargs)
