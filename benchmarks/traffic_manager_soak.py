"""
A soak test of CARLA's traffic manager, which may crash the interpreter: many resets, and many kills of the server.

    python benchmarks/traffic_manager_soak.py

The server is the loopback server, which pretends to be CARLA, so that the client starts its traffic manager. One process makes
the resets, with a short drive after each. Each kill is made in mid-episode by a separate process, which then continues with a
server at another address, and ends with or without ``close()``. Exits with 1 if a process does not end normally.
"""

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time

import click

from sb3_delta_waypoint.carla_bridge.env import CarlaWaypointEnv
from sb3_delta_waypoint.carla_bridge.errors import CarlaError
from sb3_delta_waypoint.carla_bridge.loopback import LoopbackServer

STEPS = 10
"""Number of steps of an episode."""
TRAFFIC = {"vehicles": 6, "pedestrians": 2}


def drive(env: CarlaWaypointEnv, steps: int) -> dict:
    """Drive a number of steps, if possible, and return the last info."""
    for _ in range(steps):
        _, _, terminated, truncated, info = env.step(env.expert_plan())
        if terminated or truncated:
            return info
    return {}


def resets(number: int) -> None:
    """Reset a number of times, with a short drive after each."""
    with LoopbackServer(disguised=True) as server, CarlaWaypointEnv(port=server.port, traffic=TRAFFIC) as env:
        assert env.backend == "carla"
        env.reset(seed=1)
        for _ in range(number):
            env.reset()
            assert "fault" not in drive(env, STEPS)


def kill(number: int, other_port: int) -> None:
    """Kill the server once, and continue with another."""
    rng = random.Random(number)
    with LoopbackServer(disguised=True) as server:
        env = CarlaWaypointEnv(port=server.port, traffic=TRAFFIC, timeout=2.0)
        env.reset(seed=number)
        drive(env, rng.randrange(1, STEPS))
        threading.Timer(rng.uniform(0.0, 0.1), os.kill, (server.pid, signal.SIGKILL)).start()
        # the loss shows in the info of a step, or in a reset that finds no server
        with contextlib.suppress(CarlaError):
            while "fault" not in drive(env, 1000):
                env.reset()
        env.session.port = other_port
        env.reset()
        assert "fault" not in drive(env, STEPS)
        if rng.random() < 0.5:
            env.close()


@click.command()
@click.option("--resets", "n_resets", default=500, show_default=True)
@click.option("--kills", "n_kills", default=50, show_default=True)
@click.option("--part", hidden=True, help="What one of the processes does, and its numbers.")
def main(n_resets: int, n_kills: int, part: str | None) -> None:
    """Run resets and kills, and count the processes that did not end normally."""
    if part is not None:
        name, *numbers = part.split()
        {"resets": resets, "kill": kill}[name](*map(int, numbers))
        return
    failed = 0
    with LoopbackServer(disguised=True) as other:
        for part in (f"resets {n_resets}", *(f"kill {number} {other.port}" for number in range(n_kills))):
            start = time.perf_counter()
            done = subprocess.run([sys.executable, __file__, "--part", part], capture_output=True, text=True)
            click.echo(f"{part:>14}: exit code {done.returncode} after {time.perf_counter() - start:.1f} s")
            if done.returncode:
                failed += 1
                click.echo(done.stderr)
    click.echo(f"{failed} of {n_kills + 1} processes did not end in order")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
