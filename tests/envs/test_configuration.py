"""From the keyword arguments of ``gym.make`` to what the simulation is given."""

import os

import numpy as np
import pytest

from sb3_delta_waypoint.driving.config import DrivingConfig
from sb3_delta_waypoint.driving.expert import ExpertParameters
from sb3_delta_waypoint.driving.network import from_paths
from sb3_delta_waypoint.driving.reward import RewardWeights
from sb3_delta_waypoint.driving.start import StartParameters
from sb3_delta_waypoint.driving.vehicle import VehicleParameters
from sb3_delta_waypoint.envs.configuration import driving_config


def test_without_arguments_everything_is_as_its_class_has_it():
    assert driving_config() == DrivingConfig()


def test_each_argument_goes_where_it_belongs():
    config = driving_config(
        route_length=70,
        waypoint_spacing=4.0,
        horizon_steps=15,
        plan_dt=0.2,
        off_route_distance=3.0,
        reward={"goal": 5.0, "time": 0.5},
        vehicle={"wheelbase": 3.1},
        expert={"cruise_speed": 9.0},
        start={"heading": 0.2},
    )
    assert (config.route_length, config.horizon_steps, config.plan_dt) == (70.0, 15, 0.2)
    assert (config.rules.waypoint_spacing, config.rules.off_route_distance) == (4.0, 3.0)
    assert config.rules.waypoint_radius == DrivingConfig().rules.waypoint_radius
    assert config.reward == RewardWeights(goal=5.0, time=0.5)
    assert config.vehicle == VehicleParameters(wheelbase=3.1)
    assert config.expert == ExpertParameters(cruise_speed=9.0)
    assert config.start == StartParameters(heading=0.2)
    assert config.network is None and not config.recorded


def test_parameters_may_be_given_whole():
    assert driving_config(vehicle=VehicleParameters(max_speed=30.0)).vehicle.max_speed == 30.0


@pytest.mark.parametrize("name", ["reward", "vehicle", "expert", "start"])
def test_a_misspelt_parameter_is_named(name):
    with pytest.raises(ValueError, match=f"{name}=.*'weelbase' is unknown; accepted are "):
        driving_config(**{name: {"weelbase": 1.0}})


def test_a_map_that_has_changed_is_read_again(tmp_path, monkeypatch):
    read = []

    def load(path):
        read.append(path)
        return from_paths([(np.stack([np.arange(200.0), np.zeros(200)], axis=1), np.full(200, np.inf))])

    monkeypatch.setattr("sb3_delta_waypoint.maps.opendrive.load_opendrive", load)
    path = tmp_path / "road.xodr"
    path.touch()
    first = driving_config(routes=path)
    assert driving_config(routes=str(path)).network is first.network and read == [str(path)]
    os.utime(path, (1.0, 1.0))
    assert driving_config(routes=path).network is not first.network and len(read) == 2


def test_synthetic_towns_and_several_maps_are_roads_too():
    config = driving_config(routes={"synthetic:1": 1.0, "synthetic:2": 3.0})
    assert config.shares is not None and config.shares.weights == (1.0, 3.0)
    assert config.network is not None and config.shares.segments[-1] == config.network.n_segments
    single = driving_config(routes="synthetic:1").network
    assert single is not None and np.array_equal(single.points, config.network.points[: len(single.points)])
    with pytest.raises(ValueError, match="'synthetic:x': expected synthetic:SEED"):
        driving_config(routes="synthetic:x")
    with pytest.raises(ValueError, match="routes=5: expected a file, .* or None"):
        driving_config(routes=5)
