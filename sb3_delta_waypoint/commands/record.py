"""``sb3-delta-waypoint record``: the expert drives."""

import warnings
from pathlib import Path
from typing import Any

import click


@click.command()
@click.option("--episodes", default=5, show_default=True, type=click.IntRange(min=1), help="How many episodes to write.")
@click.option(
    "--out",
    default="out/episodes",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the episode files.",
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Base seed of the scenarios.")
@click.option(
    "--routes",
    help="Where to drive: an OpenDRIVE map ('Town01.xodr'), or a quoted glob of recorded episodes, whose driven paths "
    "become routes.  [default: random smooth curvature]",
)
@click.option("--route-length", default=100.0, show_default=True, help="Length of a route, in metres.")
@click.option("--horizon-steps", default=20, show_default=True, help="Waypoints in a plan.")
@click.option("--plan-dt", default=0.1, show_default=True, help="Seconds from one waypoint to the next.")
@click.option("--overwrite", is_flag=True, help="Replace the episodes that an earlier recording left in the folder.")
def record(episodes: int, out: Path, seed: int, overwrite: bool, **env_kwargs: Any) -> None:
    """
    Record demonstrations: the expert drives ToyWaypoint-v0.

    Writes one JSON file per episode, 'toy-<seed>-<scenario>.json'. Where the expert does not reach the goal the next scenario
    is taken. Ctrl-C leaves the episodes that are complete.
    """
    import gymnasium as gym

    import sb3_delta_waypoint  # noqa: F401 (registers the env)
    from sb3_delta_waypoint.episodes.recorder import record_episodes

    env = gym.make("ToyWaypoint-v0", **env_kwargs)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        paths = record_episodes(env, episodes, out, seed, progress=True, overwrite=overwrite)
    for warning in caught:
        click.echo(str(warning.message), err=True)
    click.echo(f"{len(paths)} episodes in {out}")
