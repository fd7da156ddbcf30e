"""The option ``--trust`` of the commands that read planners and models."""

from collections.abc import Callable

import click


def trust_option(function: Callable[..., None]) -> Callable[..., None]:
    """
    A decorator: an option that trusts modules while the command runs, and says which files run code by design.

    :param function: the command
    :return: the command with the option, which it does not see
    """

    def trust(ctx: click.Context, parameter: click.Parameter, modules: tuple[str, ...]) -> None:
        from sb3_delta_waypoint.sft.trust import trusting

        ctx.with_resource(trusting(modules))

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
