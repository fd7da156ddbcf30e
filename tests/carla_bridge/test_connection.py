"""What the env makes of servers that are absent, wrong, killed, stopped, restarted or full: each is really done to one."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import gymnasium as gym
import numpy as np
import pytest
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv

carla = pytest.importorskip("carla")

# ruff: noqa: E402 (the imports below need it)

from sb3_delta_waypoint.carla_bridge.env import CarlaWaypointEnv
from sb3_delta_waypoint.carla_bridge.errors import (
    ServerUnreachableError,
    ServerVersionError,
)
from sb3_delta_waypoint.carla_bridge.loopback import LoopbackServer
from tests.carla_bridge.conftest import drive, look_around

pytestmark = pytest.mark.filterwarnings("ignore:.*an episode was broken off")
TIMEOUT = 1.0
"""Of the env [s]; every fault is over within a few times as long."""


@pytest.fixture
def make() -> Iterator[Callable[..., CarlaWaypointEnv]]:
    made: list[CarlaWaypointEnv] = []

    def make_env(**kwargs) -> CarlaWaypointEnv:
        made.append(CarlaWaypointEnv(**{"timeout": TIMEOUT, **kwargs}))
        return made[-1]

    yield make_env
    for env in made:
        env.close()


def assert_broken_off(result: tuple) -> str:
    observation, reward, terminated, truncated, info = result
    assert truncated and not terminated and reward == 0.0
    assert info.keys() == {"fault", "scenario"}, "neither a success nor a failure of the policy"
    assert all(np.isfinite(value).all() for value in observation.values())
    return info["fault"]


def assert_goes_on(env: CarlaWaypointEnv, scenario: int, rewards: list[float]) -> None:
    """The broken scenario is played again, as if nothing had been."""
    _, info = env.reset()
    assert info["scenario"] == scenario
    assert drive(env, len(rewards)) == rewards
    _, info = env.reset()
    assert info["scenario"] == scenario + 1


def test_an_absent_server_is_named(make):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    begin = time.monotonic()
    with pytest.raises(ServerUnreachableError, match=f"no CARLA server at localhost:{port}"):
        make(port=port)
    assert time.monotonic() - begin < 3 * TIMEOUT


def test_something_else_than_a_carla_server_is_refused(make):
    with socket.create_server(("127.0.0.1", 0)) as mute, pytest.raises(ServerUnreachableError, match="time-out"):
        make(port=mute.getsockname()[1])


def test_a_server_of_another_version_is_refused_before_anything_is_read(make):
    with LoopbackServer(version="0.9.13") as server, pytest.raises(ServerVersionError, match=r"0\.9\.13"):
        make(port=server.port)


def test_a_killed_server_breaks_the_episode_off_and_is_replaced(make):
    env = make()
    env.reset(seed=1)
    env.reset()
    rewards = drive(env, 15)
    pid = env.server.pid
    os.kill(pid, signal.SIGKILL)
    fault = assert_broken_off(env.step(env.expert_plan()))
    assert "ServerLostError" in fault
    with pytest.raises(gym.error.ResetNeeded):
        env.step(env.expert_plan())
    assert_goes_on(env, 1, rewards)
    assert env.server.pid != pid


def test_a_server_killed_between_episodes_is_replaced_without_a_fault(make):
    env = make()
    env.reset(seed=1)
    os.kill(env.server.pid, signal.SIGKILL)
    _, info = env.reset()
    assert info["scenario"] == 1
    drive(env, 5)


def test_a_stalled_server_breaks_the_episode_off_in_bounded_time(make):
    env = make()
    env.reset(seed=2)
    rewards = drive(env, 10)
    os.kill(env.server.pid, signal.SIGSTOP)
    begin = time.monotonic()
    fault = assert_broken_off(env.step(env.expert_plan()))
    assert "time-out" in fault and time.monotonic() - begin < 10 * TIMEOUT
    assert_goes_on(env, 0, rewards)


def test_a_stalled_server_of_somebody_else_is_cleaned_up_when_it_goes_on(make, server):
    env = make(port=server.port)
    env.reset(seed=2)
    rewards = drive(env, 10)
    os.kill(server.pid, signal.SIGSTOP)
    assert_broken_off(env.step(env.expert_plan()))
    with pytest.raises(ServerUnreachableError):
        env.reset()
    os.kill(server.pid, signal.SIGCONT)
    assert_goes_on(env, 0, rewards)
    _, world = look_around(server)
    drive(env, 1)
    time.sleep(0.1)  # the step's snapshot is on its way
    assert len(world.get_actors().filter("vehicle.*")) == 1, "the vehicle of the lost connection is gone"
    env.close()
    _, world = look_around(server)
    assert not world.get_settings().synchronous_mode, "settings are those from before the first connection"


SERVER = """
import os, sys, threading
from sb3_delta_waypoint.carla_bridge.loopback import server as served
from sb3_delta_waypoint.carla_bridge.loopback.road_map import map_readers
from sb3_delta_waypoint.carla_bridge.loopback.run import warm_up
from sb3_delta_waypoint.carla_bridge.loopback.world import LoopbackWorld

threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()  # leave with the parent
warm_up()
port = int(sys.argv[1])
ports, door, snapshot = iter([port, port + 1]), served.Door, LoopbackWorld.snapshot
served.Door = lambda host, _: door(host, next(ports))


def changed(world, dt):
    world.state = 1
    return snapshot(world, dt)


if sys.argv[2] == "unkind":
    LoopbackWorld.snapshot = changed
server = served.Server(map_readers([]), 10.0, port)
print("ready", flush=True)
server.run()
"""
"""As CARLA does, it has its streams at the next port. If it is unkind, each of its snapshots says that the map has changed,
upon which a client of an earlier server asks this one something, does not get an answer, and aborts its process."""

RESTART = f"""
import subprocess, sys, time
from sb3_delta_waypoint.carla_bridge.env import CarlaWaypointEnv


def start(kind):
    command = [sys.executable, "-c", {SERVER!r}, sys.argv[1], kind]
    server = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert "ready" in server.stdout.readline()
    return server


server = start("kind")
try:
    env = CarlaWaypointEnv(port=int(sys.argv[1]), timeout={TIMEOUT})
    env.reset(seed=3)
    rewards = [env.step(env.expert_plan())[1] for _ in range(10)]
    server.kill()
    server.wait()
    server = start("unkind")
    time.sleep({3 * TIMEOUT})
    result = env.step(env.expert_plan())
    assert result[3] and "fault" in result[4], result
    env.reset()
    assert [env.step(env.expert_plan())[1] for _ in range(10)] == rewards
    env.close()
    print("went on")
finally:
    server.kill()
"""


def test_a_server_restarted_at_the_same_address_does_not_take_the_interpreter_down():
    while True:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port + 1)):
            break
    # in a process of its own: what must not happen is that it aborts
    done = subprocess.run([sys.executable, "-c", RESTART, str(port)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "went on" in done.stdout, done.stderr


def test_a_vehicle_that_somebody_destroys_breaks_the_episode_off(make, server):
    env = make(port=server.port)
    env.reset(seed=1)
    rewards = drive(env, 5)
    client, _ = look_around(server)
    client.apply_batch_sync([carla.command.DestroyActor(env._stage.ego.id)], False)
    assert "gone" in assert_broken_off(env.step(env.expert_plan()))
    assert_goes_on(env, 0, rewards)


def test_a_world_that_somebody_loads_breaks_the_episode_off(make, server):
    env = make(port=server.port)
    env.reset(seed=1)
    rewards = drive(env, 5)
    client, _ = look_around(server)
    client.reload_world(False)
    assert_broken_off(env.step(env.expert_plan()))
    assert_goes_on(env, 0, rewards)


def test_ticks_of_another_client_break_the_episode_off(make, server):
    env = make(port=server.port)
    env.reset(seed=1)
    rewards = drive(env, 5)
    _, world = look_around(server)
    world.tick()
    fault = assert_broken_off(env.step(env.expert_plan()))
    assert "another client" in fault and "2 frames" in fault
    assert_goes_on(env, 0, rewards)


def test_ticks_of_another_client_between_episodes_do_no_harm(make, server):
    env = make(port=server.port)
    env.reset(seed=1)
    rewards = drive(env, 5)
    _, world = look_around(server)
    world.tick()
    time.sleep(0.1)  # the snapshot is on its way
    env.reset(options={"scenario": 0})
    assert drive(env, 5) == rewards


def test_a_server_that_somebody_lets_run_by_itself_breaks_the_episode_off(make, server):
    env = make(port=server.port)
    env.reset(seed=1)
    drive(env, 5)
    _, world = look_around(server)
    settings = world.get_settings()
    settings.synchronous_mode = False
    world.apply_settings(settings)
    time.sleep(0.3)
    assert "another client" in assert_broken_off(env.step(env.expert_plan()))


def test_monitor_lives_with_a_fault_and_counts_no_success(make):
    inner = make()
    venv = DummyVecEnv([lambda: Monitor(inner)])
    venv.seed(1)
    venv.reset()
    os.kill(inner.server.pid, signal.SIGKILL)
    observations, _, dones, infos = venv.step(inner.expert_plan()[None])
    assert dones[0] and "fault" in infos[0] and "is_success" not in infos[0] and infos[0]["TimeLimit.truncated"]
    _, _, dones, infos = venv.step(inner.expert_plan()[None])
    assert not dones[0] and "fault" not in infos[0]
