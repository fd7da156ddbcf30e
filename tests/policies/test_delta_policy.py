"""DeltaWaypointPolicy under unmodified PPO, A2C and TRPO."""

import copy
import os
import pickle
import warnings

import numpy as np
import pytest
import torch as th
from sb3_contrib import TRPO
from stable_baselines3 import A2C, PPO
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import VecNormalize
from torch import nn

from sb3_delta_waypoint import DeltaWaypointPolicy, SFTWaypointModel, make_waypoint_vec_env
from sb3_delta_waypoint.policies.extractor import route_offset
from sb3_delta_waypoint.sft.checkpoint import save_planner
from tests.policies.conftest import ALGORITHMS, observations

FROZEN = "features_extractor.planner."


class Bumpy(nn.Module):
    """A planner of another package, with everything that freezing must handle."""

    horizon_steps = 20

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(24, 16), nn.BatchNorm1d(16), nn.Dropout(0.5), nn.Linear(16, 16))
        self.head = nn.Linear(16, 40)

    def forward(self, observation):
        latent = self.layers(th.cat([observation["state"], observation["route"].flatten(1)], dim=1))
        return latent, self.head(latent).view(-1, 20, 2)


def plans(model, n=5) -> np.ndarray:
    return model.predict({key: value.numpy() for key, value in observations(n).items()}, deterministic=True)[0]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize(
    "options", [{}, {"basis": "along_across"}, {"state_dependent_std": True, "basis": "independent", "max_delta": None}]
)
def test_starts_as_the_planner_to_the_last_bit_and_learns(algorithm, options, make_model, planner):
    model = make_model(algorithm, policy_kwargs=options)
    with th.no_grad():
        expected = planner(observations(5))[1].numpy()
    assert (plans(model) == expected).all()
    model.learn(256)
    assert (plans(model) != expected).any()
    for name, tensor in planner.state_dict().items():
        assert (model.policy.state_dict()[FROZEN + name] == tensor).all()
    evaluate_policy(model, model.get_env(), n_eval_episodes=2)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_frozen_is_frozen_even_with_batchnorm_and_dropout(algorithm, make_model):
    planner = Bumpy()
    planner.layers[1].running_mean.fill_(0.3)
    before = {name: tensor.clone() for name, tensor in planner.state_dict().items()}
    model = make_model(algorithm, sft=planner)
    assert (plans(model) == plans(model)).all()
    model.learn(256)
    frozen = {name: tensor for name, tensor in model.policy.state_dict().items() if name.startswith(FROZEN)}
    assert {name.removeprefix(FROZEN) for name in frozen} == set(before)
    for name, tensor in before.items():
        assert (frozen[FROZEN + name] == tensor).all()
        assert (planner.state_dict()[name] == tensor).all(), "the planner that was given stays as it is"
    in_optimizer = {id(parameter) for group in model.policy.optimizer.param_groups for parameter in group["params"]}
    assert in_optimizer == {id(parameter) for parameter in model.policy.parameters()}
    assert not any(name.startswith(FROZEN) for name, _ in model.policy.named_parameters())


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_saved_models_live_without_the_planner_file(algorithm, make_model, sft_path, tmp_path):
    model = make_model(algorithm, policy_kwargs={"state_dependent_std": True})
    model.learn(256)
    expected = plans(model)
    model.save(tmp_path / "model")
    model.policy.save(tmp_path / "policy")
    os.remove(sft_path)
    loaded = algorithm.load(tmp_path / "model", env=model.get_env())
    assert (plans(loaded) == expected).all()
    policy = DeltaWaypointPolicy.load(tmp_path / "policy")
    assert (plans(policy) == expected).all()
    state, loaded_state = (m.policy.optimizer.state_dict()["state"] for m in (model, loaded))
    assert state.keys() == loaded_state.keys()
    for index in state:
        for name, value in state[index].items():
            assert (th.as_tensor(value) == th.as_tensor(loaded_state[index][name])).all()
    loaded.learn(128, reset_num_timesteps=False)
    assert (plans(loaded) != expected).any()


