"""
A fuzzer of the loopback server: random, mutated and incomplete messages, and clients that never read.

    python benchmarks/loopback_fuzz.py

A real ``carla`` client drives before, during and after. Exits with 1 if it ever fails, if the server hangs, ends, exceeds its
memory limit, or prints a traceback.
"""

import contextlib
import os
import random
import select
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from typing import IO, Any

import click
import msgpack
from loopback_soak import resident

from sb3_delta_waypoint.carla_bridge.loopback import LoopbackServer
from sb3_delta_waypoint.carla_bridge.loopback.rpc import Calls

MEMORY = 1500.0
"""Maximum growth of the server's memory [MiB]: calls and answers, images, and data queued for subscribers."""
PATIENCE = 20.0
"""Time that the good client waits for an answer [s]."""
ANSWER_TIME = 0.005
"""Maximum time of an answer [s]; half of the calls do not wait for one."""
CHECK = 500
"""Number of messages between two checks of the good client."""
PLACE = [[10.0, 20.0, 0.3], [0.0, 0.0, 0.0]]
CONTROL = [0.5, 0.0, 0.0, False, False, False, 0]
SETTINGS = [True, False, [True, 0.1], True, 0.01, 10, 0.0, True, 3000.0, 2000.0, True]
ODD = (
    None, True, False, 0, -1, 1, 255, 2**31, 2**32, 2**63, 2**64 - 1, -(2**63), 0.1, -1e-300, 1e9, 1e300, float("nan"),
    float("inf"), -float("inf"), "", "0", "nan", "a" * 1000, "\u20ac\x00", "sensor.camera.rgb", b"", b"\xff" * 24, [], [[]],
    [False], [True], [True, 0.0], {}, {"a": 1}, [0.0] * 3, [0.0] * 14, PLACE, CONTROL, SETTINGS,
)  # fmt: skip
"""Values that may replace any part of a message."""
SENSIBLE: dict[str, list[Any]] = {
    "set_episode_settings": [SETTINGS],
    "set_weather_parameters": [[10.0] * 14],
    "spawn_actor": [[1, "vehicle.tesla.model3", [["role_name", 4, "autopilot"], ["color", 5, "90,90,90"]]], PLACE],
    "spawn_actor_with_parent": [
        [1, "sensor.camera.rgb", [["image_size_x", 2, "64"], ["image_size_y", 2, "64"], ["fov", 3, "90"]]], PLACE, 2, 0, "",
    ],
    "set_actor_transform": [2, PLACE],
    "apply_control_to_vehicle": [2, CONTROL],
    "apply_control_to_walker": [2, [[1.0, 0.0, 0.0], 1.4, False]],
    "apply_batch": [[[[6, [2, PLACE]]], [[0, [[1, "walker.pedestrian.0001", []], PLACE, [False], 0, "", []]]]], False],
    "set_actor_target_velocity": [2, [5.0, 0.0, 0.0]],
    "enable_actor_constant_velocity": [2, [5.0, 0.0, 0.0]],
    "set_actor_autopilot": [2, True],
    "copy_opendrive_to_file": ["<OpenDRIVE/>", []],
    "load_new_episode": ["nowhere", False, 65535],
    "get_actors_by_id": [[1, 2, 3]],
    "get_sensor_token": [1],
    "destroy_actor": [2],
    "set_traffic_light_state": [2, 1],
    "set_vehicle_light_state": [2, [1]],
    "set_actor_simulate_physics": [2, True],
}  # fmt: skip
"""Valid calls, which are then mutated."""
LENGTHS = b"\xdd\xff\xff\xff\xff", b"\xdb\x0f\xff\xff\xff", b"\x91" * 3000, b"\xdc\xff\xff" * 900
"""Messages that announce more data than follows."""
METHODS = sorted({name for name in vars(Calls) if not name.startswith("_")} - {"load_new_episode"})


