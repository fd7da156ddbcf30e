"""The server's process. Its argument holds options as JSON; on stdout it prints one line of JSON, its port or an error."""

import json
import os
import sys
import threading
import time
from typing import Any

PARENT_INTERVAL = 0.5
"""Interval between checks of whether the parent is alive [s]."""


def main() -> None:
    """Serve until a signal to stop, or until the parent dies."""
    options: dict[str, Any] = json.loads(sys.argv[1])
    threading.Thread(target=_leave_with, args=(options["parent"],), daemon=True).start()
    try:
        from sb3_delta_waypoint.carla_bridge.loopback.road_map import map_readers
        from sb3_delta_waypoint.carla_bridge.loopback.run import exit_on_signals, warm_up
        from sb3_delta_waypoint.carla_bridge.loopback.server import Server

        exit_on_signals()
        warm_up()
        server = Server(
            map_readers(options["maps"]),
            options["fps"],
            options["port"],
            version=options["version"],
            disguised=options["disguised"],
        )
    except (ImportError, OSError, ValueError) as error:
        _tell({"error": type(error).__name__, "message": str(error)})
        # at once: the parent's SIGTERM would raise SystemExit within what Python calls on its way out, and be reported
        os._exit(0)
    _tell({"port": server.port})
    server.run()


def _tell(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)
    # the parent does not read any further
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _leave_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_INTERVAL)
    os._exit(0)


if __name__ == "__main__":
    main()
