"""The console script: what it lists, what it imports, and how it reports errors."""

import importlib
import json
import signal
import subprocess
import sys
from contextlib import suppress

import click
import pytest
from click.testing import CliRunner
from gymnasium.error import NameNotFound

import sb3_delta_waypoint
from sb3_delta_waypoint import cli


def call(*args, **keywords):
    return CliRunner().invoke(cli.main, list(args), **keywords)


@pytest.fixture
def raising(monkeypatch):
    """A function that makes ``enjoy`` raise an error."""

    def install(error):
        @click.command()
        def enjoy():
            raise error

        module = importlib.import_module("sb3_delta_waypoint.commands.enjoy")
        monkeypatch.setattr(module, "enjoy", enjoy)

    return install


def test_help_lists_every_command_without_importing_any():
    program = """
import json, sys
from sb3_delta_waypoint.cli import main
main(["--help"], standalone_mode=False)
print(json.dumps([name for name in sys.modules if name == "rl_zoo3" or name.startswith("sb3_delta_waypoint.commands.")]))
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    text, _, imported = result.stdout.strip().rpartition("\n")
    assert json.loads(imported) == []
    for name, explanation in cli.COMMANDS.items():
        assert f"  {name} " in text and explanation.split()[0] in text


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_each_command_explains_itself(name):
    result = call(name, "--help")
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"Usage: main {name}") and "Options:" in result.output
    # one line stays one line
    assert len(cli.COMMANDS[name]) < 80


def test_version():
    assert call("--version").output == f"sb3_delta_waypoint {sb3_delta_waypoint.__version__}\n"


def test_commands_may_be_spelt_as_rl_zoo3_spells_them():
    assert call("plot_train", "--help").output.startswith("Usage: main plot")


def test_unknown_command():
    result = call("trian")
    assert result.exit_code == 2 and "No such command 'trian'" in result.stderr


@pytest.mark.parametrize(
    "error", [ValueError("no: 3"), FileNotFoundError("no: 3"), ImportError("no: 3"), PermissionError("no: 3")]
)
def test_an_error_is_one_line(error, raising):
    raising(error)
    result = call("enjoy")
    assert (result.exit_code, result.stderr) == (1, "Error: no: 3\n")


def test_an_error_of_the_system_names_the_file_first(raising):
    raising(OSError(28, "No space left on device", "out/metrics.json"))
    result = call("enjoy")
    assert (result.exit_code, result.stderr) == (1, "Error: out/metrics.json: No space left on device\n")


def test_an_unknown_env_is_one_line(raising):
    raising(NameNotFound("Environment `Toy` doesn't exist."))
    assert call("enjoy").stderr == "Error: Environment `Toy` doesn't exist.\n"


def test_a_bug_keeps_its_traceback(raising):
    raising(TypeError("a bug"))
    assert isinstance(call("enjoy").exception, TypeError)


@pytest.mark.parametrize("how", [{"args": ["--debug"]}, {"env": {"SB3_DELTA_WAYPOINT_DEBUG": "1"}}])
def test_debug_shows_the_traceback(how, raising):
    raising(ValueError("no: 3"))
    assert isinstance(call(*how.get("args", []), "enjoy", env=how.get("env")).exception, ValueError)


def test_interrupt(raising):
    raising(KeyboardInterrupt())
    result = call("enjoy")
    assert (result.exit_code, result.stderr) == (130, "Interrupted.\n")


@pytest.mark.parametrize("on_ctrl_c", [signal.default_int_handler, signal.SIG_IGN])
def test_sigterm_does_what_ctrl_c_does(on_ctrl_c, monkeypatch):
    """Also where Ctrl-C is ignored, as by what a shell runs in the background; and the exit code is its own."""
    ended = []

    @click.command()
    def enjoy():
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            ended.append(True)

    monkeypatch.setattr(importlib.import_module("sb3_delta_waypoint.commands.enjoy"), "enjoy", enjoy)
    before = signal.getsignal(signal.SIGTERM)
    previous = signal.signal(signal.SIGINT, on_ctrl_c)
    try:
        result = call("enjoy")
    finally:
        signal.signal(signal.SIGINT, previous)
    assert (result.exit_code, result.stderr, ended) == (143, "Interrupted.\n", [True])
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize("error", [None, ValueError("no: 3")])
def test_sigterm_counts_however_the_command_ends(error, monkeypatch):
    @click.command()
    def enjoy():
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        if error is not None:
            raise error

    monkeypatch.setattr(importlib.import_module("sb3_delta_waypoint.commands.enjoy"), "enjoy", enjoy)
    result = call("enjoy")
    assert (result.exit_code, result.stderr) == (143, "" if error is None else "Error: no: 3\n")


def test_a_missing_extra_is_named(monkeypatch):
    for name in [name for name in sys.modules if name.startswith(("rl_zoo3", "sb3_delta_waypoint.zoo"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr(sb3_delta_waypoint, "zoo", raising=False)
    monkeypatch.setitem(sys.modules, "rl_zoo3", None)
    result = call("train", "-n", "10")
    assert (result.exit_code, result.stderr) == (
        1,
        'Error: rl_zoo3 is not installed: pip install "sb3_delta_waypoint[zoo]"\n',
    )
