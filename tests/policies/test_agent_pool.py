"""The heads see the other road users, whether or not the planner does."""

import numpy as np
import pytest
import torch as th
from stable_baselines3 import PPO

from sb3_delta_waypoint import GRPO, DeltaWaypointPolicy, SFTWaypointModel, WaypointPolicy, make_waypoint_vec_env
from sb3_delta_waypoint.callbacks import EncodeOnceCallback
from sb3_delta_waypoint.contract import EGO_GROUPS, GROUPS
from sb3_delta_waypoint.envs.spaces import NOBODY, observation_space
from sb3_delta_waypoint.policies.agent_pool import AGENTS_SIZE, AgentPool
from sb3_delta_waypoint.policies.extractor import FrozenPlannerExtractor
from sb3_delta_waypoint.policies.observed import observe_for
from sb3_delta_waypoint.sft.planners import AttentionWaypointModel, PooledWaypointModel
from tests.policies.conftest import SMALL

ALL = tuple(GROUPS)


def seen(batch=6) -> dict[str, th.Tensor]:
    space = observation_space(GROUPS)
    space.seed(0)
    drawn = [space.sample() for _ in range(batch)]
    return {name: th.as_tensor(np.stack([one[name] for one in drawn])) for name in space}


def make(planner, algorithm=PPO, observe=ALL, **policy_kwargs):
    venv = make_waypoint_vec_env(n_envs=4, seed=1, route_length=30, observe=observe)
    kwargs = {"sft": planner, **policy_kwargs}
    return algorithm(DeltaWaypointPolicy, venv, policy_kwargs=kwargs, seed=1, **SMALL[algorithm])


def moved(policy) -> DeltaWaypointPolicy:
    """A policy whose heads depend on all of their inputs."""
    th.manual_seed(5)
    with th.no_grad():
        for parameter in policy.delta_net[-1].parameters():
            parameter.normal_()
    return policy


PLANNERS = {
    "blind": lambda: SFTWaypointModel(hidden_dims=(8,)),
    "attention": lambda: AttentionWaypointModel(width=16),
    "pooled": lambda: PooledWaypointModel(width=16),
}


@pytest.fixture(params=list(PLANNERS))
def planner(request):
    th.manual_seed(2)
    return PLANNERS[request.param]()


def heads(policy, observation):
    with th.no_grad():
        distribution = policy.get_distribution(observation)
        return distribution.delta, policy.predict_values(observation)


def test_the_heads_depend_on_the_others_but_not_on_their_order_nor_on_empty_rows(planner):
    policy, observation = moved(make(planner, max_delta=None).policy), seen()
    agents, valid = observation["agents"], observation["agents_valid"]
    expected = heads(policy, observation)
    order = th.randperm(16, generator=th.Generator().manual_seed(0))
    th.testing.assert_close(
        heads(policy, {**observation, "agents": agents[:, order], "agents_valid": valid[:, order]}),
        expected,
        rtol=1e-3,
        atol=1e-3,
    )
    empty = th.where(valid[..., None] > 0.5, agents, agents.flip(0))
    for got, wanted in zip(heads(policy, {**observation, "agents": empty}), expected, strict=True):
        assert th.equal(got, wanted)
    other = th.where(valid[..., None] > 0.5, agents.flip(0), agents)
    for got, wanted in zip(heads(policy, {**observation, "agents": other}), expected, strict=True):
        assert not th.allclose(got, wanted, atol=1e-3)


def test_the_heads_have_an_encoder_of_their_own(planner):
    policy = make(planner).policy
    assert "traffic" in policy.features_extractor.head_inputs and isinstance(policy.delta_agents, AgentPool)
    in_groups = [{id(p) for p in group["params"]} for group in policy.optimizer.param_groups]
    assert {id(p) for p in policy.value_agents.parameters()} <= in_groups[1]
    assert {id(p) for p in policy.delta_agents.parameters()} <= in_groups[0]
    without = make(planner, head_inputs=("latent", "observation")).policy
    assert not isinstance(without.delta_agents, AgentPool)
    heads(without, seen())


