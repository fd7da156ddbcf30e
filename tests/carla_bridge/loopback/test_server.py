"""What no client can do: bring the server down, or keep it from the others."""

import re
import resource
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest

carla = pytest.importorskip("carla")

from sb3_delta_waypoint.carla_bridge.loopback import LoopbackServer, wire  # noqa: E402
from sb3_delta_waypoint.carla_bridge.loopback.callers import Caller  # noqa: E402
from sb3_delta_waypoint.carla_bridge.loopback.road_map import map_readers  # noqa: E402
from sb3_delta_waypoint.carla_bridge.loopback.server import MAX_CALLERS, Server  # noqa: E402

NAN, INF = float("nan"), float("inf")
PLACE = [[10.0, 20.0, 0.3], [0.0, 0.0, 0.0]]
CAR = [1, "vehicle.tesla.model3", []]


class Raw:
    """A connection that sends what no client would."""

    def __init__(self, server: LoopbackServer):
        self.connection = socket.create_connection((server.host, server.port), 20.0)
        self.unpacker = msgpack.Unpacker()

    def __enter__(self) -> "Raw":
        return self

    def __exit__(self, *_: Any) -> None:
        self.connection.close()

    def send(self, name: str, *arguments: Any) -> None:
        self.connection.sendall(msgpack.packb([0, 7, name, [[False], *arguments]]))

    def answer(self) -> Any:
        while True:
            for message in self.unpacker:
                assert message[:3] == [1, 7, None]
                return message[3]
            received = self.connection.recv(1 << 16)
            if not received:
                raise EOFError
            self.unpacker.feed(received)

    def call(self, name: str, *arguments: Any) -> Any:
        self.send(name, *arguments)
        return self.answer()

    def closed(self) -> bool:
        """Whether the server has closed the connection."""
        try:
            return self.connection.recv(1) == b""
        except ConnectionResetError:
            return True


@pytest.fixture
def raw(server: LoopbackServer) -> Iterator[Raw]:
    with Raw(server) as raw:
        yield raw


@pytest.fixture
def car(raw: Raw) -> Iterator[int]:
    raw.call("set_episode_settings", settings())
    ((_, actor),) = raw.call("spawn_actor", CAR, PLACE)
    yield actor[0]
    raw.call("destroy_actor", actor[0])


def settings(**changes: Any) -> list[Any]:
    fields = [True, False, [True, 0.1], True, 0.01, 10, 0.0, True, 3000.0, 2000.0, True]
    for position, value in changes.items():
        fields[int(position[1:])] = value
    return fields


