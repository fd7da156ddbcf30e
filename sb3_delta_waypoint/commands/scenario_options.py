"""The options that say which scenarios a command evaluates on."""

from collections.abc import Callable
from inspect import signature
from typing import Any

import click
from gymnasium.envs.registration import load_env_creator

from sb3_delta_waypoint.commands.key_value import key_and_value
from sb3_delta_waypoint.evaluation.rollout import Scenarios
from sb3_delta_waypoint.policies.inference import WaypointPolicy
from sb3_delta_waypoint.vec_env.native import env_spec


def scenario_options(episodes: int, seed: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """
    A decorator that adds the options; the command gets them as the keyword arguments of :func:`chosen_scenarios`.

    :param episodes: default number of scenarios
    :param seed: default base seed
    :return: the decorator
    """
    options = (
        click.option(
            "--env",
            "env_id",
            default="ToyWaypoint-v0",
            show_default=True,
            help="Id of the env; my_module:MyWaypoint-v0 imports my_module, which registers it.",
        ),
        click.option(
            "--routes",
            help="Where to drive: an OpenDRIVE map ('Town01.xodr'), or a quoted glob of recorded episodes.  "
            "[default: random smooth curvature]",
        ),
        click.option(
            "--env-kwargs",
            multiple=True,
            metavar="KEY:VALUE",
            help="Further arguments of the env, such as route_length:200; can be repeated.",
        ),
        click.option(
            "--episodes", default=episodes, show_default=True, type=click.IntRange(min=1), help="Scenarios to drive."
        ),
        click.option(
            "--seed", default=seed, show_default=True, type=click.IntRange(min=0), help="Base seed of the scenarios."
        ),
        click.option(
            "--n-envs", default=256, show_default=True, type=click.IntRange(min=1), help="Scenarios at a time, at most."
        ),
    )

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def chosen_scenarios(
    policy: WaypointPolicy, env_id: str, routes: str | None, env_kwargs: tuple[str, ...], episodes: int, seed: int, n_envs: int
) -> Scenarios:
    """
    The scenarios that the options describe.

    :param policy: whose plans the env must expect: their number of waypoints and the time between them
    :param env_id: ``--env``
    :param routes: ``--routes``
    :param env_kwargs: ``--env-kwargs``
    :param episodes: ``--episodes``
    :param seed: ``--seed``
    :param n_envs: ``--n-envs``
    :return: the scenarios
    """
    import sb3_delta_waypoint  # noqa: F401 (registers the envs)

    plans = {"horizon_steps": policy.horizon_steps, "plan_dt": policy.plan_dt}
    kwargs: dict[str, Any] = {
        # an env of somebody else may have plans of one kind only, which is checked when it is made
        **{name: value for name, value in plans.items() if _takes(env_id, name)},
        **dict(key_and_value(text) for text in env_kwargs),
    }
    if routes is not None:
        kwargs["routes"] = routes
    return Scenarios(episodes, seed, n_envs, env_id, kwargs)


def _takes(env_id: str, name: str) -> bool:
    """Whether an env has such an argument."""
    entry_point: Any = env_spec(env_id).entry_point
    parameters = signature(load_env_creator(entry_point) if isinstance(entry_point, str) else entry_point).parameters
    return name in parameters or any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
