"""The stream port: who listens to which stream, and messages that never make the server wait."""

import selectors
import socket
import struct
from collections.abc import Sequence

Bytes = bytes | memoryview

SEND_BUFFER = 1 << 22
"""What the system holds for a listener [bytes]: two images of 800 by 600."""


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

    :param selector: the server's; subscriptions register themselves
    """

    def __init__(self, selector: selectors.BaseSelector):
        self.selector = selector
        self.subscribers: dict[int, list[Subscriber]] = {}

    def accept(self, listener: socket.socket) -> None:
        """A client connects."""
        connection, _ = listener.accept()
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
