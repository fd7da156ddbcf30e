"""
Script that runs CARLA's traffic manager and ticks the server, started by :class:`~.traffic_manager.TrafficManager`.

Requests come as lines of JSON on stdin; each is answered by a line on stdout: the result, or ``{"error": message}``. The end
of stdin, which also comes when the owner dies, ends the process. This file imports nothing of the package, to start faster.
"""

import json
import os
import signal
import socket
import sys
from typing import Any

import carla

ATTEMPTS = 3
"""Maximum attempts to start on a free port, which another process may take first."""


class Manager:
    """
    A traffic manager that drives some vehicles of a synchronous world.

    :param client: ``carla.Client`` of a server in synchronous mode
    """

    def __init__(self, client: Any):
        self._world = client.get_world()
        self._vehicles: list[Any] = []
        for last in (False,) * (ATTEMPTS - 1) + (True,):
            # the port of a manager that another client runs or has left behind is not free
            self._port = _free_port()
            try:
                self._manager = client.get_trafficmanager(self._port)
                break
            except RuntimeError:
                if last:
                    raise
        self._manager.set_synchronous_mode(True)

    def drive(self, vehicles: list[int], seed: int) -> None:
        """Let vehicles follow the lanes."""
        self._manager.set_random_device_seed(seed)
        self._vehicles = list(self._world.get_actors(vehicles))
        for vehicle in self._vehicles:
            vehicle.set_autopilot(True, self._port)

    def release(self) -> None:
        """Release all vehicles, so that they can be destroyed."""
        for vehicle in self._vehicles:
            vehicle.set_autopilot(False, self._port)
        self._vehicles = []

    def tick(self, timeout: float) -> int:
        """Tick the world, upon which the manager sends its controls; return the frame."""
        frame: int = self._world.tick(timeout)
        return frame

    def shut_down(self) -> None:
        """End the manager's thread, which waits for a tick in synchronous mode."""
        self.release()
        self._manager.set_synchronous_mode(False)
        self._manager.shut_down()


def _free_port() -> int:
    with socket.create_server(("", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def main() -> None:
    """Answer requests, ``[method, arguments …]`` of :class:`Manager`, until the end of stdin."""
    # carla writes warnings to stdout
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    host, port, timeout, loading = json.loads(sys.argv[1])
    client = carla.Client(host, port, 1)
    client.set_timeout(loading)
    try:
        manager = Manager(client)
    except RuntimeError as error:
        print(json.dumps({"error": str(error)}), file=answers, flush=True)
        return
    client.set_timeout(timeout)
    print(json.dumps(None), file=answers, flush=True)
    for line in sys.stdin:
        method, *arguments = json.loads(line)
        try:
            answer = getattr(manager, method)(*arguments)
        except RuntimeError as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), file=answers, flush=True)
    # a server that does not answer any more must not keep the process alive
    signal.setitimer(signal.ITIMER_REAL, 2.0 * timeout)
    manager.shut_down()
    # skips the client's destructors, which fail occasionally
    os._exit(0)


if __name__ == "__main__":
    main()
