"""The server: it handles connections and calls, and decides when to step the world."""

import contextlib
import logging
import selectors
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgpack  # type: ignore[import-untyped]

from sb3_delta_waypoint.carla_bridge.loopback import wire
from sb3_delta_waypoint.carla_bridge.loopback.callers import MAX_WARNINGS, RECEIVE, Caller
from sb3_delta_waypoint.carla_bridge.loopback.door import Door
from sb3_delta_waypoint.carla_bridge.loopback.road_map import RoadMap
from sb3_delta_waypoint.carla_bridge.loopback.rpc import Calls
from sb3_delta_waypoint.carla_bridge.loopback.simulator import Simulator
from sb3_delta_waypoint.carla_bridge.loopback.streams import Streams
from sb3_delta_waypoint.messages import short_repr

logger = logging.getLogger(__name__)

MAX_CALLERS = 256
"""Largest number of connections. A further one replaces one that has never made a call, or is refused if there is none."""
MAX_HELD = 1 << 29
"""Largest memory held for all clients together, for incomplete calls and unread answers [bytes]."""
TURN = 0.02
"""Time after which other clients get their turn, if a client has many calls [s]."""


class Server:
    """
    A server of one world for any number of clients. In a single thread it answers calls in the order of their arrival.

    :param maps: functions that read the maps, by name; the first map is loaded
    :param fps: default number of steps per simulated second, and steps per second in asynchronous mode
    :param port: port of the calls; 0 takes a free one
    :param host: address to listen on
    :param version: version that the server reports
    :param disguised: whether to look like CARLA, without a marking blueprint and with vehicles driven by traffic managers
    :raises ValueError: if the first map has no driving lane, or ``fps`` is not positive
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
        self.selector = selectors.DefaultSelector()
        self.door = Door(host, port)
        self.port = self.door.port
        self.streams = Streams(Door(host, 0))
        self.simulator = Simulator(maps, 1.0 / fps, self.streams, version, disguised)
        # in the order of their arrival; those in `busy` have calls that wait for their next turn
        self.callers: dict[Caller, None] = {}
        self.busy: dict[Caller, None] = {}
        self.calls = Calls(self.simulator).table
        self.selector.register(self.door.socket, selectors.EVENT_READ, lambda _: self._accept())
        self.selector.register(self.streams.selector, selectors.EVENT_READ, lambda _: self.streams.serve())

    def run(self) -> None:
        """Serve until an exception is raised, such as ``SystemExit`` by a signal handler."""
        simulator, next_tick = self.simulator, time.monotonic()
        with contextlib.closing(self):
            while True:
                wait = None if simulator.synchronous else max(0.0, next_tick - time.monotonic())
                for key, events in self.selector.select(0.0 if self.busy else wait):
                    key.data(events)
                for caller in tuple(self.busy):
                    if caller in self.busy:
                        self._serve(caller)
                if not simulator.synchronous and time.monotonic() >= next_tick:
                    try:
                        simulator.tick()
                    except Exception:
                        # time goes on for the clients in spite of the error
                        logger.exception("a step failed")
                    # at most one step behind, so that a server that was stopped does not catch up
                    next_tick = max(next_tick + simulator.dt, time.monotonic())

    def close(self) -> None:
        """Close every connection."""
        self.door.close()
        for caller in self.callers:
            caller.connection.close()
        self.streams.close()
        self.selector.close()

    # ----------------------------------------------------------------- calls

    def _accept(self) -> None:
        connection = self.door.accept()
        if connection is None or len(self.callers) >= MAX_CALLERS:
            silent = next((caller for caller in self.callers if not caller.has_called), None)
            if silent is not None:
                self._drop(silent)
            elif connection is not None:
                connection.close()
                return
        if connection is not None:
            caller = Caller(connection)
            self.callers[caller] = None
            self.selector.register(connection, selectors.EVENT_READ, lambda events: self._ready(caller, events))

    def _ready(self, caller: Caller, events: int) -> None:
        # an earlier event may have closed the connection; and no more calls are read while some wait for their answers
        if caller not in self.callers or caller in self.busy:
            return
        try:
            if events & selectors.EVENT_WRITE:
                caller.send()
            elif not caller.receive():
                self._drop(caller)
                return
        except Exception as error:
            self._drop(caller, error)
            return
        self._serve(caller)
        if caller.held > RECEIVE and sum(other.held for other in self.callers) > MAX_HELD:
            largest = max(self.callers, key=lambda other: other.held)
            self._drop(largest, MemoryError("it sends too much, or takes in too little"))

    def _serve(self, caller: Caller) -> None:
        """Answer the calls of a client until its turn is over or it does not read the answers."""
        over = time.monotonic() + TURN
        self.busy.pop(caller, None)
        try:
            while not caller.blocked:
                call = caller.next_call()
                if call is None:
                    break
                number, name, arguments, asynchronous = call
                caller.answer(self._answer(caller, number, name, arguments, asynchronous), asynchronous)
                if time.monotonic() > over:
                    self.busy[caller] = None
                    break
        except Exception as error:
            self._drop(caller, error)
            return
        awaited = selectors.EVENT_WRITE if caller.blocked else selectors.EVENT_READ
        if awaited != caller.awaited:
            caller.awaited = awaited
            self.selector.modify(caller.connection, awaited, lambda events: self._ready(caller, events))

    def _drop(self, caller: Caller, error: Exception | None = None) -> None:
        """Close a connection. A peer that is not a client, or sends anything but calls, only loses its own connection."""
        if error is not None and not isinstance(error, OSError):
            self._warn(caller, "the connection of a client was closed: %s", str(error) or type(error).__name__)
        self.selector.unregister(caller.connection)
        self.callers.pop(caller)
        self.busy.pop(caller, None)
        caller.connection.close()

    def _answer(self, caller: Caller, number: int, name: str, arguments: list[Any], asynchronous: bool) -> bytes:
        call = self.calls.get(name)
        try:
            if call is None:
                raise ValueError(f"the loopback server does not know the call {short_repr(name)}")
            result = call(*arguments)
        except (ValueError, LookupError, OSError) as error:
            # the client does not see the answer; controls of a destroyed actor are not worth a warning
            if call is None or (asynchronous and not isinstance(error, LookupError)):
                self._warn(caller, "a call failed: %s: %s", short_repr(name), error)
            result = [[0, [str(error)]]]
        except Exception as error:
            logger.exception("%s failed", name)
            result = [[0, [str(error)]]]
        else:
            if name != "apply_batch":
                result = [[False]] if result is None else [[1, result]]
        answer: bytes = msgpack.packb([1, number, None, result])
        return answer

    def _warn(self, caller: Caller, message: str, *values: Any) -> None:
        caller.warnings += 1
        if caller.warnings <= MAX_WARNINGS:
            logger.warning(message, *values)
