"""Planners and envs of other packages: other groups than state and route, classes with arguments, models that are loaded."""

import sys

import gymnasium as gym
import numpy as np
import pytest
import torch as th
from gymnasium import spaces
from stable_baselines3 import PPO

from sb3_delta_waypoint import GRPO, DeltaWaypointPolicy, SFTWaypointModel, WaypointPolicy, make_waypoint_vec_env
from sb3_delta_waypoint.sft import trust
from sb3_delta_waypoint.sft.checkpoint import save_planner

SMALL = {"n_steps": 16, "batch_size": 16, "n_epochs": 1, "device": "cpu"}


class WithoutRoute(gym.Env):
    """Gives the state and a group of its own; the car never moves."""

    observation_space = spaces.Dict(
        {
            "state": spaces.Box(np.float32([0, -1.5, -10, -30]), np.float32([60, 1.5, 10, 30])),
            "lidar": spaces.Box(0.0, 50.0, (12,), np.float32),
        }
    )
    action_space = spaces.Box(-100.0, 100.0, (20, 2), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return self.observation(), {}

    def step(self, action):
        self.steps += 1
        return self.observation(), float(-np.abs(action).mean()), False, self.steps == 5, {}

    def observation(self):
        return {"state": np.float32([5.0, 0.1, 0.2, 0.3]), "lidar": self.np_random.uniform(0, 50, 12).astype(np.float32)}


class Lidar(th.nn.Module):
    """Reads what no contract knows."""

    horizon_steps, plan_dt, observation_keys = 20, 0.1, ("lidar",)

    def __init__(self, width=6):
        super().__init__()
        self.width, self.layer = width, th.nn.Linear(12, width)

    def config(self):
        return {"width": self.width}

    def forward(self, observation):
        latent = self.layer(observation["lidar"])
        return latent, latent[:, :2, None].expand(-1, 2, 20).transpose(1, 2)


@pytest.mark.parametrize(
    ("planner", "n_inputs"), [(SFTWaypointModel(hidden_dims=(8,), groups=("state",)), 8 + 4 + 40), (Lidar(), 6 + 40)]
)
def test_a_planner_that_reads_no_route_is_refined_saved_and_loaded(planner, n_inputs, tmp_path):
    model = PPO(DeltaWaypointPolicy, WithoutRoute(), policy_kwargs={"sft": planner}, **SMALL)
    assert model.policy.delta_net[0].in_features == n_inputs
    assert (model.policy.encode(model.policy.obs_to_tensor(WithoutRoute().reset(seed=0)[0])[0]).stretch == 1.0).all()
    before = model.policy.delta_net[-1].weight.clone()
    model.learn(32)
    assert (model.policy.delta_net[-1].weight != before).any()
    model.save(tmp_path / "model.zip")
    observation = WithoutRoute().reset(seed=3)[0]
    expected = model.predict(observation, deterministic=True)[0]
    with trust.trusting(__name__):
        policy = WaypointPolicy(tmp_path / "model.zip", device="cpu")
    assert policy.observation_keys == planner.observation_keys
    read = {key: observation[key] for key in policy.observation_keys}
    np.testing.assert_array_equal(policy(read), expected)
    assert policy({key: np.stack([value, value]) for key, value in read.items()}).shape == (2, 20, 2)


def test_a_planner_alone_says_which_observation_it_misses():
    policy = WaypointPolicy(Lidar())
    assert policy({"lidar": np.zeros(12, np.float32)}).shape == (20, 2)
    assert policy({"lidar": np.zeros((3, 12), np.float32)}).shape == (3, 20, 2)
    with pytest.raises(ValueError, match=r"lacks 'lidar', which the planner reads; it has \['state'\]"):
        policy({"state": np.zeros(4, np.float32)})


class Given(th.nn.Module):
    """Plans what it was given."""

    horizon_steps, observation_keys = 20, ("state",)

    def __init__(self, forward):
        super().__init__()
        self.given = forward

    def forward(self, observation):
        return self.given(observation["state"], observation["state"].new_zeros(len(observation["state"]), 20, 2))


@pytest.mark.parametrize(
    ("forward", "said"),
    [
        (lambda state, plans: plans, "gives a Tensor; return the tensors"),
        (lambda state, plans: (state.numpy(), plans.numpy()), "gives 2 values, not all tensors; return the tensors"),
        (lambda state, plans: (state, plans, plans), "gives 3 values"),
        (lambda state, plans: (state, plans[:, :7]), r"waypoints have the shape \(2, 7, 2\); expected \(2, 20, 2\)"),
        (lambda state, plans: (state, plans.double()), "waypoints are torch.float64"),
        (lambda state, plans: (state, plans / 0.0), "waypoints are not finite"),
    ],
)
def test_what_is_no_plan_is_named_when_driving_and_before_refining(forward, said):
    policy = WaypointPolicy(Given(forward), device="cpu")
    with pytest.raises(ValueError, match=f"planner 'Given': .*{said}"):
        policy({"state": np.zeros((2, 4), np.float32)})
    with pytest.raises(ValueError, match=f"planner 'Given': .*{said}"):
        PPO(DeltaWaypointPolicy, WithoutRoute(), policy_kwargs={"sft": Given(forward)}, **SMALL)


def test_a_latent_must_have_a_row_per_observation_and_be_finite():
    for forward, said in (
        (lambda state, plans: (state[:1], plans), r"latent has the shape \(1, 4\); expected \(2, D\)"),
        (lambda state, plans: (state / 0.0, plans), "latent are not finite"),
    ):
        with pytest.raises(ValueError, match=f"planner 'Given': its {said}"):
            PPO(DeltaWaypointPolicy, WithoutRoute(), policy_kwargs={"sft": Given(forward)}, **SMALL)


def test_a_planner_may_divide_by_what_is_never_zero_on_the_road():
    given = Given(lambda state, plans: (state / state.norm(dim=1, keepdim=True), plans))
    PPO(DeltaWaypointPolicy, WithoutRoute(), policy_kwargs={"sft": given}, **SMALL)


def test_a_refined_planner_whose_plans_are_not_finite_is_named():
    planner = Given(lambda state, plans: (state, plans))
    policy = WaypointPolicy(PPO(DeltaWaypointPolicy, WithoutRoute(), policy_kwargs={"sft": planner}, **SMALL))
    policy.module.features_extractor.planner.given = lambda state, plans: (state, plans / 0.0)
    with pytest.raises(ValueError, match="planner 'Given': its waypoints are not finite"):
        policy(WithoutRoute().reset(seed=0)[0])


MODULE = """
from sb3_delta_waypoint import SFTWaypointModel

class Typed(SFTWaypointModel):
    def __init__(self, width, **kwargs):
        super().__init__(**{"hidden_dims": (width,), **kwargs})
"""


@pytest.fixture
def typed_planner(tmp_path, monkeypatch):
    (tmp_path / "planner_with_arguments.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(trust, "_typed", set())
    yield "planner_with_arguments:Typed"
    sys.modules.pop("planner_with_arguments", None)


@pytest.mark.parametrize(("algorithm", "options"), [(PPO, {}), (GRPO, {"group_size": 2})])
def test_a_planner_by_import_path_takes_arguments(algorithm, options, typed_planner, tmp_path):
    venv = make_waypoint_vec_env(n_envs=2, seed=0, group_size=2, route_length=30.0)
    policy_kwargs = {"sft": typed_planner, "sft_kwargs": {"width": 24}}
    model = algorithm(DeltaWaypointPolicy, venv, policy_kwargs=policy_kwargs, **options, **SMALL)
    assert model.policy.features_extractor.planner.hidden_dims == (24,)
    model.save(tmp_path / "model.zip")
    observation = venv.reset()
    expected = WaypointPolicy(model, device="cpu")(observation)
    np.testing.assert_array_equal(WaypointPolicy(tmp_path / "model.zip", device="cpu")(observation), expected)
    trust._typed.clear()
    with pytest.raises(trust.UntrustedError, match="--trust planner_with_arguments"):
        WaypointPolicy(tmp_path / "model.zip")


def test_arguments_that_nobody_takes(typed_planner, tmp_path):
    venv = make_waypoint_vec_env(n_envs=2, seed=0)
    path = str(save_planner(SFTWaypointModel(hidden_dims=(8,)), tmp_path / "model.pt"))
    for sft, kwargs, said in (
        (typed_planner, None, "planner_with_arguments:Typed' cannot be built with no arguments: .*'width'"),
        (typed_planner, {"width": 8, "depth": 2}, "depth=2: .*unexpected keyword argument 'depth'"),
        (typed_planner, {"width": -3}, "planner_with_arguments:Typed' cannot be built with width=-3: .*positive integers"),
        (path, {"width": 8}, "model.pt' takes no arguments, but was given width: only an import path"),
        (None, {"width": 8}, "planner of this package' takes no arguments"),
    ):
        with pytest.raises(ValueError, match=said):
            PPO(DeltaWaypointPolicy, venv, policy_kwargs={"sft": sft, "sft_kwargs": kwargs}, **SMALL)


def test_head_inputs_that_nobody_named_are_those_of_the_saved_planner(tmp_path):
    path = save_planner(SFTWaypointModel(hidden_dims=(8,), groups=("state",)), tmp_path / "model.pt")
    PPO(DeltaWaypointPolicy, WithoutRoute(), policy_kwargs={"sft": str(path)}, **SMALL).save(tmp_path / "model.zip")
    path.unlink()
    loaded = PPO.load(tmp_path / "model.zip", device="cpu")
    assert loaded.policy.features_extractor.head_inputs == ("latent", "observation", "sft_waypoints")
    other = PPO(DeltaWaypointPolicy, WithoutRoute(), policy_kwargs={"sft": Lidar(), "head_inputs": ("latent",)}, **SMALL)
    with pytest.raises(ValueError, match=r"head_inputs=\('latent',\), but the state to load was trained with"):
        other.policy.load_state_dict(loaded.policy.state_dict())
