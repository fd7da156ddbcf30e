"""The option ``--show-planner`` of the commands that show a refined model driving."""

from sb3_delta_waypoint.commands.command import option

show_planner_option = option(
    "--show-planner/--hide-planner",
    default=True,
    help="Draw the plan of the frozen planner, too, beside the plan that is driven.  [default: show]",
)
