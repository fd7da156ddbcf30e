"""A listening socket that keeps working when file descriptors run out."""

import errno
import os
import socket


class Door:
    """
    A listening socket whose connections never block.

    :param host: address to listen on
    :param port: port to listen on; 0 takes a free one
    :raises OSError: if the port is taken
    """

    def __init__(self, host: str, port: int):
        try:
            self.socket = socket.create_server((host, port))
        except OSError as error:
            raise OSError(error.errno, f"cannot listen on {host}:{port}: {error.strerror}; choose another port") from None
        self.socket.setblocking(False)
        self.port: int = self.socket.getsockname()[1]
        self._spare: int | None = os.open(os.devnull, os.O_RDONLY)

    def accept(self) -> socket.socket | None:
        """Accept the next connection; None if it is closed already, or was refused for lack of a file descriptor."""
        try:
            connection, _ = self.socket.accept()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                self._turn_away()
            return None
        try:
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:
            connection.close()
            return None
        return connection

    def _turn_away(self) -> None:
        """Close the next connection, using a reserved descriptor: if it stayed pending, the server would never sleep."""
        try:
            if self._spare is not None:
                os.close(self._spare)
                self._spare = None
            connection, _ = self.socket.accept()
            connection.close()
            self._spare = os.open(os.devnull, os.O_RDONLY)
        except OSError:
            pass

    def close(self) -> None:
        """Stop listening."""
        self.socket.close()
        if self._spare is not None:
            os.close(self._spare)
