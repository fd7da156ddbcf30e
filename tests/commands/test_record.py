"""``record``: what a user types and sees, in the toy world and, on the loopback server, in CARLA's."""

import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from sb3_delta_waypoint.episodes.reader import read_episodes
from tests.command_line import call, failed

needs_carla = pytest.mark.skipif(not find_spec("carla"), reason="needs carla")
IN_CARLA = ["record", "--env", "CarlaWaypoint-v0", "--route-length", 15]
IN_CARLA += ["--env-kwargs", "traffic:{'vehicles': 1, 'pedestrians': 0}"]


def test_record_writes_the_episodes(recorded):
    assert sorted(path.name for path in recorded.iterdir()) == [f"toy-4-{scenario}.json" for scenario in range(5)]


def test_record_does_not_mix(recorded):
    before = {path: path.read_bytes() for path in recorded.iterdir()}
    failed(call("record", "--episodes", 1, "--out", recorded, "--seed", 5), "already", "--overwrite")
    assert {path: path.read_bytes() for path in recorded.iterdir()} == before


def test_record_on_recorded_paths(recorded, tmp_path):
    result = call("record", "--episodes", 2, "--out", tmp_path / "again", "--routes", f"{recorded}/**/*.json")
    assert result.exit_code == 0, result.output
    assert len(list((tmp_path / "again").iterdir())) == 2


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--routes", "none.xodr"), "none.xodr"),
        (("--routes", "none/*.json"), "none/*.json"),
        (("--route-length", 1), "route_length"),
        (("--env", "CartPole-v1"), "no expert_plan()"),
        (("--env", "CartPole-v1", "--routes", "none.xodr"), "unexpected keyword argument 'routes'"),
        (("--env", "no_such_module:Own-v0"), "env no_such_module:Own-v0 (--env): there is no module no_such_module"),
    ],
)
def test_record_user_errors(tmp_path, args, said):
    failed(call("record", "--out", tmp_path / "out", *args), said)
    assert list(tmp_path.iterdir()) == []


@needs_carla
def test_what_the_expert_drives_in_carla_trains_a_planner(tmp_path):
    out = tmp_path / "episodes"
    result = call(*IN_CARLA, "--episodes", 2, "--seed", 3, "--out", out)
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in out.iterdir()) == ["loopback-3-0.json", "loopback-3-1.json"]
    episodes, _ = read_episodes(f"{out}/*.json")
    assert {episode.domain for episode in episodes} == {"loopback"} and min(map(len, episodes)) > 10
    assert episodes[0].source["dataset"] == "CarlaWaypoint-v0"
    result = call("sft", "--episodes-glob", f"{out}/*.json", "--num-steps", 5, "--batch-size", 8, "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "run" / "model.pt").exists()


@needs_carla
def test_an_absent_server_is_one_line(tmp_path):
    result = call(*IN_CARLA, "--env-kwargs", "port:1", "--env-kwargs", "timeout:0.2", "--out", tmp_path / "out")
    failed(result, "no CARLA server at localhost:1")
    assert list(tmp_path.iterdir()) == []


@needs_carla
def test_ctrl_c_keeps_what_is_complete_and_ends_the_server(tmp_path):
    arguments = map(str, [*IN_CARLA, "--episodes", 10_000, "--out", tmp_path])
    command = [sys.executable, "-m", "sb3_delta_waypoint.cli", *arguments]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60.0
        while not list(tmp_path.glob("*.json")):
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.05)
        # the server is in a session of its own, and a child of the command
        listed = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
        children = [int(child) for child in listed.split()]
        os.kill(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert children
    for pid in children:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert len(read_episodes(f"{tmp_path}/*.json")[0]) >= 1
