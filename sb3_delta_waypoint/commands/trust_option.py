"""The option ``--trust`` of the commands that read planners and models."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from sb3_delta_waypoint.commands.command import option


@contextmanager
def _trusting(modules: tuple[str, ...]) -> Iterator[None]:
    """Trust modules by the environment variable, since threads (-optimize --n-jobs) and worker processes read it, too."""
    from sb3_delta_waypoint.sft.trust import VARIABLE

    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = ",".join(filter(None, (before, *modules)))
    try:
        yield
    finally:
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before


def trust_option(function: Callable[..., None]) -> Callable[..., None]:
    """
    Decorate a command with the option ``--trust``, which trusts modules while the command runs. Its help says which files run
    code by design.

    :param function: the command
    :return: the command with the option, which is not passed to the function
    """

    def trust(ctx: click.Context, parameter: click.Parameter, modules: tuple[str, ...]) -> None:
        if modules:
            ctx.with_resource(_trusting(modules))

    decorated: Callable[..., None] = option(
        "--trust",
        multiple=True,
        metavar="MODULE…",
        expose_value=False,
        callback=trust,
        help="Modules whose planner classes files may name, besides this package's; or set SB3_DELTA_WAYPOINT_TRUST. Models "
        "(.zip), args.yml and hyperparameter yaml run code when they are read, by the design of Stable-Baselines3 and "
        "rl_zoo3: read only those of people you trust.",
    )(function)
    return decorated
