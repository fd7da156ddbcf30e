"""The life of the server's process: how it starts, what it refuses, and that it always ends."""

import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable

import msgpack
import pytest

carla = pytest.importorskip("carla")

from sb3_delta_waypoint.carla_bridge.loopback import LoopbackServer, wire  # noqa: E402
from sb3_delta_waypoint.maps.town import town  # noqa: E402


def soon(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


def gone(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_each_start_has_a_port_of_its_own_and_the_process_ends_with_the_context():
    server, ports = LoopbackServer(), set()
    for _ in range(2):
        with server:
            ports.add(server.port)
            pid = server.pid
            client = carla.Client(server.host, server.port, 1)
            client.set_timeout(5.0)
            assert client.get_server_version() == client.get_client_version()
            with pytest.raises(RuntimeError, match="runs already"):
                server.start()
        assert gone(pid) and not listens(server.port)
    assert len(ports) == 2
    with pytest.raises(RuntimeError, match="not running"):
        _ = server.pid


def test_it_leaves_when_its_parent_is_killed():
    script = (
        "import time; from sb3_delta_waypoint.carla_bridge.loopback import LoopbackServer\n"
        "server = LoopbackServer().start(); print(server.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        pid = int(parent.stdout.readline())
        parent.kill()
        parent.wait()
    assert soon(lambda: gone(pid))


def test_a_stopped_server_is_ended_all_the_same(monkeypatch):
    monkeypatch.setattr("sb3_delta_waypoint.carla_bridge.loopback.process.TERMINATE_TIMEOUT", 0.5)
    server = LoopbackServer().start()
    pid = server.pid
    os.kill(pid, signal.SIGSTOP)
    server.close()
    assert gone(pid)


class TestRefused:
    def test_a_map_that_is_not_there(self):
        with pytest.raises(FileNotFoundError, match="nowhere.xodr: there is no such map file"):
            LoopbackServer(map="nowhere.xodr").start()

    def test_a_file_that_is_not_a_map(self, tmp_path):
        path = tmp_path / "letter.xodr"
        path.write_text("Dear Sir")
        with pytest.raises(ValueError, match="letter.xodr is not OpenDRIVE"):
            LoopbackServer(map=path).start()

    def test_a_frame_rate_of_zero(self):
        with pytest.raises(ValueError, match="fps is 0.0; it must be positive"):
            LoopbackServer(fps=0.0).start()

    def test_a_port_that_is_taken(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}"):
                LoopbackServer(port=port).start()

    def test_a_client_of_another_version(self, monkeypatch):
        monkeypatch.setattr(wire, "version", lambda name: "0.9.15")
        with pytest.raises(ImportError, match="carla 0.9.15 is installed; .* pip install carla==0.9.16"):
            LoopbackServer().start()


def test_garbage_on_either_port_hurts_nobody_else():
    with LoopbackServer() as server:
        client = carla.Client(server.host, server.port, 1)
        client.set_timeout(5.0)
        world = client.get_world()
        for garbage in (b"GET / HTTP/1.1\r\n\r\n", b"\xc1" * 100, b"\x94\x00\x01\xa5hello\x91"):
            with socket.create_connection((server.host, server.port)) as connection:
                connection.sendall(garbage)
        world.wait_for_tick()
        assert client.get_world().get_map().name.endswith("LoopbackTown")


def test_a_client_that_does_not_read_does_not_hold_up_the_others():
    with LoopbackServer() as server:
        client = carla.Client(server.host, server.port, 1)
        client.set_timeout(5.0)
        world = client.get_world()
        settings = world.get_settings()
        settings.synchronous_mode, settings.fixed_delta_seconds = True, 0.1
        world.apply_settings(settings)
        library = world.get_blueprint_library()
        for point in world.get_map().get_spawn_points()[:60]:
            world.spawn_actor(library.find("vehicle.audi.tt"), point)
        with _deaf_subscriber(server):
            # 8 KB each: more than its buffers hold
            for _ in range(1000):
                world.tick()


def _deaf_subscriber(server: LoopbackServer) -> socket.socket:
    """Subscribed to the world's snapshots, and never reads."""
    calls = socket.create_connection((server.host, server.port))
    calls.sendall(msgpack.packb([0, 1, "get_sensor_token", [[False], wire.WORLD_STREAM]]))
    answer = msgpack.unpackb(calls.recv(4096))
    calls.close()
    ((_, (token,)),) = answer[3]
    subscriber = socket.socket()
    subscriber.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    subscriber.connect((server.host, struct.unpack_from("<IH", token)[1]))
    subscriber.sendall(struct.pack("<I", wire.WORLD_STREAM))
    return subscriber


class TestCommand:
    def test_it_serves_a_map_until_it_is_told_to_stop(self, tmp_path):
        path = tmp_path / "Village.xodr"
        path.write_text(town())
        command = [
            sys.executable,
            "-m",
            "sb3_delta_waypoint.cli",
            "carla-server",
            "--port",
            "0",
            "--map",
            str(path),
            "--fps",
            "20",
        ]
        for number in (signal.SIGTERM, signal.SIGINT):
            server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            assert server.stdout is not None
            with server.stdout:
                line = server.stdout.readline()
                port = int(re.search(r"loopback server: Village on 127.0.0.1:(\d+)", line).group(1))
                client = carla.Client("127.0.0.1", port, 1)
                client.set_timeout(5.0)
                assert client.get_available_maps() == ["/Game/Carla/Maps/Village"]
                server.send_signal(number)
                assert server.wait(10.0) == 0

    def test_it_says_in_one_line_what_is_wrong(self):
        command = [sys.executable, "-m", "sb3_delta_waypoint.cli", "carla-server", "--map", "nowhere.xodr"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 1 and done.stderr == "Error: nowhere.xodr: there is no such map file\n"
