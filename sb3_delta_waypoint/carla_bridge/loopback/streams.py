"""The stream port: who listens to which stream, and messages that never make the server wait."""

import selectors
import socket
import struct
import time
from collections.abc import Sequence

Bytes = bytes | memoryview

SEND_BUFFER = 1 << 22
"""What the system holds for a listener [bytes]: two images of 800 by 600."""
SUBSCRIBE_TIMEOUT = 0.5
"""How long a client may take from asking where a stream is until it subscribes [s]."""


class Subscriber:
    """A connection of a client to the stream port, silent until it has said which stream it wants."""

    def __init__(self, connection: socket.socket):
        self.connection = connection
        self.stream: int | None = None
        self.request = b""
        self.unsent = b""


class Streams:
    """
    Subscriptions. One that asks for a stream that nobody feeds stays open and silent: the client would come back at once.

    :param listener: the listening socket
    """

    def __init__(self, listener: socket.socket):
        self.listener = listener
        self.selector = selectors.DefaultSelector()
        self.selector.register(listener, selectors.EVENT_READ, lambda _: self._accept())
        self.subscribers: dict[int, list[Subscriber]] = {}
        self.announced: set[int] = set()

    def serve(self, timeout: float = 0.0) -> None:
        """
        Take in new subscriptions, send what is left to send.

        :param timeout: how long to wait for something to do [s]
        """
        for key, events in self.selector.select(timeout):
            # an earlier one of these may have closed it
            if key.fileobj in self.selector.get_map():
                key.data(events)

    def await_announced(self) -> None:
        """Wait, not long, for those that have asked where to subscribe: what is sent next is for them too."""
        deadline = time.monotonic() + SUBSCRIBE_TIMEOUT
        while self.announced and (left := deadline - time.monotonic()) > 0.0:
            self.serve(left)
        self.announced.clear()

    def close(self) -> None:
        """Close every connection."""
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        self.selector.close()

    def _accept(self) -> None:
        connection, _ = self.listener.accept()
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        subscriber = Subscriber(connection)
        self.selector.register(connection, selectors.EVENT_READ, lambda events: self._ready(subscriber, events))

    def send(self, stream: int, *parts: Bytes) -> None:
        """
        Send a message to all who listen. One that has not taken in the message before misses this one.

        :param stream: which stream
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
        if sent < sum(map(len, parts)):
            subscriber.unsent = b"".join(parts)[sent:]
            self.selector.modify(
                subscriber.connection,
                selectors.EVENT_READ | selectors.EVENT_WRITE,
                lambda events: self._ready(subscriber, events),
            )

    def _ready(self, subscriber: Subscriber, events: int) -> None:
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
                    self.announced.discard(subscriber.stream)
        if events & selectors.EVENT_WRITE and subscriber.unsent:
            rest, subscriber.unsent = subscriber.unsent, b""
            self._send(subscriber, [rest])
            if not subscriber.unsent and subscriber.connection.fileno() >= 0:
                self.selector.modify(
                    subscriber.connection, selectors.EVENT_READ, lambda events: self._ready(subscriber, events)
                )

    def drop(self, subscriber: Subscriber) -> None:
        """Close a connection and forget it."""
        self.selector.unregister(subscriber.connection)
        subscriber.connection.close()
        if subscriber.stream is not None:
            listeners = self.subscribers[subscriber.stream]
            listeners.remove(subscriber)
            if not listeners:
                del self.subscribers[subscriber.stream]
