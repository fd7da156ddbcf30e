"""The options for the scenarios of an evaluation."""

from collections.abc import Callable
from inspect import signature
from typing import TYPE_CHECKING, Any

import click

from sb3_delta_waypoint.commands.command import env_kwargs_option, option
from sb3_delta_waypoint.zoo.options import ENV_HELP, ENV_ID

if TYPE_CHECKING:
    from sb3_delta_waypoint.evaluation.rollout import Scenarios
    from sb3_delta_waypoint.policies.inference import WaypointPolicy


def scenario_options(episodes: int, seed: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """
    Return a decorator that adds the options, which are passed as the keyword arguments of :func:`chosen_scenarios`.

    :param episodes: default number of scenarios
    :param seed: default base seed
    :return: the decorator
    """
    options = (
        option("--env", "env_id", default=ENV_ID, show_default=True, metavar="ID", help=ENV_HELP),
        option(
            "--routes",
            metavar="PATH",
            help="Where to drive: an OpenDRIVE map ('Town01.xodr'), or a quoted glob of recorded episodes.  "
            "[default: random smooth curvature]",
        ),
        env_kwargs_option(),
        option("--episodes", default=episodes, show_default=True, type=click.IntRange(min=1), help="Scenarios to drive."),
        option("--seed", default=seed, show_default=True, type=click.IntRange(min=0), help="Base seed of the scenarios."),
        option("--n-envs", default=256, show_default=True, type=click.IntRange(min=1), help="Scenarios at a time, at most."),
    )

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        for add in reversed(options):
            function = add(function)
        return function

    return decorate


def chosen_scenarios(
    policy: "WaypointPolicy",
    env_id: str,
    routes: str | None,
    env_kwargs: tuple[tuple[str, Any], ...],
    episodes: int,
    seed: int,
    n_envs: int,
) -> "Scenarios":
    """
    Return the scenarios that the options describe.

    :param policy: the policy that drives; the env gets its number of waypoints and time step, and returns the observations
        that it reads
    :param env_id: ``--env``
    :param routes: ``--routes``
    :param env_kwargs: ``--env-kwargs``
    :param episodes: ``--episodes``
    :param seed: ``--seed``
    :param n_envs: ``--n-envs``
    :return: the scenarios
    """
    import sb3_delta_waypoint  # noqa: F401 (registers the envs)
    from sb3_delta_waypoint.evaluation.rollout import Scenarios
    from sb3_delta_waypoint.policies.observed import observe_for

    plans = {"horizon_steps": policy.horizon_steps, "plan_dt": policy.plan_dt}
    kwargs: dict[str, Any] = {
        # envs of other packages may have fixed plans, which are checked when the env is made
        **{name: value for name, value in plans.items() if _takes(env_id, name)},
        **observe_for(env_id, policy),
        **dict(env_kwargs),
    }
    if routes is not None:
        kwargs["routes"] = routes
    return Scenarios(episodes, seed, n_envs, env_id, kwargs)


def _takes(env_id: str, name: str) -> bool:
    """Return whether an env has an argument of this name."""
    from gymnasium.envs.registration import load_env_creator

    from sb3_delta_waypoint.registration import env_spec

    entry_point: Any = env_spec(env_id).entry_point
    parameters = signature(load_env_creator(entry_point) if isinstance(entry_point, str) else entry_point).parameters
    return name in parameters or any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
