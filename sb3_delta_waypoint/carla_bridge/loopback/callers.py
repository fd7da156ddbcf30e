"""The connections of the clients: bytes to calls, and answers to bytes, without ever waiting for a client."""

import selectors
import socket
from contextlib import suppress
from typing import Any

import msgpack  # type: ignore[import-untyped]

from sb3_delta_waypoint.carla_bridge.loopback.arguments import check

RECEIVE = 1 << 16
"""Bytes read from a socket at a time."""
MAX_MESSAGE = 1 << 28
"""A call may be this long [bytes]: the text of a large map."""
MAX_VALUES = 1 << 18
"""A call may consist of this many values, such as a batch of some ten thousand commands: each takes up to 64 bytes."""
MAX_ANSWERS = 64
"""Answers that nobody waits for, held back at most."""
MAX_WARNINGS = 5
"""What goes wrong with one client is logged this many times at most."""

REQUEST = (range(1), int, str, [Any])
"""Type, number, method, and its arguments."""


class Caller:
    """
    The connection of one client. One that does not take in its answers is not listened to until it does.

    :param connection: that does not block
    """

    def __init__(self, connection: socket.socket):
        self.connection = connection
        self.has_called = False
        self.warnings = 0
        self.awaited = selectors.EVENT_READ
        self._scanner = msgpack.Unpacker(max_buffer_size=MAX_MESSAGE)
        self._received = bytearray()
        self._scanned = 0
        self._answers: list[bytes] = []
        self._unsent = bytearray()

    @property
    def held(self) -> int:
        """What is held in memory for this client [bytes]."""
        return len(self._received) + len(self._unsent)

    @property
    def blocked(self) -> bool:
        """Whether it has not taken in its answers."""
        return bool(self._unsent)

    def receive(self) -> bool:
        """
        Take in what has come.

        :return: False if the client has closed the connection
        """
        try:
            received = self.connection.recv(RECEIVE)
        except BlockingIOError:
            return True
        self._received += received
        self._scanner.feed(received)
        return bool(received)

    def next_call(self) -> tuple[int, str, list[Any], bool] | None:
        """
        :return: number, method, arguments, and whether nobody waits for the answer; None if no call is complete
        :raises Exception: if the client has sent what is not a call
        """
        try:
            # finds the end without making anything of it: what is announced is not allocated before it has come
            self._scanner.skip()
        except msgpack.OutOfData:
            return None
        length = self._scanner.tell() - self._scanned
        message = bytes(self._received[:length])
        del self._received[:length]
        self._scanned += length
        counted = _counted() if length > MAX_VALUES else None
        request = msgpack.unpackb(message, max_map_len=0, max_ext_len=0, list_hook=counted)
        check(request, REQUEST, "request")
        _, number, name, (meta, *arguments) = request
        check(meta, (bool,), "metadata")
        self.has_called = True
        return number, name, arguments, meta[0]

    def answer(self, answer: bytes, asynchronous: bool) -> None:
        """
        :param answer: to a call
        :param asynchronous: nobody waits for it: it can go with the next one, and wakes nobody
        """
        self._answers.append(answer)
        if not asynchronous or len(self._answers) > MAX_ANSWERS:
            self._unsent += b"".join(self._answers)
            self._answers.clear()
            self.send()

    def send(self) -> None:
        """Send what the connection takes."""
        with suppress(BlockingIOError):
            del self._unsent[: self.connection.send(self._unsent)]


def _counted() -> Any:
    """A hook that counts the values of a message while it is unpacked: 256 MiB of empty lists would fill 16 GiB."""
    total = 0

    def count(values: list[Any]) -> list[Any]:
        nonlocal total
        total += 1 + len(values)
        if total > MAX_VALUES:
            raise ValueError(f"a call of more than {MAX_VALUES} values")
        return values

    return count
