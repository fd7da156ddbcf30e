"""The tables of rl_zoo3's options say what its own parsers say."""

import argparse
import importlib
import runpy
import sys

import pytest

pytest.importorskip("rl_zoo3")

from sb3_delta_waypoint import zoo
from sb3_delta_waypoint.zoo.options import SCRIPTS, as_arguments, defaults


class Parsed(Exception):
    """The parser of a script, before it parses."""


@pytest.fixture
def parser_of(monkeypatch):
    """A function from the name of a script to its own parser."""

    def stop(parser):
        raise Parsed(parser)

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", stop)

    def find(script):
        with pytest.raises(Parsed) as raised:
            if script == "record_video":
                monkeypatch.setattr(sys, "argv", ["record_video"])
                runpy.run_module("rl_zoo3.record_video", run_name="__main__")
            getattr(importlib.import_module("rl_zoo3.plots" if "plot" in script else f"rl_zoo3.{script}"), script)()
        return raised.value.args[0]

    return find


@pytest.mark.parametrize("script", SCRIPTS)
def test_names_defaults_choices_and_kinds(script, parser_of):
    options = {option.names: option for section in SCRIPTS[script].values() for option in section}
    parser = parser_of(script)
    actions = {" ".join(action.option_strings): action for action in parser._actions if action.dest != "help"}
    assert set(options) == set(actions)
    for names, option in options.items():
        action = actions[names]
        assert option.default == action.default, names
        assert (option.kind is bool) == (action.nargs == 0), names
        assert option.values == {None: 1, 0: 1, 2: 2, "+": -1}[action.nargs], names
        if isinstance(option.kind, tuple):
            assert list(option.kind) == action.choices
        elif option.kind in (int, float):
            assert option.kind is action.type, names
        assert (option.kind is dict) == (type(action).__name__ == "StoreDict"), names


@pytest.mark.parametrize("script", SCRIPTS)
def test_rl_zoo3_reads_what_is_passed_on(script, parser_of, monkeypatch):
    zoo.register()
    parser = parser_of(script)
    monkeypatch.undo()
    (kwargs,) = [option for section in SCRIPTS[script].values() for option in section if option.flag == "--env-kwargs"] or [
        None
    ]
    given = {"route_length": 20, "routes": "Town01.xodr", "start": {"lateral": 1.0}}
    more = [] if kwargs is None else as_arguments(kwargs, given)
    namespace = parser.parse_args([*defaults(script), *more, *(["-a", "ppo"] if script == "all_plots" else [])])
    assert kwargs is None or namespace.env_kwargs == given
    folder = {"train": "log_folder", "plot_train": "exp_folder", "all_plots": "exp_folders"}.get(script, "folder")
    assert getattr(namespace, folder) in ("out/logs", ["out/logs"])
    assert script == "all_plots" or namespace.algo == "grpo"
