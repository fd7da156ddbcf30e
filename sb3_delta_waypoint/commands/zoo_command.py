"""Shared parts of the commands that run scripts of rl_zoo3."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from itertools import cycle
from pathlib import Path
from typing import Any, Literal

import click
from click.core import ParameterSource

from sb3_delta_waypoint.commands.command import Option, command, option
from sb3_delta_waypoint.commands.key_value import KEY_VALUE
from sb3_delta_waypoint.zoo.algorithms import check_algorithm
from sb3_delta_waypoint.zoo.options import SCRIPTS, ZooOption, as_arguments

DASHES: tuple[Literal["-", "--", "-.", ":"], ...] = ("-", "--", "-.", ":")
"""Styles of the lines in a picture, in this order, which are also distinct in greyscale."""


def zoo_command(script: str) -> Callable[[Callable[..., None]], click.Command]:
    """
    Return a decorator for commands that run a script of rl_zoo3. It adds the options of the script; those that were given are
    passed to the command as the list ``arguments``.

    :param script: name of the script, see :func:`sb3_delta_waypoint.zoo.run_script`
    :return: the decorator
    """
    options = {_name(option): option for section in SCRIPTS[script].values() for option in section}

    def decorate(function: Callable[..., None]) -> click.Command:
        @wraps(function)
        def with_arguments(**params: Any) -> None:
            ctx = click.get_current_context()
            values = {name: params.pop(name) for name in options}
            if "algo" in values:
                check_algorithm(values["algo"])
            arguments: list[str] = []
            for name, value in values.items():
                if ctx.get_parameter_source(name) is not ParameterSource.DEFAULT:
                    arguments += as_arguments(options[name], dict(value) if options[name].kind is dict else value)
            function(arguments=arguments, **params)

        made = command(script)(with_arguments)
        made.params += [_option(option, title) for title, section in SCRIPTS[script].items() for option in section]
        return made

    return decorate


def _name(option: ZooOption) -> str:
    return option.flag.strip("-").replace("-", "_")


def _option(option: ZooOption, section: str) -> click.Option:
    default = option.default if option.ours is None else option.ours
    shown = " ".join(map(str, default)) if isinstance(default, list) else default
    text = option.help
    if shown is not None and shown is not False and shown != "":
        zoo = f"; rl_zoo3: {option.default}" if option.ours is not None and option.default is not None else ""
        text += f"  [default: {shown}{zoo}]"
    settings: dict[str, Any] = {"help": text, "section": section, "metavar": option.metavar or None}
    names = [*option.names.split(), _name(option)]
    if option.kind is bool:
        return Option(names, is_flag=True, help=text, section=section)
    if option.kind is dict:
        return Option(names, type=KEY_VALUE, multiple=True, **settings)
    kind = click.Choice(option.kind) if isinstance(option.kind, tuple) else option.kind
    if option.values == -1:
        return Option(names, type=kind, multiple=True, default=default or (), **settings)
    return Option(names, type=kind, nargs=option.values, default=default, **settings)


picture_option = option(
    "--picture",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the plot to this file (.png, .svg, …) instead of showing it.",
)


@contextmanager
def picture_to(path: Path | None) -> Iterator[None]:
    """
    Redirect the figure that a script shows to a file, within a context.

    :param path: the file, or None to show the figure
    """
    import matplotlib
    from matplotlib import pyplot as plt
    from matplotlib.ticker import EngFormatter

    if path is None:
        yield
        return
    matplotlib.use("Agg")
    with warnings.catch_warnings():
        # matplotlib warns that it cannot show a figure
        warnings.filterwarnings("ignore", ".*non-interactive")
        yield
    for axes in plt.gcf().axes:
        for line, dashes in zip(axes.lines, cycle(DASHES), strict=False):
            line.set_linestyle(dashes)
        if "Million" not in axes.get_xlabel():
            axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        if axes.get_legend() is not None:
            # below the axes, where the legend hides nothing
            axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), frameon=False, handlelength=3)
    plt.savefig(path, bbox_inches="tight", dpi=120)
    click.echo(path)
