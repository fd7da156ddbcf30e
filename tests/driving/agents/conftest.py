"""Fixtures shared by the tests of others on the road."""

import pytest

from sb3_delta_waypoint.driving.traffic_simulation import TrafficSimulation
from sb3_delta_waypoint.envs.configuration import traffic_config

TOWNS = "synthetic:0-1"


@pytest.fixture(scope="session")
def simulate():
    """A function that makes a simulation of many cars in small towns and begins its first scenarios."""

    def make(n_cars=64, seed=0, autoreset=True, **traffic):
        config = traffic_config(TOWNS, route_length=100, traffic=traffic or None)
        simulation = TrafficSimulation(n_cars, config, autoreset=autoreset)
        simulation.seed(seed)
        simulation.reset()
        return simulation

    return make
