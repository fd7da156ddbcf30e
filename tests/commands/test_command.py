"""What all commands have in common: values after one flag, KEY:VALUE, defaults, help."""

import json
import re
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from sb3_delta_waypoint import cli
from sb3_delta_waypoint.commands.command import command, env_kwargs_option, option
from sb3_delta_waypoint.zoo.options import ALGORITHM, LOG_FOLDER, SCRIPTS, defaults
from tests.command_line import call


@command()
@env_kwargs_option()
@option("--where", multiple=True)
@option("-n", type=int, default=0)
@option("--fast", is_flag=True)
def example(**options):
    click.echo(json.dumps(options))


def given(*arguments):
    result = CliRunner().invoke(example, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--env-kwargs", "a:1", "b:2", "--where", "x", "y", "-n", 3],
        ["--env-kwargs", "a:1", "--where", "x", "--env-kwargs", "b:2", "-n", 3, "--where", "y"],
        ["-n", 3, "--where=x", "--where", "y", "--env-kwargs=a:1", "--env-kwargs", "b:2"],
    ],
)
def test_several_values_follow_a_flag_or_repeat_it(arguments):
    assert given(*arguments) == {"env_kwargs": [["a", 1], ["b", 2]], "where": ["x", "y"], "n": 3, "fast": False}


def test_the_values_end_with_the_next_option():
    assert given("--where", "x", "--fast")["fast"] is True
    assert given("--where", "-1", "-n", -5) == {"env_kwargs": [], "where": ["-1"], "n": -5, "fast": False}
    result = CliRunner().invoke(example, ["--where"])
    assert result.exit_code == 2 and "requires an argument" in result.output


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("200", 200),
        ("2**11", 2048),
        ("-9.8", -9.8),
        ("dict(lateral=1.0)", {"lateral": 1.0}),
        ("{'vehicles': 1}", {"vehicles": 1}),
        ("None", None),
        ("Town01.xodr", "Town01.xodr"),
        ("out/**/*.json", "out/**/*.json"),
        ("http://localhost:2000", "http://localhost:2000"),
        ("max", "max"),
        ("__import__('os')", "__import__('os')"),
    ],
)
def test_a_value_is_python_or_a_string(text, value):
    assert given("--env-kwargs", f"key:{text}")["env_kwargs"] == [["key", value]]


def test_every_command_starts_from_the_same_algorithm_env_and_folder():
    shown = {name: " ".join(call(name, "--help").output.split()) for name in cli.COMMANDS}
    for name in ("train", "enjoy", "record-video", "plot-train", "demo"):
        assert re.search(rf"--algo NAME .*?\[default: {ALGORITHM}[;\]]", shown[name]), name
    for name in ("train", "enjoy", "record-video", "plot-train", "all-plots"):
        assert f"[default: {LOG_FOLDER}" in shown[name], name
        arguments = defaults(name.replace("-", "_"))
        assert LOG_FOLDER in arguments and "ToyWaypoint-v0" in arguments
    assert f"[default: {LOG_FOLDER}/{ALGORITHM}/" in shown["select"]
    for name in ("record", "evaluate", "compare", "select", "train", "enjoy", "record-video", "carla-eval"):
        assert "--env-kwargs KEY:VALUE…" in shown[name], name


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_help_shows_every_option_of_rl_zoo3_with_its_default(script):
    output = call(script.replace("_", "-"), "--help").output
    text = " ".join(re.sub(r"(?<=\w-)\n\s+", "", output).split())
    for title, section in SCRIPTS[script].items():
        assert f" {title}: " in text
        for zoo_option in section:
            entry = " ".join([zoo_option.names.replace(" ", ", "), zoo_option.metavar]).strip()
            default = zoo_option.default if zoo_option.ours is None else zoo_option.ours
            shown = f"[default: {default}" if isinstance(default, int) and not isinstance(default, bool) else ""
            explained = re.escape(" ".join(zoo_option.help.split()))
            assert re.search(rf"{re.escape(entry)}( \[[\w|]+\])? {explained} ?{re.escape(shown)}", text), entry


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_help_fits_into_80_columns_and_says_nothing_of_ranges(name):
    lines = (
        CliRunner().invoke(cli.main, [name, "--help"], terminal_width=80, prog_name="sb3-delta-waypoint").output.splitlines()
    )
    assert max(map(len, lines)) <= 80
    assert not re.search(r"[xX]?[<>]=\d|RANGE|TEXT\b", "".join(lines).replace("success_rate>=0.9", ""))


HELP = """
import json, sys
from sb3_delta_waypoint.cli import COMMANDS, main
imported = {}
for name in COMMANDS:
    main([name, "--help"], standalone_mode=False)
    imported[name] = [module for module in ("torch", "matplotlib", "rl_zoo3", "stable_baselines3") if module in sys.modules]
print(json.dumps(imported))
"""


def test_help_imports_neither_torch_nor_matplotlib():
    result = subprocess.run([sys.executable, "-c", HELP], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout.splitlines()[-1]) == {name: [] for name in cli.COMMANDS}
