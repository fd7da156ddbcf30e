"""
A soak test of the loopback server and the real ``carla`` client: memory of both over many steps and respawns.

    python benchmarks/loopback_soak.py

Exits with 1 if the memory of either process grows by more than a tolerance after the first fifth of the run.
"""

import gc
import sys
import time
from pathlib import Path

import carla
import click

from sb3_delta_waypoint.carla_bridge.loopback import LoopbackServer

TOLERANCE = 4.0
"""Tolerated growth [MiB]: the client stores every actor that it has seen, 1 to 2 KB each."""
REPORTS = 10


def resident(pid: int | str) -> float:
    """Return the resident memory of a process [MiB]."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise ValueError(f"process {pid} has no memory")


@click.command()
@click.option("--ticks", default=300_000, show_default=True)
@click.option("--respawns", default=1_000, show_default=True)
def main(ticks: int, respawns: int) -> None:
    """Drive for long, respawn often, and watch the memory."""
    with LoopbackServer() as server:
        client = carla.Client(server.host, server.port, 1)
        client.set_timeout(10.0)
        world = client.get_world()
        settings = world.get_settings()
        settings.synchronous_mode, settings.fixed_delta_seconds = True, 0.1
        world.apply_settings(settings)
        library, points = world.get_blueprint_library(), world.get_map().get_spawn_points()
        start, settled = time.perf_counter(), (0.0, 0.0)
        collisions = 0

        def count(event: carla.CollisionEvent) -> None:
            nonlocal collisions
            collisions += 1

        for number in range(respawns):
            car = world.spawn_actor(library.find("vehicle.tesla.model3"), points[number % len(points)])
            obstacle = world.try_spawn_actor(library.find("static.prop.container"), points[(number + 7) % len(points)])
            sensor = world.spawn_actor(library.find("sensor.other.collision"), carla.Transform(), attach_to=car)
            sensor.listen(count)
            for i in range(ticks // respawns):
                car.apply_control(carla.VehicleControl(throttle=0.4, steer=0.01 * (i % 5)))
                world.tick()
                car.get_transform()
            sensor.stop()
            for actor in (sensor, car, obstacle):
                if actor is not None:
                    actor.destroy()
            if (number + 1) % max(respawns // REPORTS, 1) == 0:
                gc.collect()
                memory = resident(server.pid), resident("self")
                if number + 1 <= respawns // 5:
                    settled = memory
                rate = (number + 1) * (ticks // respawns) / (time.perf_counter() - start)
                click.echo(
                    f"{(number + 1) * (ticks // respawns):>9,} ticks {number + 1:>6,} respawns {collisions:>6,} collisions   "
                    f"server {memory[0]:7.2f} MiB   client {memory[1]:7.2f} MiB   {rate:,.0f} ticks/s"
                )
        growth = [after - before for before, after in zip(settled, memory, strict=True)]
    click.echo(f"growth after the first fifth: server {growth[0]:.2f} MiB, client {growth[1]:.2f} MiB")
    sys.exit(max(growth) > TOLERANCE)


if __name__ == "__main__":
    main()
