"""Fixtures of the tests around the client."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

carla = pytest.importorskip("carla")

# ruff: noqa: E402 (the imports below need it)
from sb3_delta_waypoint.carla_bridge.env import CarlaWaypointEnv
from sb3_delta_waypoint.carla_bridge.loopback import LoopbackServer


@pytest.fixture(scope="module")
def server() -> Iterator[LoopbackServer]:
    """A server that is not an env's own; no test kills it."""
    with LoopbackServer() as server:
        yield server


@pytest.fixture
def make(server) -> Iterator[Callable[..., CarlaWaypointEnv]]:
    """A function that makes envs on that server, one after another."""
    made: list[CarlaWaypointEnv] = []

    def make_env(**kwargs) -> CarlaWaypointEnv:
        for env in made:
            env.close()
        made.append(CarlaWaypointEnv(**{"port": server.port, **kwargs}))
        return made[-1]

    yield make_env
    for env in made:
        env.close()


def look_around(server: LoopbackServer) -> tuple[Any, Any]:
    """A second client of a server, and its world."""
    client = carla.Client(server.host, server.port, 1)
    client.set_timeout(5.0)
    return client, client.get_world()


def drive(env: CarlaWaypointEnv, steps: int) -> list[float]:
    """The rewards of some steps of the expert, none of which ends the episode."""
    rewards = []
    for _ in range(steps):
        _, reward, terminated, truncated, _ = env.step(env.expert_plan())
        assert not terminated and not truncated
        rewards.append(reward)
    return rewards
