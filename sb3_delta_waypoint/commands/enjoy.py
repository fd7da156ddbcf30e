"""``sb3-delta-waypoint enjoy``: watch a trained model drive."""

from sb3_delta_waypoint.commands.show_planner_option import show_planner_option
from sb3_delta_waypoint.commands.trust_option import trust_option
from sb3_delta_waypoint.commands.zoo_command import zoo_command


@zoo_command("enjoy")
@show_planner_option
@trust_option
def enjoy(show_planner: bool, arguments: list[str]) -> None:
    """Watch a trained model drive: rl_zoo3 enjoy, by default with the last model of the latest run.

    \b
    sb3-delta-waypoint enjoy --load-best
    sb3-delta-waypoint enjoy --algo ppo --load-checkpoint 100000 --no-render
    """
    from sb3_delta_waypoint import zoo

    zoo.run_script("enjoy", arguments, show_planner)
