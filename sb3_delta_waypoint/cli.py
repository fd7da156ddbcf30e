"""The console script ``sb3-delta-waypoint``: one group of sub-commands, each imported only when it is used."""

import importlib
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import click
from gymnasium.error import Error as GymnasiumError

COMMANDS = {
    "demo": "Record, clone, refine, evaluate and compare, in one go.",
    "record": "Record demonstrations: the expert drives.",
    "sft": "Train a planner on demonstrations by behaviour cloning.",
    "dagger": "Train a planner or its residual head by asking the expert (DAgger).",
    "train": "Refine a planner by reinforcement learning (rl_zoo3 train).",
    "enjoy": "Watch a trained model drive (rl_zoo3 enjoy).",
    "evaluate": "Evaluate a planner or a trained model on scenarios or recorded data.",
    "compare": "Compare a planner with its refinement on the same scenarios.",
    "select": "Pick the best of several checkpoints.",
    "hard-split": "List the scenarios in which other planners fail.",
    "score": "Recompute the driving scores of a leaderboard or Bench2Drive result file.",
    "carla-eval": "Evaluate closed loop in CARLA, or on the loopback server that stands in for it.",
    "carla-server": "Serve the CARLA client without CARLA, for tests and development.",
    "plot-train": "Plot the training curves of runs (rl_zoo3 plot_train).",
    "all-plots": "Plot algorithms and runs side by side (rl_zoo3 all_plots).",
    "record-video": "Record a video of a model (rl_zoo3 record_video), or of it and its planner.",
}
"""Name and one-line help of each sub-command; ``a-b`` is the click command ``a_b`` in ``commands/a_b.py``."""

EXTRAS = {"rl_zoo3": "zoo", "optuna": "zoo", "seaborn": "zoo", "scipy": "zoo", "carla": "carla", "ray": "ray"}
"""Extras of this package by the module that they install."""

INTERRUPTED = 130
"""Exit code after Ctrl-C (128 + SIGINT)."""

TERMINATED = 143
"""Exit code after SIGTERM (128 + SIGTERM)."""


class LazyGroup(click.Group):
    """A click group that imports a sub-command only when it is called, and shows expected errors in one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name = cmd_name.replace("_", "-")
        if name not in COMMANDS:
            return None
        module = name.replace("-", "_")
        command = getattr(importlib.import_module(f"sb3_delta_waypoint.commands.{module}"), module)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        with _errors_in_one_line(ctx):
            return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        with _sigterm_as_ctrl_c(ctx), _errors_in_one_line(ctx):
            return super().invoke(ctx)


@contextmanager
def _sigterm_as_ctrl_c(ctx: click.Context) -> Iterator[None]:
    """Treat SIGTERM, which Slurm and Docker send, like Ctrl-C within a context; only the exit code differs."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    terminated = False

    def interrupt(signal_number: int, frame: FrameType | None) -> None:
        nonlocal terminated
        terminated = True
        # calls the handler instead of raising SIGINT, which a background job of a shell ignores
        handler = signal.getsignal(signal.SIGINT)
        (handler if callable(handler) else signal.default_int_handler)(signal_number, frame)

    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    except click.exceptions.Exit:
        if not terminated:
            raise
    except click.ClickException as error:
        if not terminated:
            raise
        error.show()
    finally:
        signal.signal(signal.SIGTERM, previous)
    if terminated:
        ctx.exit(TERMINATED)


@contextmanager
def _errors_in_one_line(ctx: click.Context) -> Iterator[None]:
    """Show errors that a user can fix in one line, with an exit code; with ``--debug`` they keep their traceback."""
    debug = ctx.find_root().params.get("debug", False)
    try:
        yield
    except BrokenPipeError:  # click ends quietly when the reader of a pipe has gone
        raise
    except KeyboardInterrupt as interrupt:
        click.echo(str(interrupt) or "Interrupted.", err=True)
        ctx.exit(INTERRUPTED)
    except (ValueError, OSError, ImportError, GymnasiumError) as error:
        if debug:
            raise
        raise click.ClickException(_message(error)) from error


def _message(error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name is not None:
        module = error.name.partition(".")[0]
        if module in EXTRAS:
            return f'{module} is not installed: pip install "sb3_delta_waypoint[{EXTRAS[module]}]"'
    text = str(error) or type(error).__name__
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        text = f"{error.filename}: {error.strerror}"
    return "; ".join([text, *getattr(error, "__notes__", [])])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="sb3_delta_waypoint", message="%(package)s %(version)s")
@click.option("--debug", is_flag=True, envvar="SB3_DELTA_WAYPOINT_DEBUG", help="Show the whole traceback of an error.")
def main(debug: bool) -> None:
    """Refine a supervised waypoint planner by reinforcement learning.

    Exit codes: 0 done; 1 it failed, or what was checked does not hold; 2 options that cannot be understood; 130 after Ctrl-C;
    143 after SIGTERM.
    """


if __name__ == "__main__":
    main()
