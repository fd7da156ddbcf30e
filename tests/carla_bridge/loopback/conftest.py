"""A loopback server per module, and a synchronous world on it that is empty for every test."""

import gc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

carla = pytest.importorskip("carla")

from sb3_delta_waypoint.carla_bridge.loopback import LoopbackServer  # noqa: E402

DT = 0.1


@pytest.fixture(scope="module")
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer() as server:
        yield server


@pytest.fixture(scope="module")
def client(server: LoopbackServer) -> Any:
    client = carla.Client(server.host, server.port, 1)
    client.set_timeout(10.0)
    return client


@pytest.fixture
def world(client: Any) -> Iterator[Any]:
    """Synchronous, steps of 0.1 s; afterwards whatever was spawned is gone."""
    world = client.get_world()
    settings = world.get_settings()
    settings.synchronous_mode, settings.fixed_delta_seconds = True, DT
    world.apply_settings(settings)
    gc.freeze()  # what is there already need not be looked through afterwards
    yield world
    # only what is in a snapshot is listed
    client.get_world().tick()
    for actor in client.get_world().get_actors():
        if actor.type_id != "spectator":
            actor.destroy()
    gc.collect()
    gc.unfreeze()


@pytest.fixture
def spawn(world: Any) -> Iterator[Callable[..., Any]]:
    """A function from a blueprint's name, a place and attributes to a new actor."""
    spawned: list[Any] = []

    def spawn(name: str, where: Any = None, attach_to: Any = None, **attributes: Any) -> Any:
        blueprint = world.get_blueprint_library().find(name)
        for key, value in attributes.items():
            blueprint.set_attribute(key, str(value))
        if where is None:
            where = carla.Transform() if attach_to else world.get_map().get_spawn_points()[0]
        # a sensor without a reference to it stops receiving
        spawned.append(world.spawn_actor(blueprint, where, attach_to=attach_to))
        return spawned[-1]

    yield spawn
    for actor in spawned:
        if isinstance(actor, carla.Sensor) and actor.is_alive and actor.is_listening():
            actor.stop()


def beside(transform: Any, ahead: float = 0.0, right: float = 0.0) -> Any:
    """The transform moved by some metres."""
    forward, side, place = transform.get_forward_vector(), transform.get_right_vector(), transform.location
    return carla.Transform(
        carla.Location(place.x + forward.x * ahead + side.x * right, place.y + forward.y * ahead + side.y * right, place.z),
        transform.rotation,
    )


@pytest.fixture
def at() -> Callable[..., Any]:
    """A function that moves a transform by some metres ahead and to the right."""
    return beside