@pytest.mark.parametrize(
    ("name", "arguments", "named"),
    [
        ("set_episode_settings", [None], "settings is None"),
        ("set_episode_settings", [[]], "accepted are 11 values"),
        ("set_episode_settings", [settings(_0="yes")], r"settings\[0\] is 'yes'; accepted are true and false"),
        ("set_episode_settings", [settings(_2=[True])], r"settings\[2\]"),
        ("set_episode_settings", [settings(_2=[True, NAN])], r"settings\[2\]\[1\] is nan"),
        ("set_episode_settings", [settings(_2=[True, 1e9])], "accepted are finite numbers up to"),
        ("set_episode_settings", [settings(_2=[True, 1000.0])], "accepted are 0 and 0.0001 to 10.0 s"),
        ("set_episode_settings", [settings(_2=0.1)], r"settings\[2\] is 0.1"),
        ("set_weather_parameters", [[0.0] * 13], "accepted are 14 values"),
        ("set_weather_parameters", [[INF] * 14], r"weather\[0\] is inf"),
        ("set_weather_parameters", ["sunny"], "weather is 'sunny'"),
        ("set_actor_transform", ["CAR", [[NAN, 0.0, 0.0], [0.0, 0.0, 0.0]]], r"transform\[0\]\[0\] is nan"),
        ("set_actor_transform", ["CAR", [[1e300, 0.0, 0.0], [0.0, 0.0, 0.0]]], r"transform\[0\]\[0\] is 1e\+300"),
        ("set_actor_transform", ["CAR", [[0.0, 0.0, 0.0]]], "accepted are 2 values"),
        ("set_actor_location", ["CAR", [0.0, INF, 0.0]], r"location\[1\] is inf"),
        ("set_actor_target_velocity", ["CAR", [NAN, 0.0, 0.0]], r"velocity\[0\] is nan"),
        ("set_actor_target_angular_velocity", ["CAR", [0.0, 0.0, -INF]], r"velocity\[2\] is -inf"),
        ("enable_actor_constant_velocity", ["CAR", [INF, 0.0, 0.0]], r"velocity\[0\] is inf"),
        ("apply_control_to_vehicle", ["CAR", [NAN, 0.0, 0.0, False, False, False, 0]], r"control\[0\] is nan"),
        ("apply_control_to_vehicle", ["CAR", [0.0, 0.0, 0.0, False, False, False, 2**40]], r"control\[6\] is 1099511627776"),
        ("apply_control_to_vehicle", ["CAR", [0.0, 0.0]], "accepted are 7 values"),
        ("apply_control_to_walker", ["CAR", [[1.0, 0.0, 0.0], NAN, False]], r"control\[1\] is nan"),
        ("apply_physics_control", ["CAR", [0.0]], "accepted are 17 values"),
        ("set_vehicle_light_state", ["CAR", [-1]], r"state\[0\] is -1; accepted are whole numbers from 0"),
        ("set_actor_autopilot", ["CAR", "on"], "enabled is 'on'"),
        ("spawn_actor", [CAR, [[NAN] * 3, [0.0] * 3]], "is nan"),
        ("spawn_actor", [[1, "vehicle.tesla.model3", [["color", 5, "red"]]], PLACE], "color is 'red'"),
        ("spawn_actor", [[1, "sensor.other.obstacle", [["distance", 3, "far"]]], PLACE], "distance is 'far'"),
        ("spawn_actor", [[1, "sensor.camera.rgb", [["fov", 3, "nan"]]], PLACE], "fov is 'nan'"),
        ("spawn_actor", [[1, "sensor.camera.rgb", [["image_size_x", 2, "9" * 200]]], PLACE], "image_size_x is '999"),
        ("spawn_actor", ["car", PLACE], "description is 'car'"),
        ("spawn_actor", [[1, "x" * 500, []], PLACE], "texts of at most 256 characters"),
        ("get_actors_by_id", [[2**70 % 2**64, "one"]], r"ids\[1\] is 'one'"),
        ("destroy_actor", [], "got 0 arguments; accepted are actor_id"),
        ("tick_cue", [1, 2, 3], "got 3 arguments; accepted are none"),
        ("no_such_call", [], "does not know the call 'no_such_call'"),
        ("__init__", [], "does not know the call '__init__'"),
        ("load_new_episode", [["Town01"]], r"name is \['Town01'\]"),
        ("copy_opendrive_to_file", ["<OpenDRIVE><road/></OpenDRIVE>", []], "no driving lane"),
        ("copy_opendrive_to_file", [b"\x00", []], "text is b'"),
    ],
)
def test_what_is_no_argument_is_answered_with_an_error_and_changes_nothing(raw, car, name, arguments, named):
    before = raw.call("get_episode_settings"), raw.call("get_weather_parameters"), raw.call("get_map_info")
    n_actors = len(raw.call("get_actors_by_id", list(range(2000)))[0][1])
    arguments = [car if argument == "CAR" else argument for argument in arguments]
    ((kind, (message,)),) = raw.call(name, *arguments)
    assert kind == 0
    assert re.search(named, message), message
    raw.call("tick_cue")
    assert before == (raw.call("get_episode_settings"), raw.call("get_weather_parameters"), raw.call("get_map_info"))
    assert len(raw.call("get_actors_by_id", list(range(2000)))[0][1]) == n_actors


