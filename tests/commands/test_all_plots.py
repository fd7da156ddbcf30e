"""``all-plots``: the table of the last evaluations."""

import re

import numpy as np
import pytest
from click.testing import CliRunner

pytest.importorskip("rl_zoo3")
pytest.importorskip("seaborn")

from sb3_delta_waypoint.cli import main


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    """Two runs of PPO with success rates of 0.5 and 0.75 at the end, one of GRPO with 0.25, none of A2C."""
    logs = tmp_path_factory.mktemp("logs")
    for run, last in {"ppo/ToyWaypoint-v0_1": 2, "ppo/ToyWaypoint-v0_2": 3, "grpo/ToyWaypoint-v0_1": 1}.items():
        (logs / run).mkdir(parents=True)
        successes = np.array([[False] * 4, [True] * last + [False] * (4 - last)])
        np.savez(logs / run / "evaluations.npz", timesteps=[0, 100], results=10.0 * successes, successes=successes)
    return logs


def table(logs, *arguments):
    """The cells of the row of results."""
    result = CliRunner().invoke(main, ["all-plots", "-f", str(logs), "--picture", f"{logs}/plot.png", *arguments])
    assert result.exit_code == 0, (result.output, result.exception)
    (row,) = [line for line in result.output.splitlines() if line.startswith("|ToyWaypoint-v0")]
    return [cell.strip() for cell in row.strip("|").split("|")[1:]], result.output


def test_shares_are_not_rounded_and_nothing_is_invented(logs):
    cells, output = table(logs, "-a", "ppo", "grpo", "a2c", "-k", "successes")
    assert cells == ["0.625 ± 0.125", "0.250", "–"]
    assert not re.search(r"Saving to", output)
    assert (logs / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_rewards_median_and_the_file_that_was_asked_for(logs, tmp_path):
    cells, output = table(logs, "--median", "-o", str(tmp_path / "mine"))
    assert cells == ["2.500", "6.250"], "all algorithms that have runs: GRPO, PPO"
    assert (tmp_path / "mine.pkl").exists() and f"Saving to {tmp_path}/mine.pkl" in output


def test_a_key_that_no_evaluation_has_is_one_line(logs):
    result = CliRunner().invoke(main, ["all-plots", "-f", str(logs), "-a", "ppo", "-k", "bogus", "--no-display"])
    assert result.exit_code == 1, result.exception
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert "-k bogus" in line and "successes" in line
