"""``sb3-delta-waypoint record --env CarlaWaypoint-v0``, on the loopback server."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

pytest.importorskip("carla")

# ruff: noqa: E402 (the imports below need it)
from sb3_delta_waypoint.cli import main
from sb3_delta_waypoint.episodes.reader import read_episodes

RECORD = [
    "record",
    "--env",
    "CarlaWaypoint-v0",
    "--route-length",
    "15",
    "--env-kwargs",
    "traffic:{'vehicles': 1, 'pedestrians': 0}",
]


def test_what_the_expert_drives_in_carla_trains_a_planner(tmp_path):
    out = tmp_path / "episodes"
    result = CliRunner().invoke(main, [*RECORD, "--episodes", "2", "--seed", "3", "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in out.iterdir()) == ["loopback-3-0.json", "loopback-3-1.json"]
    episodes, _ = read_episodes(f"{out}/*.json")
    assert {episode.domain for episode in episodes} == {"loopback"} and min(map(len, episodes)) > 10
    assert episodes[0].source["dataset"] == "CarlaWaypoint-v0"
    sft = ["sft", "--episodes-glob", f"{out}/*.json", "--num-steps", "5", "--batch-size", "8", "--out", str(tmp_path / "run")]
    result = CliRunner().invoke(main, sft)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "run" / "model.pt").exists()


def test_an_absent_server_is_one_line(tmp_path):
    arguments = [*RECORD, "--env-kwargs", "port:1", "--env-kwargs", "timeout:0.2", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1 and "no CARLA server at localhost:1" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_keeps_what_is_complete_and_ends_the_server(tmp_path):
    command = [sys.executable, "-m", "sb3_delta_waypoint.cli", *RECORD, "--episodes", "10000", "--out", str(tmp_path)]
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
