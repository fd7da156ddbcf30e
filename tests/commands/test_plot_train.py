"""``plot-train`` draws a picture."""

import pytest

from tests.command_line import succeeded

pytest.importorskip("rl_zoo3")


def test_plot_train(logs, tmp_path):
    pytest.importorskip("seaborn")
    succeeded("plot-train", "--algo", "ppo", "-f", logs, "-y", "success", "-w", 2, "--picture", tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
