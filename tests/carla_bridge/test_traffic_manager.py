"""CARLA's traffic manager, on a loopback server that passes for CARLA."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

carla = pytest.importorskip("carla")

# ruff: noqa: E402 (the imports below need it)
from sb3_delta_waypoint.carla_bridge.env import CarlaWaypointEnv
from sb3_delta_waypoint.carla_bridge.loopback import LoopbackServer

TRAFFIC = {"vehicles": 4, "pedestrians": 1}


@pytest.fixture(scope="module")
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer(disguised=True) as server:
        yield server


@pytest.fixture(scope="module")
def env(server) -> Iterator[CarlaWaypointEnv]:
    with CarlaWaypointEnv(port=server.port, traffic=TRAFFIC, timeout=5.0) as env:
        yield env


def drive(env: CarlaWaypointEnv, steps: int) -> list[tuple[bytes, float]]:
    """What was seen of the others, and the rewards."""
    trace = []
    for _ in range(steps):
        observation, reward, *_, info = env.step(env.expert_plan())
        assert "fault" not in info
        trace.append((observation["agents"].tobytes(), reward))
    return trace


def managers(port: int) -> list[int]:
    """The processes of traffic managers of a server."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = folder.joinpath("cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if any(part.endswith("traffic_manager_process.py") for part in command) and f", {port}, " in " ".join(command):
            found.append(int(folder.name))
    return found


def wait_until_gone(port: int) -> None:
    deadline = time.monotonic() + 20.0
    while managers(port):
        assert time.monotonic() < deadline, "the traffic manager has outlived its owner"
        time.sleep(0.1)


def test_it_drives_the_vehicles_and_a_scenario_repeats(env):
    assert env.backend == "carla"
    env.reset(seed=1)
    trace = drive(env, 40)
    moving = [actor.get_velocity().length() for actor in env.session.world.get_actors().filter("vehicle.*")]
    assert len(moving) == 5 and sum(speed > 2.0 for speed in moving) >= 3
    env.reset(options={"scenario": 0})
    assert drive(env, 40) == trace


def test_many_resets(env):
    env.reset(seed=2)
    for _ in range(10):
        drive(env, 2)
        env.reset()
    assert len(managers(env.session.port)) == 1


@pytest.mark.filterwarnings("ignore:.*an episode was broken off")
def test_it_is_replaced_when_it_dies(env):
    env.reset(seed=1)
    rewards = drive(env, 5)
    (pid,) = managers(env.session.port)
    os.kill(pid, signal.SIGKILL)
    _, _, _, truncated, info = env.step(env.expert_plan())
    assert truncated and "traffic manager is gone" in info["fault"]
    _, info = env.reset()
    assert info["scenario"] == 0 and drive(env, 5) == rewards


BEGIN = f"""
import os, signal, sys
from sb3_delta_waypoint.carla_bridge.env import CarlaWaypointEnv
from sb3_delta_waypoint.carla_bridge.loopback import LoopbackServer

def begin(port):
    env = CarlaWaypointEnv(port=port, traffic={TRAFFIC}, timeout=1.0)
    env.reset(seed=1)
    assert "fault" not in env.step(env.expert_plan())[4]
    return env

env = begin(int(sys.argv[1]))
"""
KILLED = BEGIN + "os.kill(os.getpid(), signal.SIGKILL)"
KILLS = (
    BEGIN
    + """
server = LoopbackServer(disguised=True).start()
other = begin(server.port)
os.kill(server.pid, signal.SIGKILL)
assert "fault" in other.step(other.expert_plan())[4]
assert "fault" not in env.step(env.expert_plan())[4], "each has a manager of its own"
print("in order")
"""
)


def run(script: str, port: int) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", script, str(port)], capture_output=True, text=True, timeout=60)


def test_it_ends_with_its_client_and_the_server_serves_the_next():
    """In processes of their own: what must not happen is that they abort, at the fault or at the exit without ``close()``."""
    with LoopbackServer(disguised=True) as server:
        assert run(KILLED, server.port).returncode == -signal.SIGKILL
        wait_until_gone(server.port)
        done = run(KILLS, server.port)
        assert done.returncode == 0 and "in order" in done.stdout, done.stderr
        assert managers(server.port) == []