def test_loading_prefers_the_saved_planner_to_a_changed_file(make_model, sft_path, tmp_path):
    model = make_model()
    expected = plans(model)
    model.save(tmp_path / "model")
    save_planner(SFTWaypointModel(hidden_dims=(8,)), sft_path)
    assert (plans(PPO.load(tmp_path / "model")) == expected).all()


def test_set_parameters(make_model):
    model, other = make_model(), make_model()
    model.learn(256)
    other.set_parameters(model.get_parameters())
    assert (plans(other) == plans(model)).all()


def test_a_missing_planner_file_is_named_before_anything_is_learnt(make_model):
    model = make_model(sft="nowhere/model.pt")
    with pytest.raises(FileNotFoundError, match="nowhere/model.pt"):
        model.learn(64)


def test_residual_is_bounded(make_model):
    model = make_model(policy_kwargs={"max_delta": 0.5})
    last = model.policy.delta_net[-1]
    nn.init.normal_(last.weight, std=50.0)
    with th.no_grad():
        distribution = model.policy.get_distribution(observations(50))
        assert 0.45 < distribution.delta.abs().max() <= 0.5
        assert distribution.kl_to(model.policy.reference_log_std).isfinite().all()


def test_exploration_may_go_beyond_the_bound_of_decisions(make_model):
    model = make_model(policy_kwargs={"max_delta": 0.05, "log_std_init": 0.0})
    nn.init.normal_(model.policy.delta_net[-1].weight, std=5.0)
    with th.no_grad():
        distribution = model.policy.get_distribution(observations(50))
        samples, decisions = distribution.sample(), distribution.mode()
        assert (decisions - distribution.sft_waypoints).abs().max() <= 0.0501
        assert (samples - distribution.sft_waypoints).abs().max() > 0.1
        # with the density of the Gaussian whose mean is bounded
        unit = distribution.basis.to_coordinates((samples - decisions).flatten(1) / distribution.stretch)
        log_det = distribution.basis.log_det + 40 * distribution.stretch.log().squeeze(1)
        expected = th.distributions.Normal(0.0, 1.0).log_prob(unit).sum(dim=1) - log_det
    th.testing.assert_close(distribution.log_prob(samples), expected, rtol=1e-4, atol=1e-2)


def test_separate_learning_rates(make_model):
    model = make_model(policy_kwargs={"delta_lr_scale": 0.0, "value_lr_scale": 2.0})
    before = {name: value.clone() for name, value in model.policy.named_parameters()}
    model.learn(256)
    for name, value in model.policy.named_parameters():
        assert (value == before[name]).all() == (not name.startswith("value_net"))
    assert {group["lr"] for group in model.policy.optimizer.param_groups} == {model.lr_schedule(1.0)}


def test_a_copy_keeps_its_learning_rate_scales(make_model):
    policy = make_model(policy_kwargs={"delta_lr_scale": 0.0, "value_lr_scale": 2.0}).policy
    copies = [policy, copy.deepcopy(policy), pickle.loads(pickle.dumps(policy))]
    for one in copies:
        for parameter in one.parameters():
            parameter.grad = th.ones_like(parameter)
        one.optimizer.param_groups[0]["lr"] = one.optimizer.param_groups[1]["lr"] = 1e-3
        one.optimizer.step()
    for name, value in policy.named_parameters():
        for one in copies[1:]:
            assert (dict(one.named_parameters())[name] == value).all(), name
    start = make_model().policy
    moved = (policy.value_net[-1].bias - start.value_net[-1].bias).item()
    assert moved == pytest.approx(-2e-3, rel=1e-3) and (policy.log_std == start.log_std).all()


