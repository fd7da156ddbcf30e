"""``sb3-delta-waypoint plot-train``: training curves."""

from pathlib import Path

from sb3_delta_waypoint.commands.zoo_command import picture_option, picture_to, zoo_command


@zoo_command("plot_train")
@picture_option
def plot_train(picture: Path | None, arguments: list[str]) -> None:
    """Plot the training curves of the runs of an algorithm: rl_zoo3 plot_train.

    \b
    sb3-delta-waypoint plot-train -y success --picture training.png
    """
    from sb3_delta_waypoint import zoo

    with picture_to(picture):
        zoo.run_script("plot_train", arguments)
