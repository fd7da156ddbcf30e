"""The stream port: subscriptions of clients to streams, and messages that never make the server wait."""

import selectors
import socket
import struct
import time
from collections.abc import Sequence
from contextlib import suppress

from sb3_delta_waypoint.carla_bridge.loopback.door import Door

Bytes = bytes | memoryview

SEND_BUFFER = 1 << 22
"""Size of the system's send buffer of a subscriber [bytes]: two images of 800 by 600."""
SUBSCRIBE_TIMEOUT = 0.5
"""Longest wait for a client that has asked for a stream's address to subscribe [s]; halved each time that none does."""
MAX_SUBSCRIBERS = 512
"""Largest number of connections. A further one replaces one that has not chosen a stream, or is closed."""
MAX_UNSENT = 1 << 28
"""Largest number of unsent bytes for all subscribers together, eight of the largest images; subscribers beyond are dropped."""


class Subscriber:
    """A connection of a client to the stream port, to which nothing is sent until it has chosen a stream."""

    def __init__(self, connection: socket.socket):
        self.connection = connection
        self.stream: int | None = None
        self.request = b""
        self.unsent: Bytes = b""


class Streams:
    """
    The subscriptions of all clients. A subscription to a stream without messages stays open, since the client would otherwise
    reconnect at once.

    :param door: the listening socket
    """

    def __init__(self, door: Door):
        self.door = door
        self.selector = selectors.DefaultSelector()
        self.selector.register(door.socket, selectors.EVENT_READ, lambda _: self._accept())
        self.subscribers: dict[int, list[Subscriber]] = {}
        self.announced: set[int] = set()
        # all connections, in the order of their arrival
        self._connections: dict[Subscriber, None] = {}
        self._patience = SUBSCRIBE_TIMEOUT

    def serve(self, timeout: float = 0.0) -> None:
        """
        Accept new subscriptions, and send unsent messages.

        :param timeout: longest wait for an event [s]
        """
        for key, events in self.selector.select(timeout):
            key.data(events)

    def await_announced(self) -> None:
        """Wait briefly for clients that have asked where to subscribe, so that they get the next message, too."""
        deadline = time.monotonic() + self._patience
        while self.announced and (left := deadline - time.monotonic()) > 0.0:
            self.serve(left)
        if self.announced:
            # a client that asks and never subscribes must not delay the others repeatedly
            self._patience /= 2.0
            self.announced.clear()

    def close(self) -> None:
        """Close every connection."""
        self.door.close()
        for subscriber in self._connections:
            subscriber.connection.close()
        self.selector.close()

    def _accept(self) -> None:
        connection = self.door.accept()
        if connection is None or len(self._connections) >= MAX_SUBSCRIBERS:
            silent = next((subscriber for subscriber in self._connections if subscriber.stream is None), None)
            if silent is not None:
                self.drop(silent)
            elif connection is not None:
                connection.close()
                return
        if connection is None:
            return
        with suppress(OSError):  # the connection may be closed already
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        subscriber = Subscriber(connection)
        self._connections[subscriber] = None
        self.selector.register(connection, selectors.EVENT_READ, lambda events: self._ready(subscriber, events))

    def send(self, stream: int, *parts: Bytes) -> None:
        """
        Send a message to all subscribers of a stream. A subscriber that has not read the previous message misses this one.

        :param stream: number of the stream
        :param parts: the message, in parts
        """
        for subscriber in tuple(self.subscribers.get(stream, ())):
            if not subscriber.unsent:
                self._send(subscriber, parts)

    def _send(self, subscriber: Subscriber, parts: Sequence[Bytes]) -> None:
        try:
            sent = subscriber.connection.sendmsg(parts)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.drop(subscriber)
            return
        if (left := sum(map(len, parts)) - sent) > 0:
            if left + sum(len(other.unsent) for other in self._connections) > MAX_UNSENT:
                self.drop(subscriber)
                return
            subscriber.unsent = memoryview(b"".join(parts))[sent:]
            self.selector.modify(
                subscriber.connection,
                selectors.EVENT_READ | selectors.EVENT_WRITE,
                lambda events: self._ready(subscriber, events),
            )

    def _ready(self, subscriber: Subscriber, events: int) -> None:
        if subscriber not in self._connections:
            # an earlier event has closed the connection
            return
        if events & selectors.EVENT_READ:
            try:
                received = subscriber.connection.recv(4096)
            except BlockingIOError:
                received = None
            except OSError:
                received = b""
            if received == b"":
                self.drop(subscriber)
                return
            if received and subscriber.stream is None:
                subscriber.request += received
                if len(subscriber.request) >= 4:
                    (subscriber.stream,) = struct.unpack("<I", subscriber.request[:4])
                    self.subscribers.setdefault(subscriber.stream, []).append(subscriber)
                    if subscriber.stream in self.announced:
                        self.announced.remove(subscriber.stream)
                        self._patience = SUBSCRIBE_TIMEOUT
        if events & selectors.EVENT_WRITE and subscriber.unsent:
            try:
                subscriber.unsent = subscriber.unsent[subscriber.connection.send(subscriber.unsent) :]
            except BlockingIOError:
                pass
            except OSError:
                self.drop(subscriber)
                return
            if not subscriber.unsent:
                self.selector.modify(
                    subscriber.connection, selectors.EVENT_READ, lambda events: self._ready(subscriber, events)
                )

    def drop(self, subscriber: Subscriber) -> None:
        """Close a connection and forget it."""
        self.selector.unregister(subscriber.connection)
        del self._connections[subscriber]
        subscriber.connection.close()
        if subscriber.stream is not None:
            listeners = self.subscribers[subscriber.stream]
            listeners.remove(subscriber)
            if not listeners:
                del self.subscribers[subscriber.stream]
