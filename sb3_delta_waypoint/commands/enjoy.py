"""``sb3-delta-waypoint enjoy``: watch a trained model drive."""

from sb3_delta_waypoint.commands.trust_option import trust_option
from sb3_delta_waypoint.commands.zoo_command import zoo_command


@zoo_command("enjoy")
@trust_option
def enjoy(arguments: tuple[str, ...]) -> None:
    """Watch a trained model drive, by default the latest run of ToyWaypoint-v0 in logs/.

    \b
    sb3-delta-waypoint enjoy --algo ppo --load-best
    sb3-delta-waypoint enjoy --algo ppo --load-checkpoint 100000 --no-render
    """
    from sb3_delta_waypoint import zoo

    zoo.run_script("enjoy", ["--env", "ToyWaypoint-v0", "--folder", "logs", *arguments])