OTHERS = {
    "max_delta": 5.0,
    "head_inputs": ("route_offset", "sft_waypoints", "observation", "latent"),
    "basis": "independent",
    "residual_scale": (0.1, 1.0),
    "state_dependent_std": True,
    "delta_hidden_dim": 32,
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_state_from_other_options_is_refused(name, make_model):
    model, other = make_model(), make_model(policy_kwargs={name: OTHERS[name]})
    before = plans(other)
    with pytest.raises(ValueError, match=f"^{name}=.*the state to load was trained with {name}="):
        other.set_parameters(model.get_parameters())
    assert (plans(other) == before).all()


def test_options_that_only_train_may_differ(make_model):
    model, other = make_model(), make_model(policy_kwargs={"log_std_init": -0.5, "delta_lr_scale": 0.5})
    other.policy.load_state_dict(model.policy.state_dict())
    assert (plans(other) == plans(model)).all() and (other.policy.log_std == model.policy.log_std).all()


def test_a_saved_policy_brings_its_options(make_model, tmp_path):
    policy = make_model(policy_kwargs={"max_delta": 0.25, "delta_lr_scale": 0.5, "head_inputs": ["latent"]}).policy
    policy.save(tmp_path / "policy")
    loaded = DeltaWaypointPolicy.load(tmp_path / "policy")
    assert loaded.get_extra_state() == policy.get_extra_state() and loaded.get_extra_state()["options"]["max_delta"] == 0.25
    assert loaded.optimizer.param_groups[0]["lr_scale"] == 0.5


def test_a_state_from_before_options_travelled_is_taken(make_model):
    model, other = make_model(), make_model()
    state = model.policy.state_dict()
    del state["_extra_state"]["options"]
    other.policy.load_state_dict(state)
    assert (plans(other) == plans(model)).all()


def test_normalised_observations_are_noticed(make_model):
    model = make_model(n_envs=8)
    model.set_env(VecNormalize(model.get_env()))
    with pytest.raises(ValueError, match="'state' holds -.*VecNormalize.*norm_obs=False"):
        model.learn(64)
    model.set_env(VecNormalize(make_waypoint_vec_env(n_envs=8), norm_obs=False))
    model.learn(64)


@pytest.mark.parametrize("inputs", [("latent",), ("observation",), ("sft_waypoints",), ("latent", "route_offset")])
def test_what_the_heads_see(inputs, make_model):
    model = make_model(policy_kwargs={"head_inputs": inputs, "delta_hidden_dim": 8})
    widths = {"latent": 32, "observation": 24, "sft_waypoints": 40, "route_offset": 40}
    assert model.policy.delta_net[0].in_features == sum(widths[name] for name in inputs)
    assert model.policy.delta_net[0].out_features == 8
    model.learn(128)


def test_encoding_once_gives_the_same_as_encoding_each_time(make_model):
    policy = make_model().policy
    observation = observations(6)
    with th.no_grad():
        features = policy.encode(observation)
        actions, values, log_prob = policy.forward(observation)
        for source in (observation, features):
            again_values, again_log_prob, entropy = policy.evaluate_actions(source, actions)
            assert (again_values == values).all() and entropy.shape == (6,)
            th.testing.assert_close(again_log_prob, log_prob)
        assert (policy.predict_values(features) == values).all()
        assert policy.kl_to_reference(features).abs().max() < 1e-5


@pytest.mark.parametrize(
    ("env_kwargs", "policy_kwargs", "named"),
    [
        ({"horizon_steps": 10}, {}, "horizon_steps=20"),
        ({}, {"head_inputs": ("camera",)}, "camera"),
        ({}, {"head_inputs": ()}, "head_inputs"),
        ({}, {"max_delta": float("nan")}, "max_delta=nan"),
        ({}, {"basis": "wavy"}, "wavy"),
        ({}, {"residual_scale": "huge"}, "huge"),
    ],
)
def test_what_does_not_fit_is_refused_at_construction(env_kwargs, policy_kwargs, named, sft_path):
    venv = make_waypoint_vec_env(n_envs=1, **env_kwargs)
    with pytest.raises(ValueError, match=named):
        PPO(DeltaWaypointPolicy, venv, policy_kwargs={"sft": sft_path, **policy_kwargs}, n_steps=8, batch_size=8)


def test_gsde_is_refused_with_the_reason(sft_path):
    with pytest.raises(ValueError, match="gSDE"):
        PPO(DeltaWaypointPolicy, make_waypoint_vec_env(n_envs=1), policy_kwargs={"sft": sft_path}, use_sde=True)


def test_the_residual_scale_follows_the_planners_own_error(make_model, planner, sft_path):
    scales = []
    for error in (0.1, 0.5):
        planner.residual_std.fill_(error)
        save_planner(planner, sft_path)
        model = make_model()
        scales.append(model.policy.basis.matrix.norm(dim=1)[[0, -1]])
    assert th.allclose(scales[1], 5.0 * scales[0])
    planner.residual_std.fill_(9.0)
    save_planner(planner, sft_path)
    assert make_model().policy.basis.scale.max() == 2.0, "a planner that is far off needs no wilder exploration"
    assert scales[0][-1] > 2.0 * scales[0][0]


def test_residuals_are_larger_where_the_planner_has_lost_the_route(make_model):
    """A plan beside the route is explored more widely, and what is learnt about it moves it further."""
    policy = make_model().policy
    observation = observations(2)
    follows = policy.encode(observation).sft_waypoints[0]
    travelled = th.diff(follows, dim=0, prepend=th.zeros(1, 2)).norm(dim=1).cumsum(0)
    along = th.arange(1, 11) * 3.0
    ahead = (follows[th.searchsorted(travelled, along).clamp(max=19)]).clone()
    observation["route"] = th.stack([ahead, th.stack([th.zeros(10), along], dim=1)])
    stretch = policy.encode(observation).stretch.flatten()
    assert 1.0 <= stretch[0] < 0.5 * stretch[1]
    with th.no_grad():
        policy.delta_net[-1].bias.fill_(0.0003)
        distribution = policy.get_distribution(observation)
        th.testing.assert_close(
            distribution.delta[1] / distribution.delta[0], (stretch[1] / stretch[0]).expand(20, 2), rtol=0.01, atol=0
        )
        spread = th.stack([distribution.sample() for _ in range(300)]).std(dim=0).mean(dim=(1, 2))
    assert float(spread[1] / spread[0]) == pytest.approx(float(stretch[1] / stretch[0]), rel=0.1)


def test_route_offset_points_from_the_plan_to_the_route():
    ahead = th.arange(1, 11) * 3.0
    route = th.stack([th.zeros(10), ahead], dim=1)
    route[7:] = route[6]
    beside = th.stack([th.full((20,), 0.0), th.arange(1, 21) * 1.5], dim=1)
    assert route_offset(beside[None], route[None]).abs().max() < 1e-5, "beyond its end the route goes straight on"
    straight_on = th.stack([th.arange(1, 21) * 1.5, th.zeros(20)], dim=1)
    offset = route_offset(straight_on[None], route[None])[0]
    assert th.allclose(offset, beside - straight_on, atol=1e-5)


def test_a_planner_that_reads_more_than_the_env_gives_is_refused():
    planner = Bumpy()
    planner.observation_keys = ("state", "route", "front")
    with pytest.raises(ValueError, match="'front'.*'route', 'state'"):
        PPO(DeltaWaypointPolicy, make_waypoint_vec_env(n_envs=1), policy_kwargs={"sft": planner})


def test_other_envs_are_refused():
    with pytest.raises(ValueError, match=r"Box\(H, 2\)"):
        PPO(DeltaWaypointPolicy, "Pendulum-v1")


@pytest.mark.skipif(not th.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("algorithm", [PPO, A2C, TRPO])
def test_cuda(algorithm, make_model, sft_path, tmp_path):
    model = make_model(algorithm, device="cuda")
    model.learn(128)
    model.save(tmp_path / "model")
    os.remove(sft_path)
    loaded = algorithm.load(tmp_path / "model", device="cuda")
    assert loaded.policy.delta_net[0].weight.is_cuda and loaded.policy.features_extractor.planner.head.weight.is_cuda


def test_no_warnings_while_learning(make_model):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make_model().learn(128)
