"""What the commands that pass their arguments on to rl_zoo3 share."""

import re
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import Literal

import click

ALGORITHMS = ("ppo", "grpo", "a2c", "trpo")
"""Those of ``zoo.ALGORITHMS``, whose import takes seconds."""
DASHES: tuple[Literal["-", "--", "-.", ":"], ...] = ("-", "--", "-.", ":")
"""Of the lines in a picture, one after the other: they are told apart in grey, too."""


def zoo_command(name: str) -> Callable[[Callable[..., None]], click.Command]:
    """
    A decorator: a command with options of its own and, as the parameter ``arguments``, all others, for a script of rl_zoo3.

    :param name: name of the script, see :func:`sb3_delta_waypoint.zoo.run_script`
    :return: the decorator
    """

    def show_help(ctx: click.Context, parameter: click.Parameter, wanted: bool) -> None:
        if not wanted:
            return
        click.echo(ctx.get_help())
        from sb3_delta_waypoint import zoo

        own = {option for parameter in ctx.command.params for option in parameter.opts}
        others = [
            block for block in re.split(r"^(?=  -)", zoo.script_options(name), flags=re.M) if not own & {*block.split()[:1]}
        ]
        click.echo(f"\nOptions of rl_zoo3 {name}, which can all be given:\n{''.join(others)}")
        ctx.exit()

    def decorate(function: Callable[..., None]) -> click.Command:
        function = click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[RL_ZOO3_OPTIONS]...")(function)
        function = click.option(
            "-h", "--help", is_flag=True, is_eager=True, expose_value=False, callback=show_help, help="Show this and exit."
        )(function)
        settings = {"ignore_unknown_options": True, "help_option_names": []}
        return click.command(name, add_help_option=False, context_settings=settings)(function)

    return decorate


def pictures_to(path: Path | None) -> None:
    """
    Have what a script shows written to a file.

    :param path: the file, or None to show it
    """
    import matplotlib
    from matplotlib import pyplot as plt
    from matplotlib.ticker import EngFormatter

    if path is None:
        return

    def save() -> None:
        for axes in plt.gcf().axes:
            for line, dashes in zip(axes.lines, cycle(DASHES), strict=False):
                line.set_linestyle(dashes)
            if "Million" not in axes.get_xlabel():
                axes.xaxis.set_major_formatter(EngFormatter(sep=""))
            if axes.get_legend() is not None:
                # below the axes, where it hides nothing
                axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), frameon=False, handlelength=3)
        plt.savefig(path, bbox_inches="tight", dpi=120)

    matplotlib.use("Agg")
    plt.show = save  # type: ignore[assignment]
