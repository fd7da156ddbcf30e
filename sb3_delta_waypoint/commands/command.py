"""Base classes and options of all commands: options with several values, and the format of the help."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

from sb3_delta_waypoint.commands.key_value import KEY_VALUE


class Option(click.Option):
    """
    An option that is shown under a heading of the help, with N, FILE or FOLDER as metavar and without ranges.

    :param section: the heading
    """

    def __init__(self, *args: Any, section: str = "Options", **keywords: Any):
        super().__init__(*args, **keywords)
        self.section = section
        if self.metavar is None and not self.is_flag:
            self.metavar = _metavar(self.type)

    def get_help_extra(self, ctx: click.Context) -> Any:
        extra = super().get_help_extra(ctx)
        extra.pop("range", None)
        return extra


def _metavar(kind: click.ParamType) -> str | None:
    if isinstance(kind, click.Path):
        return "FILE" if kind.file_okay else "FOLDER"
    if isinstance(kind, click.IntRange | type(click.INT)):
        return "N"
    return "NUMBER" if isinstance(kind, click.FloatRange | type(click.FLOAT)) else None


class Command(click.Command):
    """A command whose repeatable options also accept several values after one flag, like rl_zoo3's."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        repeatable = {
            name for param in self.params if isinstance(param, click.Option) and param.multiple for name in param.opts
        }
        repeated: list[str] = []
        flag, bare = "", False
        for word in args:
            if flag and (bare or not word.startswith("-")):
                repeated += [flag, word]
                bare = False
            else:
                flag, bare = (word, True) if word in repeatable else ("", False)
                repeated += [] if flag else [word]
        # click reports that the value is missing
        repeated += [flag] if bare else []
        return super().parse_args(ctx, repeated)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if isinstance(param, click.Option) and record is not None:
                sections.setdefault(getattr(param, "section", "Options"), []).append(record)
        for title, rows in sections.items():
            with formatter.section(title):
                formatter.write_dl(rows)


command = partial(click.command, cls=Command)
option = partial(click.option, cls=Option)


def env_kwargs_option(*names: str) -> Callable[[Any], Any]:
    """
    Return a decorator that adds ``--env-kwargs``, which is passed as a tuple of keys and values.

    :param names: names of the option and the parameter, in click's format
    :return: the decorator
    """
    return option(
        "--env-kwargs",
        *names,
        multiple=True,
        type=KEY_VALUE,
        metavar="KEY:VALUE…",
        help="Further arguments of the env, such as route_length:200; several may follow, and it can be repeated.",
    )


def out_option(folder: str, text: str) -> Callable[[Any], Any]:
    """
    Return a decorator that adds ``--out``, the folder that a command writes to.

    :param folder: the default
    :param text: the help
    :return: the decorator
    """
    kind = click.Path(file_okay=False, writable=True, path_type=Path)
    return option("--out", default=folder, show_default=True, type=kind, help=text)
