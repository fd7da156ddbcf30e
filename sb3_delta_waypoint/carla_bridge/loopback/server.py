"""The server: sockets, calls, and the clock."""

import contextlib
import logging
import selectors
import socket
import struct
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgpack  # type: ignore[import-untyped]

from sb3_delta_waypoint.carla_bridge.loopback import wire
from sb3_delta_waypoint.carla_bridge.loopback.road_map import RoadMap
from sb3_delta_waypoint.carla_bridge.loopback.rpc import Calls
from sb3_delta_waypoint.carla_bridge.loopback.sensors import Sensor
from sb3_delta_waypoint.carla_bridge.loopback.streams import Streams
from sb3_delta_waypoint.carla_bridge.loopback.world import World

logger = logging.getLogger(__name__)

RECEIVE = 1 << 16
"""Bytes read from a socket at a time."""
MAX_MESSAGE = 1 << 28
"""A call may be this long [bytes]: the text of a large map."""
SEND_TIMEOUT = 5
"""How long a client may take to take in an answer [s]."""
MAX_ANSWERS = 64
"""Answers that nobody waits for, held back at most."""


class Caller:
    """The connection of one client."""

    def __init__(self, connection: socket.socket):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # one that does not take in its answers is dropped, so that it holds up nobody else
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", SEND_TIMEOUT, 0))
        self.connection = connection
        self.unpacker = msgpack.Unpacker(max_buffer_size=MAX_MESSAGE)
        self.answers: list[bytes] = []
        self.waits = False

    def flush(self) -> None:
        """Send the answers."""
        self.connection.sendall(b"".join(self.answers))
        self.answers.clear()
        self.waits = False


class Server:
    """
    Serves one world to any number of clients, in one thread: calls are answered in the order in which they come.

    :param maps: what reads the maps that clients can load, by name; the first is loaded
    :param fps: steps per simulated second where the client does not say, and per second in asynchronous mode
    :param port: port of the calls; 0 takes a free one
    :param host: address to listen on
    :param version: the version that the server says it has
    :param disguised: pass for CARLA: no blueprint tells the clients, and vehicles are left to their traffic managers
    :raises ValueError: if the first map cannot be driven on, or ``fps`` is not positive
    :raises OSError: if the port is taken
    """

    def __init__(
        self,
        maps: Mapping[str, Callable[[], RoadMap]],
        fps: float = 10.0,
        port: int = 0,
        host: str = "127.0.0.1",
        version: str = wire.CLIENT_VERSION,
        disguised: bool = False,
    ):
        if not fps > 0.0:
            raise ValueError(f"fps is {fps}; it must be positive")
        self.maps = dict(maps)
        self.default_dt = 1.0 / fps
        self.version = version
        self.disguised = disguised
        self.selector = selectors.DefaultSelector()
        self.calls_listener = self._listen(host, port)
        self.port: int = self.calls_listener.getsockname()[1]
        self.streams = Streams(self._listen(host, 0))
        self.sensors: dict[int, Sensor] = {}
        self.callers: set[Caller] = set()
        self.world = World(next(iter(self.maps.values()))(), self.streams.listener.getsockname()[1])
        self.world.drives_autopilots = not disguised
        self.calls = Calls(self).table
        self.selector.register(self.calls_listener, selectors.EVENT_READ, lambda _: self._accept())
        self.selector.register(self.streams.selector, selectors.EVENT_READ, lambda _: self.streams.serve())

    @staticmethod
    def _listen(host: str, port: int) -> socket.socket:
        try:
            return socket.create_server((host, port))
        except OSError as error:
            raise OSError(error.errno, f"cannot listen on {host}:{port}: {error.strerror}; choose another port") from None

    @property
    def synchronous(self) -> bool:
        """Whether time stands still until a client ticks."""
        return bool(self.world.settings[0])

    @property
    def dt(self) -> float:
        """Length of a step [s]."""
        given, *seconds = self.world.settings[2]
        return seconds[0] if given and seconds[0] > 0.0 else self.default_dt

    def run(self) -> None:
        """Serve until something is raised, such as ``SystemExit`` by a signal's handler."""
        next_tick = time.monotonic()
        with contextlib.closing(self):
            while True:
                wait = None if self.synchronous else max(0.0, next_tick - time.monotonic())
                for key, events in self.selector.select(wait):
                    key.data(events)
                if not self.synchronous and time.monotonic() >= next_tick:
                    self.tick()
                    # never more than one step behind: a server that was stopped does not catch up
                    next_tick = max(next_tick + self.dt, time.monotonic())

    def close(self) -> None:
        """Close every connection."""
        self.calls_listener.close()
        for caller in self.callers:
            caller.connection.close()
        self.streams.close()
        self.selector.close()

    def tick(self) -> None:
        """One step of the world. Sensors go first: who has seen the snapshot can rely on having been sent the rest."""
        world, dt = self.world, self.dt
        if self.streams.announced:
            self.streams.await_announced()
        n_hits = world.step(dt)
        for sensor in self.sensors.values():
            if sensor.actor.stream in self.streams.subscribers and sensor.due():
                for parts in sensor.measure(world.hits[:n_hits]):
                    self.streams.send(sensor.actor.stream, sensor.header(sum(map(len, parts))), *parts)
        self.streams.send(wire.WORLD_STREAM, world.snapshot(dt))

    # ----------------------------------------------------------------- calls

    def _accept(self) -> None:
        connection, _ = self.calls_listener.accept()
        caller = Caller(connection)
        self.callers.add(caller)
        self.selector.register(connection, selectors.EVENT_READ, lambda _: self._receive(caller))

    def _receive(self, caller: Caller) -> None:
        try:
            received = caller.connection.recv(RECEIVE)
            if received:
                caller.unpacker.feed(received)
                for request in caller.unpacker:
                    _, number, name, ((asynchronous, *_), *arguments) = request
                    caller.answers.append(self._answer(number, name, arguments))
                    caller.waits = caller.waits or not asynchronous
                # nobody waits for the answer to an asynchronous call: it can go with the next one, and wakes nobody
                if caller.waits or len(caller.answers) > MAX_ANSWERS:
                    caller.flush()
                return
        except OSError:
            pass
        except Exception:
            # not a client; its connection only
            logger.exception("a connection sent what is not a call")
        self.selector.unregister(caller.connection)
        self.callers.remove(caller)
        caller.connection.close()

    def _answer(self, number: int, name: str, arguments: list[Any]) -> bytes:
        call = self.calls.get(name)
        try:
            if call is None:
                # of an asynchronous call the client does not see the answer
                logger.warning("a client made a call that the loopback server does not know: %s", name)
                raise ValueError(f"the loopback server does not know the call '{name}'")
            result = call(*arguments)
        except Exception as error:
            if not isinstance(error, ValueError | KeyError):
                logger.exception("%s failed", name)
            result = [[0, [str(error)]]]
        else:
            if name != "apply_batch":
                result = [[False]] if result is None else [[1, result]]
        answer: bytes = msgpack.packb([1, number, None, result])
        return answer
