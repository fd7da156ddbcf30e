"""What the heads see, and what the frozen planner refuses: envs it does not fit, observations outside their bounds."""

import numpy as np
import pytest
import torch as th
from gymnasium import spaces
from stable_baselines3 import PPO

from sb3_delta_waypoint import GRPO, DeltaWaypointPolicy, SFTWaypointModel, make_waypoint_vec_env
from sb3_delta_waypoint.envs.spaces import observation_space
from sb3_delta_waypoint.policies.extractor import HEAD_INPUTS, FrozenPlannerExtractor, route_offset
from tests.policies.conftest import observations


@pytest.fixture
def extractor(planner):
    return FrozenPlannerExtractor(observation_space(), planner, 20)


def test_inputs_of_the_heads_are_scaled_one_by_one():
    planner = SFTWaypointModel()
    extractor = FrozenPlannerExtractor(observation_space(), planner, 20, ("sft_waypoints", "observation"))
    random = np.random.default_rng(0)
    state = th.tensor(random.uniform(size=(3, 4)), dtype=th.float32)
    route = th.tensor(10.0 * random.normal(size=(3, 10, 2)), dtype=th.float32)
    waypoints, inputs, offset = extractor({"state": state, "route": route})
    th.testing.assert_close(waypoints, planner({"state": state, "route": route})[1].detach())
    th.testing.assert_close(offset, route_offset(waypoints, route))
    plan = waypoints.flatten(1)
    metres = plan[0, 0] / inputs[0, 0]
    assert metres > 1.0
    th.testing.assert_close(inputs[:, :40] * metres, plan)
    th.testing.assert_close(inputs[:, 40:44] * extractor.state_scale, state)
    th.testing.assert_close(inputs[:, 44:] * metres, route.flatten(1))


@pytest.mark.parametrize(
    ("key", "column", "value"), [("state", 0, -2.0), ("state", 3, 40.0), ("route", (7, 1), -120.0), ("state", 1, np.nan)]
)
def test_refused_by_name_and_value(extractor, key, column, value):
    observation = observations(4)
    extractor(observation)
    observation[key][(2, *np.atleast_1d(column))] = value
    with pytest.raises(ValueError, match=f"observation '{key}' holds {value:g}, outside the bounds.*VecNormalize"):
        extractor(observation)


def test_a_car_that_rolls_back_a_little_is_no_error(extractor):
    observation = observations(4)
    observation["state"][0] = th.tensor([-0.1, 1.5, 10.0, 30.0])
    extractor(observation)


def test_groups_without_bounds_and_images_are_left_alone(planner):
    space = observation_space()
    space["far"] = spaces.Box(-np.inf, np.inf, (3,), np.float32)
    space["near"] = spaces.Box(0.0, np.inf, (1,), np.float32)
    space["front"] = spaces.Box(0, 255, (3, 8, 8), np.uint8)
    planner.observation_keys = ("state", "route", "far", "near", "front")
    extractor = FrozenPlannerExtractor(space, planner, 20)
    more = {"far": th.full((2, 3), 1e9), "near": th.zeros(2, 1), "front": th.full((2, 3, 8, 8), 255.0)}
    extractor({**observations(2), **more})
    with pytest.raises(ValueError, match="'near' holds -1"):
        extractor({**observations(2), **more, "near": -th.ones(2, 1)})


def test_what_the_planner_does_not_read_is_neither_checked_nor_fed_to_the_heads(planner):
    space = observation_space()
    alone = FrozenPlannerExtractor(space, planner, 20).features_dim
    space["signal"] = spaces.Box(0.0, np.array([100.0, 1.0], np.float32), (2,), np.float32)
    extractor = FrozenPlannerExtractor(space, planner, 20)
    assert extractor.features_dim == alone
    extractor({**observations(2), "signal": -th.ones(2, 2)})
    reader = SFTWaypointModel(hidden_dims=(32,), groups=("state", "route", "signal"))
    extractor = FrozenPlannerExtractor(space, reader, 20)
    assert extractor.features_dim == alone + 2
    inputs = extractor({**observations(2), "signal": th.tensor([[40.0, 1.0], [0.0, 0.0]])}).inputs
    assert inputs[:, 32 + 24 : 32 + 26].tolist() == [[2.0, 1.0], [0.0, 0.0]]
    with pytest.raises(ValueError, match="'signal' holds -1"):
        extractor({**observations(2), "signal": -th.ones(2, 2)})


