"""``sb3-delta-waypoint record``: demonstrations of the expert."""

import contextlib
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sb3_delta_waypoint.commands.command import command, env_kwargs_option, option, out_option
from sb3_delta_waypoint.zoo.options import ENV_HELP, ENV_ID

if TYPE_CHECKING:
    import gymnasium as gym


@command()
@option("--env", "env_id", default=ENV_ID, show_default=True, metavar="ID", help=ENV_HELP)
@option("--episodes", default=5, show_default=True, type=click.IntRange(min=1), help="How many episodes to write.")
@out_option("out/episodes", "Folder for the episode files.")
@option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Base seed of the scenarios.")
@option(
    "--routes",
    metavar="PATH",
    help="Where to drive: an OpenDRIVE map ('Town01.xodr'), or a quoted glob of recorded episodes, whose driven paths "
    "become routes; of CarlaWaypoint-v0, a file of routes.  [default: random]",
)
@option("--route-length", type=float, metavar="METRES", help="Length of a route.  [default: the env's, 100]")
@option("--horizon-steps", type=int, help="Waypoints in a plan.  [default: the env's, 20]")
@option("--plan-dt", type=float, metavar="SECONDS", help="Time from one waypoint to the next.  [default: the env's, 0.1]")
@env_kwargs_option("more")
@option("--overwrite", is_flag=True, help="Replace the episodes that an earlier recording left in the folder.")
def record(
    env_id: str, episodes: int, out: Path, seed: int, more: tuple[tuple[str, Any], ...], overwrite: bool, **env_kwargs: Any
) -> None:
    """
    Record demonstrations: the expert drives.

    \b
    sb3-delta-waypoint record --episodes 20 --out out/episodes
    sb3-delta-waypoint record --env CarlaWaypoint-v0 \\
        --env-kwargs host:localhost town:Town01 --out out/carla

    Writes one JSON file per episode, 'toy-<seed>-<scenario>.json', or 'loopback-…' or 'carla-…' for CarlaWaypoint-v0,
    depending on the server. Scenarios in which the expert does not reach the goal are skipped. Ctrl-C keeps complete episodes.
    """
    from sb3_delta_waypoint.carla_bridge.errors import CarlaError
    from sb3_delta_waypoint.episodes.recorder import record_episodes

    # an env of somebody else may take none of them
    env_kwargs = {name: value for name, value in env_kwargs.items() if value is not None} | dict(more)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            # closing the env also ends its server, at Ctrl-C, too
            with contextlib.closing(_made(env_id, env_kwargs)) as env:
                paths = record_episodes(env, episodes, out, seed, progress=True, overwrite=overwrite)
    except CarlaError as error:
        raise click.ClickException(str(error)) from error
    for warning in caught:
        click.echo(str(warning.message), err=True)
    click.echo(f"{len(paths)} episodes in {out}")


def _made(env_id: str, env_kwargs: dict[str, Any]) -> "gym.Env":
    import gymnasium as gym

    import sb3_delta_waypoint  # noqa: F401 (registers the envs)
    from sb3_delta_waypoint.registration import env_spec

    env_spec(env_id)  # says better than Gymnasium which module is missing
    try:
        env: gym.Env = gym.make(env_id, **env_kwargs)
    except TypeError as error:
        raise ValueError(f"--env {env_id}: {error}") from error
    return env
