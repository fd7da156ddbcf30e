"""``sb3-delta-waypoint record-video``: a video of a trained model."""

from sb3_delta_waypoint.commands.show_planner_option import show_planner_option
from sb3_delta_waypoint.commands.trust_option import trust_option
from sb3_delta_waypoint.commands.zoo_command import zoo_command


@zoo_command("record_video")
@show_planner_option
@trust_option
def record_video(show_planner: bool, arguments: list[str]) -> None:
    """Record a video of a trained model (.mp4), by default of the last model of the latest run: rl_zoo3 record_video.

    \b
    sb3-delta-waypoint record-video --load-best -n 300
    sb3-delta-waypoint record-video --algo ppo --hide-planner -o out/videos
    """
    from sb3_delta_waypoint import zoo

    zoo.run_script("record_video", arguments, show_planner)
