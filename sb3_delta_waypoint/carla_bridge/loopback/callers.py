"""The connections of clients, which turn bytes into calls and answers into bytes, and never wait for a client."""

import selectors
import socket
from contextlib import suppress
from typing import Any

import msgpack  # type: ignore[import-untyped]

from sb3_delta_waypoint.carla_bridge.loopback.arguments import check

RECEIVE = 1 << 16
"""Bytes read from a socket at a time."""
MAX_MESSAGE = 1 << 28
"""Largest length of a call [bytes], enough for the text of a large map."""
MAX_VALUES = 1 << 18
"""Largest number of values of a call, enough for a batch of ten thousand commands: each value takes up to 64 bytes."""
MAX_ANSWERS = 64
"""Largest number of held-back answers for which the client does not wait."""
MAX_WARNINGS = 5
"""Largest number of logged warnings about one client."""

REQUEST = (range(1), int, str, [Any])
"""Shape of a request: type, number, method, and its arguments."""


class Caller:
    """
    The connection of one client. Calls of a client that does not read its answers are not read until it does.

    :param connection: a non-blocking socket
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
        """Memory held for this client [bytes]."""
        return len(self._received) + len(self._unsent)

    @property
    def blocked(self) -> bool:
        """Whether the client has not read its answers."""
        return bool(self._unsent)

    def receive(self) -> bool:
        """
        Receive the available bytes.

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
        Get the next complete call.

        :return: number, method, arguments, and whether the client does not wait for the answer; None if no call is complete
        :raises Exception: if the client has sent anything but a call
        """
        try:
            # finds the end without unpacking, so that announced data is not allocated before it has arrived
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
        Queue the answer to a call, and send it.

        :param answer: the answer
        :param asynchronous: whether the client does not wait for it, so that it can be sent with the next one
        """
        self._answers.append(answer)
        if not asynchronous or len(self._answers) > MAX_ANSWERS:
            self._unsent += b"".join(self._answers)
            self._answers.clear()
            self.send()

    def send(self) -> None:
        """Send as much as the connection accepts."""
        with suppress(BlockingIOError):
            del self._unsent[: self.connection.send(self._unsent)]


def _counted() -> Any:
    """Make a hook that limits the values of a message while it is unpacked: 256 MiB of empty lists would take 16 GiB."""
    total = 0

    def count(values: list[Any]) -> list[Any]:
        nonlocal total
        total += 1 + len(values)
        if total > MAX_VALUES:
            raise ValueError(f"a call of more than {MAX_VALUES} values")
        return values

    return count
