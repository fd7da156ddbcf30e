"""Detection of a server's death, before the client notices it."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable

from sb3_delta_waypoint.carla_bridge.errors import ServerUnreachableError

RETRY_INTERVAL = 0.2
"""Interval between attempts to connect while nothing listens [s]."""
RECONNECT_INTERVAL, QUIET = 1.0, (0.3, 0.7)
"""Interval at which the client's streams try to reconnect after its server has died [s], and the shares of that interval
between which handles are dropped: dropping them at the moment of an attempt sometimes crashes the client."""


class Watch(threading.Thread):
    """
    A thread that detects the death of a server at once, because an idle connection to it ends.

    The client itself detects it at its next call at the earliest. By then another server may run at the same address.

    :param host: host of the server
    :param port: port of the server
    :param timeout: longest wait for a server that is being started [s]
    :param on_loss: called with the reason, from this thread
    :raises ServerUnreachableError: if nothing listens there
    """

    def __init__(self, host: str, port: int, timeout: float, on_loss: Callable[[str], None]):
        super().__init__(name=f"carla-watch-{host}:{port}", daemon=True)
        self._socket = _connect(host, port, timeout)
        self._on_loss = on_loss
        self._address = f"{host}:{port}"
        self._stopped = False
        self._lost_at: float | None = None

    def run(self) -> None:
        """Wait for the end of the connection."""
        with contextlib.suppress(OSError):
            # nothing is ever sent here
            while self._socket.recv(64):
                pass
        self._socket.close()
        if not self._stopped:
            self._lost_at = time.monotonic()
            self.wait_for_quiet()
            self._on_loss(f"the server at {self._address} is gone: it closed the connection")

    def wait_for_quiet(self) -> None:
        """Wait until the client is between two attempts to reconnect; return at once while the server is alive."""
        if self._lost_at is not None:
            share = (time.monotonic() - self._lost_at) / RECONNECT_INTERVAL % 1.0
            if not QUIET[0] <= share <= QUIET[1]:
                time.sleep((QUIET[0] - share) % 1.0 * RECONNECT_INTERVAL)

    def stop(self) -> None:
        """Close the connection, which ends the thread."""
        self._stopped = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        if not self.is_alive():
            self._socket.close()


def _connect(host: str, port: int, timeout: float) -> socket.socket:
    """Open a plain connection, waiting for a server that is being started."""
    deadline = time.monotonic() + timeout
    while True:
        left = deadline - time.monotonic()
        try:
            connection = socket.create_connection((host, port), max(left, 0.1))
        except OSError as error:
            if left <= RETRY_INTERVAL:
                raise ServerUnreachableError(
                    f"there is no CARLA server at {host}:{port} ({error.strerror or error}): start one, or omit host= and "
                    "port= to drive on the loopback server that comes with this package"
                ) from None
            time.sleep(RETRY_INTERVAL)
            continue
        connection.settimeout(None)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return connection
