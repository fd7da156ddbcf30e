"""The options for the scenarios of an evaluation."""

from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

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


HARD = Path("out/hard_split.json")
"""Default path of the hard split."""


def report_options(function: Callable[..., None]) -> Callable[..., None]:
    """
    Decorate a command with the options of reports: ``--scenarios``, passed to :func:`chosen_scenarios`, its short form
    ``--hard``, and ``--reference``.

    :param function: the command
    :return: the command with the options
    """
    options = (
        option(
            "--scenarios",
            "file",
            type=click.Path(dir_okay=False, path_type=Path),
            help="Drive exactly the scenarios of this file, which 'hard-split' wrote; it brings env, arguments and seed.",
        ),
        option("--hard", "file", flag_value=HARD, type=click.Path(path_type=Path), help=f"The same as --scenarios {HARD}."),
        option(
            "--reference/--no-reference",
            default=None,
            help="Drive the env's expert through the scenarios, too, and report the times to the goal relative to its own.  "
            "[default: where others drive]",
        ),
    )
    for add in reversed(options):
        function = add(function)
    return function


def wants_reference(reference: bool | None, scenarios: "Scenarios") -> bool:
    """
    Return whether the reference driver is to drive, too.

    :param reference: ``--reference``, None if it was not given
    :param scenarios: the scenarios
    :return: whether it is: by default in envs with a panel of behaviours
    """
    from sb3_delta_waypoint.evaluation.panel import behaviours_of

    return bool(behaviours_of(scenarios.env_id)) if reference is None else reference


def chosen_scenarios(
    policy: "WaypointPolicy",
    env_id: str,
    routes: str | None,
    env_kwargs: tuple[tuple[str, Any], ...],
    episodes: int,
    seed: int,
    n_envs: int,
    file: Path | None = None,
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
    :param file: ``--scenarios``
    :return: the scenarios
    :raises click.UsageError: if a file of scenarios is given, and what it brings, too
    """
    from sb3_delta_waypoint.evaluation.rollout import Scenarios

    listed = None if file is None else _listed(file)
    if listed is not None:
        env_id, seed, env_kwargs = listed.env_id, listed.seed, (*listed.env_kwargs.items(), *env_kwargs)
    kwargs = env_kwargs_for(policy, env_id, routes, env_kwargs)
    return Scenarios(episodes, seed, n_envs, env_id, kwargs, None if listed is None else listed.numbers)


def env_kwargs_for(
    policy: "WaypointPolicy", env_id: str, routes: str | None, env_kwargs: tuple[tuple[str, Any], ...]
) -> dict[str, Any]:
    """
    Return the arguments of an env in which a policy drives.

    :param policy: the policy; the env gets its number of waypoints and time step, and returns the observations that it reads
    :param env_id: ``--env``
    :param routes: ``--routes``
    :param env_kwargs: ``--env-kwargs``
    :return: the arguments by name
    """
    import sb3_delta_waypoint  # noqa: F401 (registers the envs)
    from sb3_delta_waypoint.policies.observed import observe_for

    plans = {"horizon_steps": policy.horizon_steps, "plan_dt": policy.plan_dt}
    kwargs: dict[str, Any] = {
        # envs of other packages may have fixed plans, which are checked when the env is made
        **{name: value for name, value in plans.items() if _takes(env_id, name)},
        **observe_for(env_id, policy),
        **dict(env_kwargs),
    }
    return kwargs if routes is None else {**kwargs, "routes": routes}


def _listed(file: Path) -> "Scenarios":
    from sb3_delta_waypoint.evaluation.hard_split import read_scenarios

    given = click.get_current_context().get_parameter_source
    for name, flag in (("env_id", "--env"), ("routes", "--routes"), ("seed", "--seed"), ("episodes", "--episodes")):
        if given(name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{file} brings its own env, arguments, seed and numbers: leave out {flag}")
    return read_scenarios(file)


def _takes(env_id: str, name: str) -> bool:
    """Return whether an env has an argument of this name."""
    from gymnasium.envs.registration import load_env_creator

    from sb3_delta_waypoint.registration import env_spec

    entry_point: Any = env_spec(env_id).entry_point
    parameters = signature(load_env_creator(entry_point) if isinstance(entry_point, str) else entry_point).parameters
    return name in parameters or any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