def test_a_bad_command_does_not_stop_the_batch(raw, car):
    good = [[14, [car, True]]]
    bad = [None, [], [[14]], [["14", [car, True]]], [[14, [car]]], [[99, [car]]], [[0, [CAR]]], [[18, [car, -1]]]]
    bad += [[[6, [car, [[NAN] * 3, [0.0] * 3]]]], [[7, [car, "here", 1.0]]], [[0, [CAR, PLACE, [True], 0, "", []]]]]
    results = raw.call("apply_batch", [good, *bad, good], False)
    assert [result[0][0] for result in results] == [1, *[0] * len(bad), 1]
    (((kind, (message,)),),) = [raw.call("apply_batch", "everything", False)]
    assert kind == 0 and "commands is 'everything'" in message


def test_one_that_does_not_read_is_waited_for_by_nobody_and_gets_its_answers_in_the_end(server, raw):
    with Raw(server) as deaf:
        # an answer of 70 KB each: more than the buffers between them hold
        for _ in range(200):
            deaf.send("get_map_data")
        for _ in range(50):
            assert raw.call("version")[0][0] == 1
        for _ in range(200):
            assert len(deaf.answer()[0][1]) > 10_000


def test_a_call_that_comes_byte_by_byte_is_a_call(server, raw):
    with Raw(server) as slow:
        for byte in msgpack.packb([0, 7, "version", [[False]]]):
            slow.connection.sendall(bytes([byte]))
            assert raw.call("version") == [[1, wire.CLIENT_VERSION]]
        assert slow.answer() == [[1, wire.CLIENT_VERSION]]


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xc1",
        b"\x91" * 5000,
        msgpack.packb([0, 1, "version"]),
        msgpack.packb([2, "version", []]),
        msgpack.packb([0, NAN, "version", [[False]]]),
        msgpack.packb([0, 1, "version", []]),
        msgpack.packb([0, 1, "version", ["meta"]]),
        msgpack.packb([0, 1, {"version": 1}, [[False]]]),
        b"\x94\x00\x01\xa2\xff\xff\x91\x91\xc2",
    ],
)
def test_what_is_no_call_costs_a_connection_of_its_own(server, raw, garbage):
    with Raw(server) as other:
        other.connection.sendall(garbage)
        assert other.closed()
    assert raw.call("version")[0][0] == 1


def test_what_is_announced_and_never_comes_takes_no_memory(server, raw):
    before = resident(server.pid)
    others = [Raw(server) for _ in range(20)]
    lengths = [b"\xdd\xff\xff\xff\xff", b"\xdc\xff\xff" * 900, b"\xdb\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff"]
    for other, announced in zip(others, lengths * 5, strict=True):
        other.connection.sendall(b"\x94\x00\x01\xa4tick\x91" + announced)
    assert raw.call("version")[0][0] == 1
    assert resident(server.pid) - before < 50.0
    for other in others:
        other.connection.close()


