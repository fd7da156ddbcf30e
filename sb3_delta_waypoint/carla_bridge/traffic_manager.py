"""
CARLA's traffic manager in a separate process.

The manager is part of the client, and its threads end the interpreter when one of their calls fails: when the server dies,
when a vehicle that they drive is destroyed, and at exit. Moreover, a tick of any client triggers all managers of its process,
whatever their server. Each manager therefore has a separate process, which also ticks the server.
"""

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from sb3_delta_waypoint.carla_bridge.errors import ServerLostError

SNAPSHOT_INTERVAL = 1e-4
"""Interval at which the snapshot of a tick is polled [s]."""
PROCESS = Path(__file__).with_name("traffic_manager_process.py")


class TrafficManager:
    """
    A traffic manager that drives vehicles of a synchronous server, and ticks the server.

    :param host: host of the server
    :param port: port of the server
    :param timeout: longest wait for an answer of the server [s]
    :param loading: longest wait until the manager has read the map [s]
    :raises ServerLostError: if the manager does not start in time
    """

    def __init__(self, host: str, port: int, timeout: float, loading: float):
        self._timeout = timeout
        self._address = f"{host}:{port}"
        # in a new session, so that Ctrl-C in the terminal only reaches this process, which needs the manager to clean up
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(PROCESS), json.dumps([host, port, timeout, loading])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._requests, self._answers = self._process.stdin, self._process.stdout
        self._received = b""
        try:
            self._answer(loading + timeout)
        except BaseException:
            self.kill()
            raise

    def drive(self, vehicles: list[int], seed: int) -> None:
        """
        Let vehicles follow the lanes.

        :param vehicles: ids of the vehicles
        :param seed: seed of the manager's random choices
        """
        self._call("drive", vehicles, seed)

    def release(self) -> None:
        """Release the vehicles, which must not be destroyed before."""
        self._call("release")

    def tick(self, world: Any) -> int:
        """
        Tick the server, and set the controls of the vehicles for the next tick.

        :param world: ``carla.World`` of the owner, which has the snapshot of the tick afterwards
        :return: frame of the tick
        :raises ServerLostError: if there is no answer in time
        """
        # controls are messages without an answer; once this call returns, they have arrived, before the other client ticks
        world.get_settings()
        frame: int = self._call("tick", self._timeout)
        deadline = time.monotonic() + self._timeout
        while world.get_snapshot().frame < frame:
            if time.monotonic() > deadline:
                raise ServerLostError(f"{self._address}: the snapshot of frame {frame} did not come")
            time.sleep(SNAPSHOT_INTERVAL)
        return frame

    def close(self) -> None:
        """Shut the manager down, after which its vehicles may be destroyed. A second call has no effect."""
        with contextlib.suppress(OSError):
            self._requests.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(2.0 * self._timeout)
        self.kill()

    def kill(self) -> None:
        """End the process without a call to the server."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._requests, self._answers):
            with contextlib.suppress(OSError):
                pipe.close()

    def _call(self, *request: Any) -> Any:
        try:
            os.write(self._requests.fileno(), json.dumps(request).encode() + b"\n")
        except (OSError, ValueError):
            raise self._gone() from None
        # a tick is a call, the wait for its snapshot, and the manager's own calls
        return self._answer(4.0 * self._timeout)

    def _answer(self, timeout: float) -> Any:
        deadline = time.monotonic() + timeout
        while not self._received.endswith(b"\n"):
            ready, _, _ = select.select([self._answers], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise ServerLostError(f"{self._address}: the traffic manager did not answer within {timeout:g} s")
            part = os.read(self._answers.fileno(), 4096)
            if not part:
                raise self._gone()
            self._received += part
        answer, self._received = json.loads(self._received), b""
        if isinstance(answer, dict):
            raise ServerLostError(f"{self._address}: traffic manager: {answer['error']}")
        return answer

    def _gone(self) -> ServerLostError:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(self._timeout)
        return ServerLostError(f"{self._address}: the traffic manager is gone (exit code {self._process.returncode})")
