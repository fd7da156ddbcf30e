"""The option ``--trust`` of the commands that read planners and models."""

import os
from collections.abc import Callable

import click


def trust_option(function: Callable[..., None]) -> Callable[..., None]:
    """
    A decorator: an option that trusts modules while the command runs, and says which files run code by design.

    :param function: the command
    :return: the command with the option, which it does not see
    """

    def trust(ctx: click.Context, parameter: click.Parameter, modules: tuple[str, ...]) -> None:
        from unittest.mock import patch

        from sb3_delta_waypoint.sft.trust import VARIABLE

        # the environment, since threads (-optimize --n-jobs) and worker processes trust them, too
        trusted = (os.environ.get(VARIABLE, ""), *modules)
        ctx.with_resource(patch.dict(os.environ, {VARIABLE: ",".join(filter(None, trusted))}))

    return click.option(
        "--trust",
        multiple=True,
        metavar="MODULE",
        expose_value=False,
        callback=trust,
        help="A module whose planner classes files may name, besides this package's; can be repeated, or set "
        "SB3_DELTA_WAYPOINT_TRUST. Models (.zip), args.yml and hyperparameter yaml run code when they are read, by the design "
        "of Stable-Baselines3 and rl_zoo3: read only those of people you trust.",
    )(function)
