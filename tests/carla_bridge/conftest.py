"""Fixtures of the tests around the client."""

import math
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

carla = pytest.importorskip("carla")

# ruff: noqa: E402 (the imports below need it)
from sb3_delta_waypoint.carla_bridge.env import CarlaWaypointEnv
from sb3_delta_waypoint.carla_bridge.loopback import LoopbackServer

SPACING = 5.0
"""Of the heights along a road [m]."""


def height(x: float, y: float) -> float:
    """Of the hills at a place in CARLA's frame [m]: ±35 m, slopes up to 40 %."""
    return 20.0 * math.sin(x / 90.0) + 15.0 * math.cos(y / 80.0)


@pytest.fixture(scope="session")
def hilly() -> Callable[[str], str]:
    """A function that puts hills under a flat OpenDRIVE map."""

    def hilly(text: str) -> str:
        flat = carla.Map("flat", text)

        def with_heights(road: re.Match) -> str:
            number, length = int(re.search(r'\bid="(\d+)"', road[1])[1]), float(re.search(r'length="([^"]+)"', road[1])[1])
            lanes = [int(lane) for lane in re.findall(r'<lane id="(-?\d+)" type="driving"', road[0])]
            at, heights = [], []
            for k in range(math.ceil(length / SPACING) + 1):
                s = min(k * SPACING, length - 0.01)
                found = next((w for lane in lanes if (w := flat.get_waypoint_xodr(number, lane, s))), None)
                if found is not None:
                    at.append(s)
                    heights.append(height(found.transform.location.x, found.transform.location.y))
            profile = "".join(
                f'<elevation s="{s}" a="{z}" b="{(after_z - z) / (after_s - s)}" c="0" d="0"/>'
                for s, z, after_s, after_z in zip(at, heights, at[1:], heights[1:], strict=False)
            )
            if not profile:
                return road[0]
            return re.sub(
                r"<elevationProfile>.*?</elevationProfile>",
                f"<elevationProfile>{profile}</elevationProfile>",
                road[0],
                flags=re.S,
            )

        return re.sub(r"(<road [^>]*>).*?</road>", with_heights, text, flags=re.S)

    return hilly


@pytest.fixture(scope="module")
def server() -> Iterator[LoopbackServer]:
    """A server of somebody else; no test kills it."""
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
