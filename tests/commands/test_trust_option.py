"""--trust, and what the help says about files that run code."""

import sys
import threading

import click
import pytest
import torch

from sb3_delta_waypoint.commands.trust_option import trust_option
from sb3_delta_waypoint.sft.checkpoint import save_planner
from sb3_delta_waypoint.sft.planners import SFTWaypointModel
from sb3_delta_waypoint.sft.trust import VARIABLE, UntrustedError, check_trusted
from tests.command_line import call

READERS = ("train", "enjoy", "evaluate", "compare", "select", "carla-eval", "record-video")


def test_a_module_is_trusted_while_the_command_runs(tmp_path, monkeypatch):
    (tmp_path / "planners_of_others.py").write_text(
        "from sb3_delta_waypoint.sft.planners import SFTWaypointModel as Model\nclass Planner(Model): pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    path = save_planner(SFTWaypointModel(hidden_dims=(4,)), tmp_path / "model.pt")
    torch.save({**torch.load(path, weights_only=True), "class": "planners_of_others:Planner"}, path)
    command = ("evaluate", "--model", path, "--episodes", 1, "--env-kwargs", "route_length:30")
    try:
        for _ in range(2):
            refused = call(*command)
            assert refused.exit_code == 1 and refused.stderr.count("\n") == 1
            assert "model.pt names 'planners_of_others:Planner'" in refused.stderr
            assert "planners_of_others" not in sys.modules
            trusted = call(*command, "--trust", "planners_of_others")
            assert trusted.exit_code == 0, trusted.output
            sys.modules.pop("planners_of_others")
    finally:
        sys.modules.pop("planners_of_others", None)


@pytest.mark.parametrize("name", READERS)
def test_the_help_says_what_runs_code(name):
    text = " ".join(call(name, "--help").output.split())
    assert "--trust MODULE" in text and "Models (.zip), args.yml and hyperparameter yaml run code when they are read" in text


def test_threads_trust_too_and_nobody_after_the_command(monkeypatch):
    monkeypatch.setenv(VARIABLE, "theirs")
    found = []

    @click.command()
    @trust_option
    def command():
        # the trials of -optimize --n-jobs 2 run in threads
        thread = threading.Thread(target=lambda: found.extend(check_trusted(f"{name}:A", "a") for name in ("mine", "theirs")))
        thread.start()
        thread.join()

    command.main(["--trust", "mine"], standalone_mode=False)
    assert found == ["mine:A", "theirs:A"]
    with pytest.raises(UntrustedError):
        check_trusted("mine:A", "a")
