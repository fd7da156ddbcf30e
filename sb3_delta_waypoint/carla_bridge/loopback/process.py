"""The loopback server in a separate process, which is necessary because the client waits without releasing the interpreter's
lock."""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from sb3_delta_waypoint.carla_bridge.loopback.wire import CLIENT_VERSION, check_wire_version

TERMINATE_TIMEOUT = 5.0
"""Time that the process has to end before it is killed [s]."""


class LoopbackServer:
    """
    A loopback server in a subprocess, on a free port of this machine. It ends with the context, or when this process dies.

    ::

        with LoopbackServer() as server:
            client = carla.Client(server.host, server.port)

    Each start takes a port that no server of this process had before: a client that is still connected to an old one would
    crash the interpreter if a server appeared at its port.

    :param map: OpenDRIVE file, or several, which ``client.load_world`` knows by their names without ``.xodr``; None for a
        small town
    :param fps: default number of steps per simulated second, and steps per second in asynchronous mode
    :param port: the port; 0 takes a free one
    :param version: version that the server reports
    :param disguised: whether to look like CARLA, so that clients use their traffic manager; for tests
    :param timeout: longest wait for the start [s]; a first start compiles the kernels
    :raises ImportError: from :meth:`start`, if the installed ``carla`` is missing or of a version with another sensor table
    :raises FileNotFoundError: from :meth:`start`, if there is no such map
    :raises ValueError: from :meth:`start`, if the first map cannot be driven on, or ``fps`` is not positive
    :raises OSError: from :meth:`start`, if the port is taken or the server does not come up
    """

    host = "127.0.0.1"
    _used_ports: set[int] = set()

    def __init__(
        self,
        map: str | Path | Sequence[str | Path] | None = None,
        fps: float = 10.0,
        port: int = 0,
        version: str = CLIENT_VERSION,
        disguised: bool = False,
        timeout: float = 60.0,
    ):
        self.maps = [] if map is None else [map] if isinstance(map, str | Path) else list(map)
        self.fps = fps
        self.requested_port = port
        self.version = version
        self.disguised = disguised
        self.timeout = timeout
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Id of the server's process."""
        if self._process is None:
            raise RuntimeError("the loopback server is not running: start() it first")
        return self._process.pid

    def start(self) -> "LoopbackServer":
        """
        Start the server and wait until it listens.

        :return: the server itself
        """
        if self._process is not None:
            raise RuntimeError(f"the loopback server runs already, as process {self.pid}; close() it first")
        check_wire_version()
        while True:
            self.port = self._launch()
            if self.requested_port or self.port not in self._used_ports:
                break
            self.close()
        self._used_ports.add(self.port)
        return self

    def _launch(self) -> int:
        options = {"maps": [str(path) for path in self.maps], "fps": self.fps, "port": self.requested_port}
        options |= {"version": self.version, "disguised": self.disguised, "parent": os.getpid()}
        # in a new session, so that Ctrl-C in the terminal only reaches the parent, which needs the server to clean up
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", __package__, json.dumps(options)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            answer = self._first_line()
        except BaseException:
            self.close()
            raise
        if "error" in answer:
            self.close()
            kind = {"FileNotFoundError": FileNotFoundError, "ValueError": ValueError, "ImportError": ImportError}
            raise kind.get(str(answer["error"]), OSError)(answer["message"])
        return int(answer["port"])

    def _first_line(self) -> dict[str, str | int]:
        assert self._process is not None and self._process.stdout is not None
        deadline = time.monotonic() + self.timeout
        line = b""
        with self._process.stdout as pipe:
            while not line.endswith(b"\n"):
                ready, _, _ = select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))
                if not ready:
                    raise TimeoutError(f"the loopback server was not ready within {self.timeout} s")
                part = os.read(pipe.fileno(), 4096)
                if not part:
                    raise OSError(f"the loopback server ended while starting (exit code {self._process.wait()}): see stderr")
                line += part
        answer: dict[str, str | int] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the server, if it is running."""
        if self._process is None:
            return
        process, self._process = self._process, None
        process.terminate()
        try:
            process.wait(TERMINATE_TIMEOUT)
        except subprocess.TimeoutExpired:
            # it may be a stopped process
            process.kill()
            process.wait()

    def __enter__(self) -> "LoopbackServer":
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()
