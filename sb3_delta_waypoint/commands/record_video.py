"""``sb3-delta-waypoint record-video``: a video of a trained model."""

from sb3_delta_waypoint.commands.trust_option import trust_option
from sb3_delta_waypoint.commands.zoo_command import zoo_command


@zoo_command("record_video")
@trust_option
def record_video(arguments: tuple[str, ...]) -> None:
    """Record a video of a trained model, by default of the latest run of ToyWaypoint-v0 in logs/, into its folder videos/.

    \b
    sb3-delta-waypoint record-video --algo ppo --load-best -n 300
    """
    from sb3_delta_waypoint import zoo

    zoo.run_script("record_video", ["--env", "ToyWaypoint-v0", "--folder", "logs", *arguments])
