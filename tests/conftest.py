"""Fixtures shared by the whole suite."""

import signal
from pathlib import Path

import pytest
import torch

from sb3_delta_waypoint.sft.checkpoint import load_planner, save_planner

torch.set_num_threads(1)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # a shell's background job, whose child processes would not hear of Ctrl-C either
    signal.signal(signal.SIGINT, signal.default_int_handler)

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


@pytest.fixture(scope="session")
def planner(tmp_path_factory):
    """A file with the planner that the package brings along."""
    return save_planner(load_planner(None), tmp_path_factory.mktemp("planner") / "model.pt")


@pytest.fixture
def undrawn(monkeypatch):
    """Pictures are written, but stay blank: in small commands, drawing them takes longer than all else."""
    figure = pytest.importorskip("matplotlib.figure")
    monkeypatch.setattr(figure.Figure, "draw", lambda self, renderer: None)
