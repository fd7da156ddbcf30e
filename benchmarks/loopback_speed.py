"""
Speed of the loopback server with the real ``carla`` client: steps without and with a camera, and respawns.

    python benchmarks/loopback_speed.py

One client, one car, synchronous steps of 0.1 s; a step is apply_control, tick, get_transform and get_velocity, and with a
camera the wait for the image of its frame.
"""

import queue
import statistics
import time
from collections.abc import Callable
from typing import Any

import carla
import click

from sb3_delta_waypoint.carla_bridge.loopback import LoopbackServer

ROUNDS = 3
WIDTH, HEIGHT = 84, 64


def rate(name: str, n: int, work: Callable[[int], None]) -> None:
    """Print how many times per second a function can be called: the median of some rounds."""
    rates = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for i in range(n):
            work(i)
        rates.append(n / (time.perf_counter() - start))
    click.echo(f"{name:<36}{statistics.median(rates):>9,.0f} /s   (of {', '.join(f'{value:,.0f}' for value in rates)})")


@click.command()
@click.option("--map", "xodr", help="OpenDRIVE map.  [default: the small town]")
@click.option("--steps", default=3000, show_default=True)
def main(xodr: str | None, steps: int) -> None:
    """Measure the loopback server from the client."""
    start = time.perf_counter()
    with LoopbackServer(map=xodr) as server:
        click.echo(f"ready after {time.perf_counter() - start:.2f} s")
        client = carla.Client(server.host, server.port, 1)
        client.set_timeout(10.0)
        world = client.get_world()
        settings = world.get_settings()
        settings.synchronous_mode, settings.fixed_delta_seconds = True, 0.1
        world.apply_settings(settings)
        library, points = world.get_blueprint_library(), world.get_map().get_spawn_points()
        model = library.find("vehicle.tesla.model3")
        car = world.spawn_actor(model, points[0])

        def step(i: int) -> int:
            car.apply_control(carla.VehicleControl(throttle=0.3, steer=0.001 * (i % 7)))
            frame: int = world.tick()
            car.get_transform()
            car.get_velocity()
            return frame

        rate("steps", steps, lambda i: step(i) and None)

        blueprint = library.find("sensor.camera.rgb")
        for name, value in {"image_size_x": WIDTH, "image_size_y": HEIGHT}.items():
            blueprint.set_attribute(name, str(value))
        camera = world.spawn_actor(blueprint, carla.Transform(carla.Location(1.5, 0.0, 2.0)), attach_to=car)
        images: queue.Queue[Any] = queue.Queue()
        camera.listen(images.put)

        def see(i: int) -> None:
            frame = step(i)
            while images.get(timeout=5.0).frame != frame:
                pass

        rate(f"steps with a {WIDTH} x {HEIGHT} camera", steps // 2, see)
        camera.stop()
        world.tick()
        camera.destroy()
        car.destroy()

        def respawn(i: int) -> None:
            car = world.spawn_actor(model, points[i % len(points)])
            sensor = world.spawn_actor(library.find("sensor.other.collision"), carla.Transform(), attach_to=car)
            sensor.listen(lambda event: None)
            world.tick()
            car.get_transform()
            sensor.stop()
            sensor.destroy()
            car.destroy()

        rate("respawns of car and collision sensor", steps // 10, respawn)


if __name__ == "__main__":
    main()
