"""A session with a CARLA server: it connects, steps in synchronous mode, restores the server, and survives its death."""

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
"""Versions of the ``carla`` module with which this package was tested."""
LOADING = 6.0
"""Factor by which loading a map may take longer than any other call."""


class Session:
    """
    A session of one client with one server, which no other client may use at the same time.

    The session owns all handles of the client. As long as one of them is alive, the client reconnects its streams to any
    server that appears at the address, and crashes the interpreter if that is not the same server as before. When the server
    dies, all handles are therefore dropped at once, whatever the rest of the process is doing. Hold :attr:`lock` while you use
    a handle.

    :param host: host of the server
    :param port: port of the server
    :param town: map to load, by name, or an OpenDRIVE file; None for the map that is loaded
    :param fps: ticks per simulated second
    :param rendering: whether cameras are needed
    :param timeout: longest wait for an answer [s]; loading a map may take six times as long
    :raises ImportError: if ``carla`` is not installed or of an unsupported version
    :raises ServerUnreachableError: if no server answers
    :raises ServerVersionError: if server and client do not match
    :raises ValueError: if the server does not have the map
    """

    def __init__(self, host: str, port: int, town: str | None, fps: float, rendering: bool, timeout: float):
        self.host, self.port, self.town, self.fps, self.rendering, self.timeout = host, port, town, fps, rendering, timeout
        self.lock = threading.RLock()
        self.client: Any = None
        self.world: Any = None
        self.map: Any = None
        """``carla.Map``, which outlives the connection."""
        self.library: Any = None
        """``carla.BlueprintLibrary``, kept because it is a large message."""
        self.actors: dict[int, Any] = {}
        """Actors spawned by this session, by id."""
        self.lights: dict[str, Any] = {}
        """The map's traffic lights, by name."""
        self.manager: TrafficManager | None = None
        """Traffic manager, which also ticks the server; None unless :meth:`manage_traffic` was called."""
        self._sensors: list[Any] = []
        self._earlier: tuple[Any, Any] | None = None  # settings and weather before this session
        self._left_behind: list[int] = []  # actors of a lost connection
        self._watch: Watch | None = None
        self._lost = "not connected"
        self._frame: int | None = None  # of the last tick
        check_client_version()
        self.connect()

    def connect(self) -> None:
        """Connect or reconnect; actors that a lost connection left behind in the same server are destroyed."""
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
        """Whether the server is the loopback server and not CARLA."""
        return len(self.library.filter("loopback.*")) > 0

    @property
    def connected(self) -> bool:
        """Whether the handles can be used."""
        return not self._lost

    def tick(self) -> int:
        """
        Advance the server by one step of simulated time.

        :return: frame of the step
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
        """Begin to check that each tick is the next frame; ticks of other clients before do not matter."""
        with self.calls():
            self._frame = self.world.get_snapshot().frame

    def manage_traffic(self) -> None:
        """Start :attr:`manager`, which ticks from now on and drives the vehicles that it is given."""
        self.manager = TrafficManager(self.host, self.port, self.timeout, LOADING * self.timeout)

    @contextlib.contextmanager
    def calls(self) -> Iterator[None]:
        """Context for calls to the server: a call that fails raises :class:`ServerLostError`."""
        if not self.connected:
            raise ServerLostError(self._lost)
        with self._calls(ServerLostError):
            yield

    def spawn(self, blueprint: Any, transform: Any, parent: Any = None) -> Any:
        """
        Spawn an actor.

        :param blueprint: ``carla.ActorBlueprint``
        :param transform: ``carla.Transform``, relative to the parent if there is one
        :param parent: actor to which it is attached, or None
        :return: the actor, or None if the place is occupied
        """
        actor = self.world.try_spawn_actor(blueprint, transform, parent)
        if actor is not None:
            self.actors[actor.id] = actor
        return actor

    def listen(self, sensor: Any, callback: Callable[[Any], None]) -> None:
        """
        Subscribe to a sensor.

        :param sensor: a sensor spawned by this session
        :param callback: called with each of its measurements, in a thread of the client
        """
        sensor.listen(callback)
        self._sensors.append(sensor)

    def actor(self, number: int) -> Any:
        """
        Get the handle of an actor.

        :param number: id of an actor spawned by this session
        :return: its handle, which the caller must not keep
        :raises ServerLostError: if the connection is lost
        """
        try:
            return self.actors[number]
        except KeyError:
            raise ServerLostError(self._lost) from None

    def destroy(self, numbers: list[int]) -> None:
        """
        Destroy actors spawned by this session.

        :param numbers: their ids, without sensors that listen
        """
        for number in numbers:
            self.actors.pop(number, None)
        self._destroy(numbers)

    def drop(self, reason: str) -> None:
        """
        Drop every handle without a call to the server.

        :param reason: the reason, for the errors of later calls
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
        """Destroy the spawned actors, restore settings and weather, and disconnect. A second call has no effect."""
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
                        # the weather is a message without an answer; once this call returns, the weather has arrived, too
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
        # first of all, since the snapshots of another version crash the interpreter
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
    Check the installed client.

    :raises ImportError: if ``carla`` is not installed or of an unsupported version
    """
    try:
        installed = version("carla")
    except PackageNotFoundError:
        raise ImportError("CarlaWaypoint-v0 needs the CARLA client: pip install sb3_delta_waypoint[carla]") from None
    if installed not in SUPPORTED_CLIENTS:
        raise ImportError(f"carla {installed} is installed; this package supports {', '.join(SUPPORTED_CLIENTS)}")


def short_name(name: str) -> str:
    """
    Name of a map without its folder.

    :param name: name of a map, such as ``/Game/Carla/Maps/Town01``
    :return: ``Town01``
    """
    return name.rpartition("/")[2]