def test_a_planner_without_a_route_has_no_offset_from_it():
    planner = SFTWaypointModel(hidden_dims=(8,), groups=("state",))
    space = spaces.Dict({"state": observation_space()["state"]})
    extractor = FrozenPlannerExtractor(space, planner, 20)
    assert extractor.head_inputs == ("latent", "observation", "sft_waypoints")
    features = extractor({"state": observations(3)["state"]})
    assert features.route_offset is None and features.inputs.shape == (3, 8 + 4 + 40)
    with pytest.raises(ValueError, match="'route_offset' needs 'route', and the planner reads 'state': omit 'route_offset'"):
        FrozenPlannerExtractor(space, planner, 20, HEAD_INPUTS)


def test_a_group_that_the_env_does_not_give_is_named_with_the_remedy():
    planner = SFTWaypointModel(hidden_dims=(8,), groups=("state", "route", "signal"))
    with pytest.raises(ValueError, match=r"reads 'signal'.*\['route', 'state'\]; make the env with observe="):
        FrozenPlannerExtractor(observation_space(), planner, 20)
    with pytest.raises(ValueError, match="reads 'route'.*names what it reads by the attribute observation_keys"):
        FrozenPlannerExtractor(spaces.Dict({"state": observation_space()["state"]}), Unsaid(), 20)


class Unsaid(th.nn.Module):
    horizon_steps = 20

    def forward(self, observation):
        return observation["state"], observation["state"][:, :1, None].expand(-1, 20, 2)


class Flat(Unsaid):
    def forward(self, observation):
        return observation["state"], observation["route"].flatten(1)


def test_a_planner_whose_output_has_another_shape_is_told_so():
    with pytest.raises(ValueError, match=r"planner 'Flat': its waypoints have the shape \(2, 20\); expected \(2, 20, 2\)"):
        FrozenPlannerExtractor(observation_space(), Flat(), 20)


@pytest.mark.parametrize("algorithm", [PPO, GRPO])
def test_a_planner_with_another_plan_dt_is_refused_with_the_remedy(algorithm):
    planner = SFTWaypointModel(plan_dt=0.2, hidden_dims=(8,))
    with pytest.raises(ValueError, match=r"0\.2 s apart and the env's 0\.1 s: make the env with plan_dt=0\.2"):
        algorithm(
            DeltaWaypointPolicy,
            make_waypoint_vec_env(n_envs=2, group_size=2),
            n_steps=8,
            batch_size=8,
            policy_kwargs={"sft": planner},
        )
    venv = make_waypoint_vec_env(n_envs=2, plan_dt=0.2)
    PPO(DeltaWaypointPolicy, venv, n_steps=8, batch_size=8, policy_kwargs={"sft": planner})


def test_a_planner_that_does_not_say_plans_tenths_of_a_second():
    venv = make_waypoint_vec_env(n_envs=2, plan_dt=0.2)
    with pytest.raises(ValueError, match="by the attribute plan_dt"):
        PPO(DeltaWaypointPolicy, venv, n_steps=8, batch_size=8, policy_kwargs={"sft": Steady()})
    Steady.plan_dt = 0.2
    PPO(DeltaWaypointPolicy, venv, n_steps=8, batch_size=8, policy_kwargs={"sft": Steady()})


class Steady(th.nn.Module):
    horizon_steps = 20
    observation_keys = ("state", "route")

    def forward(self, observation):
        return observation["state"], observation["route"].repeat(1, 2, 1)