def resident(pid: int) -> float:
    """Memory that a process holds [MiB]."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


def test_connections_that_say_nothing_make_room_for_one_that_does(server, raw):
    raw.call("version")
    idle = [Raw(server) for _ in range(MAX_CALLERS + 50)]
    with Raw(server) as late:
        assert late.call("version")[0][0] == 1
    assert raw.call("version")[0][0] == 1
    for connection in idle:
        connection.connection.close()


def test_running_out_of_file_descriptors_hurts_only_those_who_come_then(server, raw):
    raw.call("version")
    limits = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    in_use = len(list(Path(f"/proc/{server.pid}/fd").iterdir()))
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (in_use + 10, limits[1]))
    try:
        crowd = [Raw(server) for _ in range(40)]
        for connection in crowd[::2]:
            connection.connection.sendall(msgpack.packb([0, 7, "version", [[False]]]))
        assert raw.call("tick_cue")[0][0] == 1
        for connection in crowd:
            connection.connection.close()
        for _ in range(30):
            with Raw(server) as late:
                late.connection.sendall(msgpack.packb([0, 7, "version", [[False]]]))
        assert raw.call("tick_cue")[0][0] == 1
    finally:
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, limits)
    with Raw(server) as late:
        assert late.call("version")[0][0] == 1


def test_subscribers_who_say_or_read_nothing_do_not_stop_the_world(server, raw, world):
    ((_, (token,)),) = raw.call("get_sensor_token", wire.WORLD_STREAM)
    port = struct.unpack_from("<IH", token)[1]
    silent = [socket.create_connection((server.host, port)) for _ in range(520)]
    frame = world.tick()
    assert world.tick() == frame + 1
    for connection in silent:
        connection.close()


@pytest.fixture(scope="module")
def here() -> Iterator[Server]:
    """A server in this process, which runs only as far as a test lets it."""
    server = Server(map_readers([]))
    yield server
    server.close()


def test_a_client_with_many_calls_lets_others_have_their_turn(here, monkeypatch):
    monkeypatch.setattr("sb3_delta_waypoint.carla_bridge.loopback.server.TURN", 0.0)
    ends = [socket.socketpair() for _ in range(2)]
    callers = [Caller(end) for _, end in ends]
    for (mine, end), caller, n_calls in zip(ends, callers, (500, 1), strict=True):
        end.setblocking(False)
        here.callers[caller] = None
        here.selector.register(end, caller.awaited, None)
        mine.sendall(msgpack.packb([0, 7, "version", [[False]]]) * n_calls)
        mine.setblocking(False)
        here._ready(caller, caller.awaited)
    one = len(msgpack.packb([1, 7, None, [[1, wire.CLIENT_VERSION]]]))
    assert [len(mine.recv(1 << 20)) for mine, _ in ends] == [one, one], "one answer to each, not all to the first"
    assert callers[0] in here.busy
    for caller in callers:
        here._drop(caller)
    for mine, _ in ends:
        mine.close()


def test_who_asks_for_a_stream_and_never_comes_is_not_waited_for_again_and_again(here, monkeypatch):
    now = 0.0

    def pass_time(seconds: float) -> None:
        nonlocal now
        now += seconds

    streams = here.streams
    monkeypatch.setattr("sb3_delta_waypoint.carla_bridge.loopback.streams.time.monotonic", lambda: now)
    monkeypatch.setattr(streams, "serve", pass_time)
    for _ in range(100):
        streams.announced.add(wire.WORLD_STREAM)
        streams.await_announced()
    assert 0.5 <= now <= 1.01 and not streams.announced


def test_there_is_room_for_so_many_actors_and_pixels(here, monkeypatch):
    monkeypatch.setattr("sb3_delta_waypoint.carla_bridge.loopback.world.MAX_ACTORS", here.simulator.world.n + 1)
    spawn = here.calls["spawn_actor"]
    actor = spawn([1, "sensor.other.imu", []], PLACE)[0]
    with pytest.raises(ValueError, match="actors already"):
        spawn([1, "sensor.other.imu", []], PLACE)
    here.calls["destroy_actor"](actor)
    monkeypatch.undo()
    monkeypatch.setattr("sb3_delta_waypoint.carla_bridge.loopback.rpc.MAX_PIXELS", 100 * 100)
    camera = [1, "sensor.camera.rgb", [["image_size_x", 2, "80"], ["image_size_y", 2, "80"]]]
    first = spawn(camera, PLACE)[0]
    n_actors = here.simulator.world.n
    with pytest.raises(ValueError, match="all cameras together have at most 10000 pixels"):
        spawn(camera, PLACE)
    assert here.simulator.world.n == n_actors
    here.calls["destroy_actor"](first)


def test_a_step_that_fails_does_not_end_the_server(here, monkeypatch, caplog):
    steps = iter([RuntimeError("a mistake"), None])

    def tick() -> None:
        error = next(steps, SystemExit())
        if error is not None:
            raise error

    monkeypatch.setattr(here.simulator, "tick", tick)
    monkeypatch.setattr(here, "close", lambda: None)
    with pytest.raises(SystemExit):
        here.run()
    assert "a mistake" in caplog.text
