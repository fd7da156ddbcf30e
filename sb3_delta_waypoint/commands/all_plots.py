"""``sb3-delta-waypoint all-plots``: algorithms and runs side by side."""

from pathlib import Path

import click

from sb3_delta_waypoint.commands.zoo_command import pictures_to, zoo_command


@zoo_command("all_plots")
@click.option("--picture", type=click.Path(dir_okay=False, path_type=Path), help="Write the plot here, and do not show it.")
def all_plots(picture: Path | None, arguments: tuple[str, ...]) -> None:
    """Plot the evaluations of several algorithms, and print their table, by default of PPO and GRPO on ToyWaypoint-v0 in
    logs/. -k successes plots the success rate instead of the reward.

    \b
    sb3-delta-waypoint all-plots -k successes --picture comparison.png
    sb3-delta-waypoint all-plots -a ppo grpo a2c trpo -f logs --no-million
    """
    from sb3_delta_waypoint import zoo

    pictures_to(picture)
    zoo.run_script("all_plots", ["-a", "ppo", "grpo", "-e", "ToyWaypoint-v0", "-f", "logs", *arguments])
