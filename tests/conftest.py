"""Fixtures shared by the whole suite."""

from pathlib import Path

import pytest
import torch

torch.set_num_threads(1)

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data():
    """A function from a file name to its path in the shared data folder; the test skips, visibly, where it is absent."""

    def find(name: str) -> Path:
        path = SHARED_DATA / name
        if not path.exists():
            pytest.skip(f"{name} is not in {SHARED_DATA}")
        return path

    return find


def pytest_configure() -> None:
    """numba's cache of a kernel does not notice when a kernel that it calls has changed: drop the cache where one has."""
    driving = Path(__file__).resolve().parents[1] / "sb3_delta_waypoint" / "driving"
    cached = list(driving.glob("__pycache__/*.nb*"))
    changed = max(path.stat().st_mtime for path in driving.glob("*.py"))
    if cached and min(path.stat().st_mtime for path in cached) < changed:
        for path in cached:
            path.unlink(missing_ok=True)
