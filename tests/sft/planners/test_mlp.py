"""The planner's network."""

import json

import pytest
import torch

from sb3_delta_waypoint.sft.planners import SFTWaypointModel


def observation(batch=3, route_points=10):
    generator = torch.Generator().manual_seed(0)
    return {
        "state": torch.rand(batch, 4, generator=generator),
        "route": 10 * torch.rand(batch, route_points, 2, generator=generator),
    }


def test_shapes():
    model = SFTWaypointModel(horizon_steps=7, plan_dt=0.2, hidden_dims=(32, 16), route_points=5)
    latent, waypoints = model(observation(route_points=5))
    assert latent.shape == (3, 16) and waypoints.shape == (3, 7, 2)
    assert (model.horizon_steps, model.plan_dt, model.latent_dim) == (7, 0.2, 16)
    assert model.observation_keys == ("state", "route")


def test_the_latent_is_what_the_plan_is_read_from():
    model = SFTWaypointModel()
    latent, waypoints = model(observation())
    torch.testing.assert_close(model.head(latent).view(3, 20, 2), waypoints)  # nothing fitted: mean 0, std 1


def test_config_is_json_and_rebuilds_it():
    model = SFTWaypointModel(horizon_steps=7, plan_dt=0.2, hidden_dims=[32, 16], route_points=5)
    config = json.loads(json.dumps(model.config()))
    again = SFTWaypointModel(**config)
    again.load_state_dict(model.state_dict())
    assert again.config() == config
    torch.testing.assert_close(again(observation(route_points=5)), model(observation(route_points=5)), rtol=0, atol=0)


def test_other_keys_are_not_looked_at():
    model = SFTWaypointModel()
    more = {**observation(), "front": torch.zeros(3, 3, 8, 8)}
    assert torch.equal(model(more)[1], model(observation())[1])


def test_units_do_not_matter_after_normalisation():
    """The same data in other units give the same plan, in those units."""
    data = observation(batch=50)
    waypoints = torch.rand(50, 20, 2, generator=torch.Generator().manual_seed(1)) * 20
    metres = SFTWaypointModel()
    metres.fit_normalisation(data, waypoints)
    feet = SFTWaypointModel()
    feet.load_state_dict(metres.state_dict())
    feet.fit_normalisation({key: values * 3.28 for key, values in data.items()}, waypoints * 3.28)
    plan = metres(data)[1]
    torch.testing.assert_close(feet({key: values * 3.28 for key, values in data.items()})[1], plan * 3.28)


def test_a_number_that_never_varied_is_not_blown_up():
    model = SFTWaypointModel()
    data = observation(batch=20)
    data["state"][:, 1] = 0.0
    model.fit_normalisation(data, torch.rand(20, 20, 2))
    before = model(data)[1]
    data["state"][:, 1] = 1e-3
    assert torch.isfinite(before).all()
    assert (model(data)[1] - before).abs().max() < 0.01


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"route": None}, r"lacks 'route'.*\['state'\]"),
        ({"state": torch.zeros(3, 5)}, r"'state' has the shape \(3, 5\); the planner reads \(batch, 4\)"),
        ({"state": torch.zeros(4)}, r"'state' has the shape \(4,\); the planner reads \(batch, 4\)"),
        ({"route": torch.zeros(3, 9, 2)}, r"'route' has the shape \(3, 9, 2\); the planner reads \(batch, 10, 2\)"),
    ],
)
def test_an_observation_that_does_not_fit(change, said):
    broken = {key: values for key, values in {**observation(), **change}.items() if values is not None}
    with pytest.raises(ValueError, match=said):
        SFTWaypointModel()(broken)


@pytest.mark.parametrize("kwargs", [{"horizon_steps": 0}, {"hidden_dims": ()}, {"hidden_dims": (8, 0)}, {"plan_dt": 0.0}])
def test_an_impossible_architecture(kwargs):
    with pytest.raises(ValueError, match=next(iter(kwargs))):
        SFTWaypointModel(**kwargs)


def test_each_number_is_normalised_by_its_own_statistics():
    generator = torch.Generator().manual_seed(0)
    planner = SFTWaypointModel()
    scale = torch.tensor([10.0, 0.3, 0.7, 2.0])
    state = 3.0 + scale * torch.randn(500, 4, generator=generator)
    route = torch.arange(1.0, 11.0)[:, None] * torch.randn(500, 10, 2, generator=generator)
    waypoints = torch.arange(1.0, 21.0)[:, None] * torch.randn(500, 20, 2, generator=generator)
    planner.fit_normalisation({"state": state, "route": route}, waypoints)
    for name, values in (("state", state), ("route", route), ("waypoints", waypoints)):
        torch.testing.assert_close(getattr(planner, f"{name}_mean"), values.mean(dim=0))
        torch.testing.assert_close(getattr(planner, f"{name}_std"), values.std(dim=0, correction=0))


def with_others(batch=40, valid=3):
    generator = torch.Generator().manual_seed(2)
    agents = torch.zeros(batch, 16, 7)
    agents[:, :valid] = 5.0 + 2.0 * torch.randn(batch, valid, 7, generator=generator)
    present = torch.zeros(batch, 16)
    present[:, :valid] = 1.0
    signal = torch.rand(batch, 2, generator=generator)
    return {**observation(batch), "agents": agents, "agents_valid": present, "signal": signal}


OTHERS = ("state", "agents", "agents_valid", "signal")


def test_groups_are_read_in_the_order_of_the_contract_and_survive_config():
    model = SFTWaypointModel(hidden_dims=(8,), groups=("signal", "agents_valid", "agents", "state"))
    assert model.observation_keys == OTHERS
    assert model.trunk[0].in_features == 4 + 16 * 7 + 16 + 2
    again = SFTWaypointModel(**json.loads(json.dumps(model.config())))
    again.load_state_dict(model.state_dict())
    assert torch.equal(again(with_others())[1], model(with_others())[1])


def test_the_rows_of_road_users_share_one_statistic_and_empty_ones_do_not_count():
    model, data = SFTWaypointModel(hidden_dims=(8,), groups=OTHERS), with_others()
    model.fit_normalisation(data, torch.rand(40, 20, 2))
    rows = data["agents"][:, :3].flatten(0, 1)
    torch.testing.assert_close(model.agents_mean, rows.mean(dim=0).expand(16, 7))
    torch.testing.assert_close(model.agents_std, rows.std(dim=0, correction=0).expand(16, 7))
    plan = model(data)[1]
    data["agents"][:, 3:] = 77.0  # what stands in empty rows does not matter
    assert torch.equal(model(data)[1], plan)
    data["agents"][:, 0] = 77.0
    assert not torch.equal(model(data)[1], plan)


def test_data_without_any_road_user_leaves_the_statistics_finite():
    model, data = SFTWaypointModel(hidden_dims=(8,), groups=OTHERS), with_others(valid=0)
    model.fit_normalisation(data, torch.rand(40, 20, 2))
    assert all(torch.isfinite(values).all() for values in model.buffers())


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        (
            ("state", "lidar"),
            r"groups=\('state', 'lidar'\): 'lidar': there is no such group; accepted are state",
        ),
        (("state", "agents"), "'agents' needs 'agents_valid'.*add it"),
        ((), "expected one group at least"),
    ],
)
def test_groups_that_make_no_sense(groups, said):
    with pytest.raises(ValueError, match=said):
        SFTWaypointModel(groups=groups)
