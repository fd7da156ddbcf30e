"""``sb3-delta-waypoint plot-train``: training curves."""

from pathlib import Path

import click

from sb3_delta_waypoint.commands.zoo_command import pictures_to, zoo_command


@zoo_command("plot_train")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the picture here, and do not show it.")
def plot_train(output: Path | None, arguments: tuple[str, ...]) -> None:
    """Plot the training curves of runs, by default of all runs of PPO on ToyWaypoint-v0 in logs/.

    \b
    sb3-delta-waypoint plot-train -y success --output training.png
    """
    from sb3_delta_waypoint import zoo

    pictures_to(output)
    zoo.run_script("plot_train", ["--algo", "ppo", "--env", "ToyWaypoint-v0", "--exp-folder", "logs", *arguments])
