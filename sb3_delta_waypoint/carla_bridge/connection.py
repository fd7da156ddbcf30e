"""A session with a CARLA server: connect, step in synchronous mode, leave all as it was found, and survive its death."""

import contextlib
import gc
import threading
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from sb3_delta_waypoint.carla_bridge.errors import ServerLostError, ServerUnreachableError, ServerVersionError
from sb3_delta_waypoint.carla_bridge.traffic_manager import TrafficManager
from sb3_delta_waypoint.carla_bridge.watch import Watch
from sb3_delta_waypoint.files import read_text

SUPPORTED_CLIENTS = ("0.9.16",)
"""Versions of the ``carla`` module that this package was checked with."""
LOADING = 6.0
"""Loading a map may take this many times as long as any other call."""


class Session:
    """
    One client of one server, which nobody else may use meanwhile.

    All handles of the client are here and nowhere else. As long as one of them is alive, the client reconnects its streams to
    whatever server appears at the address, and takes the interpreter down when that is another one than before: so when the
    server goes away, all of them are dropped at once, whatever the rest of the process is doing. Hold :attr:`lock` while you
    use a handle.

    :param host: of the server
    :param port: of the server
    :param town: map to load, by name, or an OpenDRIVE file; None for whatever is loaded
    :param fps: ticks per simulated second
    :param rendering: whether cameras are needed
    :param timeout: longest wait for an answer [s]; loading a map may take six times as long
    :raises ImportError: if ``carla`` is not installed, or another version than this package knows
    :raises ServerUnreachableError: if nobody answers
    :raises ServerVersionError: if server and client do not match
    :raises ValueError: if the server does not have the map
    """

    def __init__(self, host: str, port: int, town: str | None, fps: float, rendering: bool, timeout: float):
        self.host, self.port, self.town, self.fps, self.rendering, self.timeout = host, port, town, fps, rendering, timeout
        self.lock = threading.RLock()
        self.client: Any = None
        self.world: Any = None
        self.map: Any = None
        """``carla.Map``: it lives without a server."""
        self.library: Any = None
        """``carla.BlueprintLibrary``: asking for it again is a long message."""
        self.actors: dict[int, Any] = {}
        """What was spawned here, by id."""
        self.lights: dict[str, Any] = {}
        """The map's traffic lights, by name."""
        self.manager: TrafficManager | None = None
        """What drives the traffic and ticks the server, where it is CARLA."""
        self._sensors: list[Any] = []
        self._earlier: tuple[Any, Any] | None = None  # settings and weather before us
        self._left_behind: list[int] = []  # actors of a connection that was lost
        self._watch: Watch | None = None
        self._lost = "not connected"
        self._frame: int | None = None  # of the last tick
        check_client_version()
        self.connect()

    def connect(self) -> None:
        """Connect, after a loss again; what a lost connection has left behind in the same server is cleaned up."""
        import carla

        self.drop("connecting")
        with self._calls(ServerUnreachableError):
            watch = Watch(self.host, self.port, self.timeout, self.drop)
            try:
                client = carla.Client(self.host, self.port, 1)
                client.set_timeout(self.timeout)
                self._check_server_version(client)
                self.client = client
                self.world = client.get_world()
                self._load_town(client)
                self.map = self.world.get_map()
                self.library = self.world.get_blueprint_library()
                settings = self.world.get_settings()
                again = self._earlier is not None and self._is_ours(settings)
                if not again:
                    self._earlier = (settings, self.world.get_weather())
                self.world.apply_settings(self._our_settings())
                if again:
                    present = {actor.id for actor in self.world.get_actors()}
                    self._destroy([number for number in self._left_behind if number in present])
                self._left_behind = []
            except BaseException:
                watch.stop()
                self.drop("connecting")
                raise
        self._watch, self._lost, self._frame = watch, "", None
        watch.start()

    @property
    def is_loopback(self) -> bool:
        """Whether the server is the loopback server, which stands in for CARLA."""
        return len(self.library.filter("loopback.*")) > 0

    @property
    def connected(self) -> bool:
        """Whether the handles can be used."""
        return not self._lost

    def tick(self) -> int:
        """
        One step of simulated time.

        :return: its frame
        :raises ServerLostError: if the server does not answer in time, or has made other steps since the last tick
        """
        world = self.world
        if world is None:
            raise ServerLostError(self._lost)
        try:
            frame: int = world.tick(self.timeout) if self.manager is None else self.manager.tick(world)
        except ServerLostError:
            raise
        except RuntimeError as error:
            raise ServerLostError(f"{self.host}:{self.port} did not answer: {error}") from None
        if self._frame is not None and frame != self._frame + 1:
            raise ServerLostError(
                f"another client ticks {self.host}:{self.port}, or has let it run by itself: {frame - self._frame} frames "
                "went by in one tick of this env, which needs a server of its own"
            )
        self._frame = frame
        return frame

    def begin(self) -> None:
        """From here on each tick is to be the next frame: what others did to the time before does not matter."""
        with self.calls():
            self._frame = self.world.get_snapshot().frame

    def manage_traffic(self) -> None:
        """From here on :attr:`manager` ticks, and drives the vehicles that it is given; see :class:`TrafficManager`."""
        self.manager = TrafficManager(self.host, self.port, self.timeout, LOADING * self.timeout)

    @contextlib.contextmanager
    def calls(self) -> Iterator[None]:
        """A block of calls that fails with :class:`ServerLostError` if one of them does."""
        if not self.connected:
            raise ServerLostError(self._lost)
        with self._calls(ServerLostError):
            yield

    def spawn(self, blueprint: Any, transform: Any, parent: Any = None) -> Any:
        """
        :param blueprint: ``carla.ActorBlueprint``
        :param transform: where; relative to the parent if there is one
        :param parent: what it is attached to
        :return: the actor, or None where the place is taken
        """
        actor = self.world.try_spawn_actor(blueprint, transform, parent)
        if actor is not None:
            self.actors[actor.id] = actor
        return actor

    def listen(self, sensor: Any, callback: Callable[[Any], None]) -> None:
        """
        :param sensor: spawned here
        :param callback: called with each of its measurements, in a thread of the client
        """
        sensor.listen(callback)
        self._sensors.append(sensor)

    def actor(self, number: int) -> Any:
        """
        :param number: id of an actor that was spawned here
        :return: its handle, not to be kept
        :raises ServerLostError: if the connection is lost
        """
        try:
            return self.actors[number]
        except KeyError:
            raise ServerLostError(self._lost) from None

    def destroy(self, numbers: list[int]) -> None:
        """
        Destroy actors that were spawned here.

        :param numbers: their ids; no sensors that listen
        """
        for number in numbers:
            self.actors.pop(number, None)
        self._destroy(numbers)

    def drop(self, reason: str) -> None:
        """
        Let go of every handle, without a word to the server.

        :param reason: why, for the errors of later calls
        """
        with self.lock:
            self._lost = reason
            if self._watch is not None:
                self._watch.wait_for_quiet()
                self._watch.stop()
                self._watch = None
            for sensor in self._sensors:
                with contextlib.suppress(RuntimeError):
                    sensor.stop()
            sensor = None  # noqa: F841 (a handle, too)
            if self.manager is not None:
                self.manager.kill()
            self._left_behind += reversed(self.actors)
            self._sensors, self.actors, self.lights, self.manager = [], {}, {}, None
            held = self.world is not None
            self.client = self.world = self.library = None
        if held:
            gc.collect()

    def close(self) -> None:
        """Destroy what was spawned, put settings and weather back, and let go. Does nothing the second time."""
        with self.lock:
            try:
                if self.connected and self._earlier is not None:
                    with contextlib.suppress(RuntimeError):
                        for sensor in self._sensors:
                            sensor.stop()
                        self._sensors = []
                        if self.manager is not None:
                            self.manager.close()
                        self._destroy([*reversed(self.actors)])
                        self.actors = {}
                        settings, weather = self._earlier
                        self.world.freeze_all_traffic_lights(False)
                        self.world.set_weather(weather)
                        # the weather is a message without an answer, and this is a call: it has arrived
                        self.world.apply_settings(settings)
            finally:
                self.drop("closed")

    # ------------------------------------------------------------------

    @contextlib.contextmanager
    def _calls(self, kind: type[Exception]) -> Iterator[None]:
        try:
            yield
        except (ServerUnreachableError, ServerVersionError, ServerLostError):
            raise
        except RuntimeError as error:
            if type(error) is not RuntimeError:
                raise
            raise kind(f"{self.host}:{self.port}: {error}") from error

    def _check_server_version(self, client: Any) -> None:
        # before anything else is read: the snapshots of another version crash the interpreter
        server, own = client.get_server_version(), client.get_client_version()
        if server != own:
            raise ServerVersionError(
                f"the server at {self.host}:{self.port} is CARLA {server}, the client {own}; they must be the same: install "
                f"carla=={server} where this package supports it ({', '.join(SUPPORTED_CLIENTS)}), or run a server {own}"
            )

    def _load_town(self, client: Any) -> None:
        if self.town is None:
            return
        client.set_timeout(self.timeout * LOADING)
        if self.town.endswith(".xodr"):
            import carla

            text = read_text(self.town, "map file")
            self.world = client.generate_opendrive_world(text, carla.OpendriveGenerationParameters())
        elif short_name(self.world.get_map().name) != short_name(self.town):
            available = sorted({short_name(name) for name in client.get_available_maps()})
            if short_name(self.town) not in available:
                raise ValueError(f"town={self.town!r}: the server at {self.host}:{self.port} has {', '.join(available)}")
            self.world = client.load_world(self.town)
        client.set_timeout(self.timeout)

    def _our_settings(self) -> Any:
        settings = self.world.get_settings()
        settings.synchronous_mode = True
        settings.fixed_delta_seconds = 1.0 / self.fps
        settings.no_rendering_mode = not self.rendering
        return settings

    def _is_ours(self, settings: Any) -> bool:
        step = settings.fixed_delta_seconds or 0.0
        return settings.synchronous_mode and abs(step * self.fps - 1.0) < 1e-6

    def _destroy(self, ids: list[int]) -> None:
        import carla

        if ids:
            self.client.apply_batch_sync([carla.command.DestroyActor(number) for number in ids], False)


def check_client_version() -> None:
    """
    :raises ImportError: if ``carla`` is not installed, or another version than this package knows
    """
    try:
        installed = version("carla")
    except PackageNotFoundError:
        raise ImportError("CarlaWaypoint-v0 needs the CARLA client: pip install sb3_delta_waypoint[carla]") from None
    if installed not in SUPPORTED_CLIENTS:
        raise ImportError(f"carla {installed} is installed; this package supports {', '.join(SUPPORTED_CLIENTS)}")


def short_name(name: str) -> str:
    """
    :param name: of a map, such as ``/Game/Carla/Maps/Town01``
    :return: ``Town01``
    """
    return name.rpartition("/")[2]
