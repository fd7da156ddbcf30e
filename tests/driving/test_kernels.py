"""Compiled functions: never stale, and the same for a car alone and among others."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import sb3_delta_waypoint
from sb3_delta_waypoint.driving.config import DrivingConfig
from sb3_delta_waypoint.driving.expert import BLOCK
from sb3_delta_waypoint.driving.simulation import Simulation

CALLER, CALLED = "driving/caller.py", "driving/called.py"
SOURCES = {
    "driving/other.py": """
from {0}.kernels import kernel

@kernel
def other(x: float) -> float:
    return x
""",
    CALLED: """
from {0}.kernels import inlined

FACTOR = 2.0

@inlined
def called(x: float) -> float:
    return FACTOR * x
""",
    CALLER: """
from {0}.called import called
from {0}.kernels import kernel

@kernel
def caller(x: float) -> float:
    return called(x) + 1.0
""",
}


def test_a_change_in_what_a_kernel_calls_compiles_it_again_and_nothing_else(tmp_path):
    root = tmp_path / "package"
    (root / "driving").mkdir(parents=True)
    shutil.copy(Path(sb3_delta_waypoint.__file__).parent / "driving/kernels.py", root / "driving")
    for name, text in SOURCES.items():
        (root / name).write_text(text.format("package.driving"))
    run = "from package.driving.caller import caller; from package.driving.other import other; print(caller(3.0), other(3.0))"
    environment = {key: value for key, value in os.environ.items() if key != "NUMBA_CACHE_DIR"}

    def results() -> str:
        command = [sys.executable, "-c", run]
        return subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True).stdout

    def compiled() -> dict[str, int]:
        return {path.name: path.stat().st_mtime_ns for path in (root / "driving/__pycache__").glob("*.nb[ci]")}

    assert results() == "7.0 3.0\n"
    first = compiled()
    assert results() == "7.0 3.0\n" and compiled() == first, "taken from the cache"
    called = root / CALLED
    before = called.stat()
    called.write_text(called.read_text().replace("2.0", "5.0"))
    os.utime(called, ns=(before.st_atime_ns, before.st_mtime_ns))  # neither older nor younger
    assert results() == "16.0 3.0\n"
    after = compiled()
    assert set(first) <= set(after), "nothing is removed"
    assert {name for name in first if first[name] == after[name]} == {name for name in first if name.startswith("other")}


@pytest.mark.parametrize("n_cars", [BLOCK - 1, BLOCK, 2 * BLOCK + 3])
def test_a_car_among_others_drives_as_it_would_alone(n_cars):
    among, alone = Simulation(n_cars, DrivingConfig()), Simulation(1, DrivingConfig())
    among.reset()
    noise = np.random.default_rng(0).normal(0.0, 0.1, (60, n_cars, 1, 2))
    plans, results = [], []
    for step in range(60):
        plans.append(among.expert_plans())
        results.append(among.step(plans[step] + noise[step]))
    for i in range(n_cars):
        alone.reset(scenario=i)
        for step in range(60):
            np.testing.assert_array_equal(alone.expert_plans()[0], plans[step][i])
            result = alone.step(plans[step][i : i + 1] + noise[step][i])
            assert result.reward[0] == results[step].reward[i], f"car {i}, step {step}"
            if result.outcome[0]:
                break
            for one, many in zip(result.observation, results[step].observation, strict=True):
                np.testing.assert_array_equal(one[0], many[i])
        assert step > 20
