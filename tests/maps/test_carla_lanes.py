"""The process that asks ``carla.Map``: bounded in memory, and gone with its parent."""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

from sb3_delta_waypoint.maps import carla_lanes

PARENT = """
import os, subprocess, sys, time
script, request = sys.argv[1], int(sys.argv[2])
child = subprocess.Popen([sys.executable, "-P", script, str(os.getpid())], stdin=request)
print(child.pid, flush=True)
time.sleep(60)
"""


def wait_until(condition):
    deadline = time.monotonic() + 30.0
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "XZ"


def test_it_takes_no_more_than_its_memory_and_dies_with_its_parent():
    # the test holds on to the other end: without its parent the script would wait for its request for ever
    request, other_end = os.pipe()
    command = [sys.executable, "-c", PARENT, carla_lanes.__file__, str(request)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, pass_fds=[request], text=True) as parent:
        try:
            assert parent.stdout is not None
            child = int(parent.stdout.readline())
            wait_until(lambda: resource.prlimit(child, resource.RLIMIT_AS)[0] == carla_lanes.MAX_MEMORY)
            assert is_alive(child)
        finally:
            parent.kill()
    try:
        wait_until(lambda: not is_alive(child))
    finally:
        os.close(request)
        os.close(other_end)


def test_a_parent_that_died_first_is_noticed():
    script = [sys.executable, "-P", carla_lanes.__file__, str(os.getpid() + 1)]
    done = subprocess.run(script, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr == "nobody waits for the answer\n"