def test_signal_and_limits_are_inputs_of_the_heads_once():
    space = observation_space(GROUPS)
    blind = FrozenPlannerExtractor(space, SFTWaypointModel(hidden_dims=(8,)), 20)
    assert blind.features_dim == 8 + 24 + 40 + 40 + AGENTS_SIZE + 10 + 2
    reader = SFTWaypointModel(hidden_dims=(8,), groups=(*EGO_GROUPS, "signal"))
    assert FrozenPlannerExtractor(space, reader, 20).features_dim == blind.features_dim
    sees = FrozenPlannerExtractor(space, AttentionWaypointModel(width=16), 20)
    assert sees.features_dim == 16 + 24 + 10 + 2 + 40 + 40 + AGENTS_SIZE, "the rows of the others are no inputs twice"
    with pytest.raises(ValueError, match="'signal' holds -1"):
        blind({**seen(2), "signal": -th.ones(2, 2)})


def test_nobody_may_be_there(planner):
    policy = moved(make(planner).policy)
    alone = {name: th.as_tensor(values).expand(6, *values.shape) for name, values in NOBODY.items()}
    delta, values = heads(policy, {**seen(), **alone})
    assert delta.isfinite().all() and values.isfinite().all()


@pytest.mark.parametrize("algorithm", list(SMALL))
def test_it_starts_as_the_planner_and_learns(planner, algorithm, tmp_path):
    model = make(planner, algorithm)
    observation = model.env.reset()
    with th.no_grad():
        expected = planner.eval()({name: th.as_tensor(values) for name, values in observation.items()})[1].numpy()
    assert (model.predict(observation, deterministic=True)[0] == expected).all()
    model.learn(256, callback=EncodeOnceCallback())
    model.save(tmp_path / "model.zip")
    loaded = algorithm.load(tmp_path / "model.zip", env=model.env)
    assert (loaded.predict(observation, deterministic=True)[0] == model.predict(observation, deterministic=True)[0]).all()


def test_grpo_trains_it(planner):
    venv = make_waypoint_vec_env(n_envs=4, seed=1, route_length=20, observe=ALL, group_size=4)
    model = GRPO(DeltaWaypointPolicy, venv, n_steps=16, group_size=4, n_groups=1, policy_kwargs={"sft": planner}, seed=1)
    model.learn(64)
    assert model.n_trained_transitions > 0


def test_an_env_is_asked_for_what_the_heads_read(tmp_path):
    model = make(SFTWaypointModel(hidden_dims=(8,)))
    model.save(tmp_path / "model.zip")
    policy = WaypointPolicy(tmp_path / "model.zip")
    assert set(policy.observation_keys) == set(GROUPS)
    assert observe_for("ToyWaypoint-v0", policy) == {"observe": ALL}
    with pytest.raises(ValueError, match="lacks"):
        policy({name: values.numpy() for name, values in seen().items() if name in EGO_GROUPS})


def test_a_model_from_before_the_heads_saw_others_drives_alike(tmp_path):
    """Its state names its inputs; the default has changed since."""
    then = ("latent", "observation", "sft_waypoints", "route_offset")
    model = make(SFTWaypointModel(hidden_dims=(8,)), head_inputs=then)
    model.policy_kwargs["head_inputs"] = None
    model.learn(256)
    model.save(tmp_path / "model.zip")
    loaded = PPO.load(tmp_path / "model.zip", env=model.env)
    assert loaded.policy.features_extractor.head_inputs == then
    observation = model.env.reset()
    assert (loaded.predict(observation, deterministic=True)[0] == model.predict(observation, deterministic=True)[0]).all()
    loaded.learn(256, reset_num_timesteps=False)


def test_traffic_that_the_env_does_not_give_is_refused():
    with pytest.raises(
        ValueError,
        match="'traffic' needs 'route', 'agents', 'agents_valid', as in the contract, and the env gives 'route', 'state'",
    ):
        make(SFTWaypointModel(hidden_dims=(8,)), observe=EGO_GROUPS, head_inputs=("latent", "traffic"))