class GoodClient:
    """A real client in a separate process, since it waits without releasing the interpreter's lock."""

    SCRIPT = """
import sys, carla
client = carla.Client("127.0.0.1", int(sys.argv[1]), 1)
client.set_timeout(float(sys.argv[2]))
for line in sys.stdin:
    world = client.get_world()
    settings = world.get_settings()
    settings.synchronous_mode, settings.fixed_delta_seconds = True, 0.1
    world.apply_settings(settings)
    points, library = world.get_map().get_spawn_points(), world.get_blueprint_library()
    frame = world.tick()
    car = next(filter(None, (world.try_spawn_actor(library.find("vehicle.audi.tt"), place) for place in points)))
    car.apply_control(carla.VehicleControl(throttle=0.5))
    for _ in range(5):
        assert world.tick() > frame
    car.get_transform()
    car.destroy()
    print("fine", flush=True)
"""

    def __init__(self, port: int):
        self._process = subprocess.Popen(
            [sys.executable, "-c", self.SCRIPT, str(port), str(PATIENCE)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def drives(self) -> bool:
        """Return whether the client can connect, tick, spawn, control and destroy."""
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            print("drive", file=self._process.stdin, flush=True)
        except BrokenPipeError:
            return False
        return self._process.stdout.readline() == "fine\n"

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()


def spoiled(value: Any, draw: random.Random) -> Any:
    """Return a value with a random change at a random place."""
    if isinstance(value, list) and value and draw.random() < 0.8:
        copy = list(value)
        at = draw.randrange(len(copy))
        kind = draw.random()
        if kind < 0.7:
            copy[at] = spoiled(copy[at], draw)
        elif kind < 0.85:
            del copy[at]
        else:
            copy.insert(at, draw.choice(ODD))
        return copy
    return draw.choice(ODD)


def message(draw: random.Random) -> tuple[bytes, bool]:
    """Return a packed message that resembles a call, and whether it is complete."""
    if draw.random() < 0.5:
        name = draw.choice(list(SENSIBLE))
        arguments = SENSIBLE[name]
        if draw.random() < 0.7:
            arguments = spoiled(arguments, draw)
    else:
        name, arguments = draw.choice(METHODS), [draw.choice(ODD) for _ in range(draw.randrange(5))]
    if not isinstance(arguments, list):
        arguments = [arguments]
    # actor ids are replaced by ids that may exist
    arguments = [draw.randrange(60) if argument == 2 and draw.random() < 0.8 else argument for argument in arguments]
    call = [0, draw.randrange(2**32), name, [[draw.random() < 0.5], *arguments]]
    if draw.random() < 0.05:
        call = spoiled(call, draw)
    packed = bytearray(msgpack.packb(call))
    kind = draw.random()
    if kind < 0.05:
        for _ in range(draw.randrange(1, 8)):
            packed[draw.randrange(len(packed))] = draw.randrange(256)
    elif kind < 0.07:
        del packed[draw.randrange(len(packed)) :]
    elif kind < 0.08:
        packed = bytearray(draw.randbytes(draw.randrange(1, 200)))
    elif kind < 0.09:
        packed = bytearray(draw.choice(LENGTHS))
    return bytes(packed), kind >= 0.09


class Crowd:
    """Connections of all kinds, some of which read answers."""

    def __init__(self, server: LoopbackServer, draw: random.Random):
        self._server, self._draw = server, draw
        self._callers: list[tuple[socket.socket, bool]] = []
        self._half: list[socket.socket] = []
        self._subscribers: list[socket.socket] = []
        self.answers: Counter[str] = Counter()

    def send(self, packed: bytes, whole: bool) -> None:
        """Send a message on one of the connections; nothing is sent after an incomplete message."""
        draw = self._draw
        if len(self._callers) < 40 or draw.random() < 0.01:
            connection = socket.create_connection((self._server.host, self._server.port), PATIENCE)
            connection.setblocking(False)
            self._callers.append((connection, draw.random() < 0.8))
        at = draw.randrange(len(self._callers))
        connection, reads = self._callers[at]
        try:
            connection.send(packed)
            if reads and select.select([connection], [], [], ANSWER_TIME)[0]:
                received = connection.recv(1 << 20)
                self.answers["answered" if received else "closed"] += 1
                whole = whole and bool(received)
            else:
                self.answers["no answer yet" if reads else "not read"] += 1
        except OSError:
            self.answers["refused"] += 1
            whole = False
        if not whole:
            del self._callers[at]
            self._half.append(connection)
        if len(self._half) > 60:
            self._half.pop(draw.randrange(60)).close()

    def subscribe(self, port: int) -> None:
        """Subscribe to a stream that may not exist; most subscribers never read."""
        connection = socket.create_connection((self._server.host, port), PATIENCE)
        connection.sendall(struct.pack("<I", self._draw.randrange(40))[: self._draw.choice((0, 2, 4, 4, 4))])
        self._subscribers.append(connection)
        if len(self._subscribers) > 100:
            self._subscribers.pop(self._draw.randrange(100)).close()

    def close(self) -> None:
        """Close all connections."""
        for connection in [*self._subscribers, *self._half, *(connection for connection, _ in self._callers)]:
            connection.close()


def stream_port(server: LoopbackServer) -> int:
    """Return the port of the server's streams."""
    with socket.create_connection((server.host, server.port), PATIENCE) as connection:
        connection.sendall(msgpack.packb([0, 1, "get_sensor_token", [[False], 1]]))
        ((_, (token,)),) = msgpack.unpackb(connection.recv(4096))[3]
    port: int = struct.unpack_from("<IH", token)[1]
    return port


def started(messages: IO[str]) -> LoopbackServer:
    """Start a server that writes its log to a stream."""
    stderr = os.dup(2)
    os.dup2(messages.fileno(), 2)
    try:
        return LoopbackServer().start()
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


def fuzz(n_messages: int = 20_000, seconds: float = 300.0, seed: int = 0) -> list[str]:
    """
    Send random messages to a loopback server.

    :param n_messages: number of messages
    :param seconds: time limit [s]
    :param seed: seed of the messages
    :return: descriptions of the faults
    """
    draw, wrong = random.Random(seed), []
    with tempfile.TemporaryFile("w+") as messages, contextlib.closing(started(messages)) as server:
        good, crowd = GoodClient(server.port), Crowd(server, draw)
        start, sent, most = time.monotonic(), 0, 0.0
        try:
            if not good.drives():
                wrong.append("the good client fails before it begins")
            before = resident(server.pid)
            port = stream_port(server)
            while sent < n_messages and time.monotonic() - start < seconds and not wrong:
                crowd.send(*message(draw))
                sent += 1
                if sent % 20 == 0:
                    crowd.subscribe(port)
                if sent % CHECK == 0:
                    most = max(most, resident(server.pid) - before)
                    if not good.drives():
                        wrong.append(f"the good client failed after {sent} messages")
                    if most > MEMORY:
                        wrong.append(f"the server holds {most:.0f} MiB more after {sent} messages")
            crowd.close()
            if not wrong and not good.drives():
                wrong.append("the good client failed at the end")
        except OSError as error:
            wrong.append(f"after {sent} messages: {error}")
        finally:
            good.close()
        messages.seek(0)
        lines = messages.read().splitlines()
        tracebacks = [number for number, line in enumerate(lines) if line.startswith(("Traceback", "Fatal Python error"))]
        wrong += ["\n".join(lines[number : number + 40]) for number in tracebacks[:3]]
        click.echo(f"{sent:,} messages in {time.monotonic() - start:.0f} s: {dict(crowd.answers)}")
        click.echo(f"the server held at most {most:.0f} MiB more; {len(lines)} lines, {len(tracebacks)} tracebacks on stderr")
    return wrong


@click.command()
@click.option("--messages", default=20_000, show_default=True)
@click.option("--seconds", default=300.0, show_default=True, help="Stop after this time.")
@click.option("--seed", default=0, show_default=True)
def main(messages: int, seconds: float, seed: int) -> None:
    """Send messages that no client would."""
    wrong = fuzz(messages, seconds, seed)
    for line in wrong:
        click.echo(line, err=True)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
