"""The options for the criterion by which the best of several models is chosen."""

from collections.abc import Callable
from typing import Any

from sb3_delta_waypoint.commands.command import option
from sb3_delta_waypoint.evaluation.selection import DEFAULT_AMONG_OTHERS, DEFAULT_METRIC


def criterion_options(what: str, exception: str) -> Callable[[Any], Any]:
    """
    Return a decorator that adds ``--metric`` and ``--where``, which are passed as ``metric`` and ``constraints``.

    :param what: purpose of the metric, for the help
    :param exception: when the default does not apply, for the help
    :return: the decorator
    """
    by_metric = option(
        "--metric",
        metavar="NAME",
        help=f"{what}: success_rate, ade, fde, route_completion, episode_reward, … In a tie route completion decides, then "
        f"lateral deviation, then the earliest. {exception}  [default: {DEFAULT_METRIC}; "
        f"{DEFAULT_AMONG_OTHERS} where others drive]",
    )
    under = option(
        "--where",
        "constraints",
        multiple=True,
        metavar="CONSTRAINT…",
        help="What it must meet as well, quoted: 'success_rate>=0.9'; several may follow.",
    )
    return lambda function: by_metric(under(function))
