"""``sb3-delta-waypoint record-video``: a video of a trained model, alone or beside its planner."""

from pathlib import Path

import click
from click.core import ParameterSource

from sb3_delta_waypoint.commands.command import option
from sb3_delta_waypoint.commands.planner_beside import planner_beside
from sb3_delta_waypoint.commands.scenario_options import chosen_scenarios
from sb3_delta_waypoint.commands.show_planner_option import show_planner_option
from sb3_delta_waypoint.commands.trust_option import trust_option
from sb3_delta_waypoint.commands.zoo_command import zoo_command
from sb3_delta_waypoint.evaluation.seeds import REPORT_SEED

BESIDE = "Planner and refined model beside one another"
OF_BESIDE = ("rl", "sft", "scenario", "out")
OF_BOTH = ("env", "env_kwargs", "seed", "show_planner")


@zoo_command("record_video")
@show_planner_option
@trust_option
@option(
    "--rl",
    type=click.Path(path_type=Path),
    section=BESIDE,
    help="The refined model (.zip): drives one scenario in step with its planner, each in an env of its own. Of the other "
    "options, --env, --env-kwargs, --seed and --hide-planner hold here, too.",
)
@option(
    "--sft",
    type=click.Path(path_type=Path),
    metavar="FILE|MODULE:CLASS",
    section=BESIDE,
    help="Another planner than the one inside --rl.",
)
@option(
    "--scenario",
    default=0,
    show_default=True,
    type=click.IntRange(min=0),
    section=BESIDE,
    help="Number of the scenario, by default of those that compare drives.",
)
@option(
    "--out",
    default="out/side_by_side.gif",
    show_default=True,
    type=click.Path(dir_okay=False, path_type=Path),
    section=BESIDE,
    help="The video, .gif, or .mp4 where imageio-ffmpeg is installed.",
)
def record_video(
    show_planner: bool, arguments: list[str], rl: Path | None, sft: Path | None, scenario: int, out: Path
) -> None:
    """Record a video of a trained model (.mp4), by default of the last model of the latest run: rl_zoo3 record_video.
    With --rl: of planner and refined model beside one another in one scenario.

    \b
    sb3-delta-waypoint record-video --load-best -n 300
    sb3-delta-waypoint record-video --algo ppo --hide-planner -o out/videos
    sb3-delta-waypoint record-video --rl best_model.zip --scenario 7 \\
        --out drive.gif
    """
    ctx = click.get_current_context()
    given = [
        param for param in ctx.command.params if ctx.get_parameter_source(param.name or "") is not ParameterSource.DEFAULT
    ]
    if rl is None:
        for param in given:
            if param.name in OF_BESIDE:
                raise click.UsageError(f"{param.opts[-1]} is for a video of two: give --rl, too, the refined model")
        from sb3_delta_waypoint import zoo

        zoo.run_script("record_video", arguments, show_planner)
        return
    for param in given:
        if param.name not in (*OF_BESIDE, *OF_BOTH) and param.expose_value:
            raise click.UsageError(f"{param.opts[-1]} does not go with --rl, which names the model to film")
    import torch

    from sb3_delta_waypoint.evaluation.film import film_side_by_side
    from sb3_delta_waypoint.evaluation.rollout import BatchPolicy
    from sb3_delta_waypoint.policies.inference import WaypointPolicy
    from sb3_delta_waypoint.rendering.video import check_video_file

    check_video_file(out)
    # a second thread does not speed up networks this small
    torch.set_num_threads(1)
    seed = ctx.params["seed"] if ctx.get_parameter_source("seed") is not ParameterSource.DEFAULT else REPORT_SEED
    refined = WaypointPolicy(rl)
    policies: dict[str, BatchPolicy] = {"planner": planner_beside(refined, rl, sft), "refined": refined}
    chosen = chosen_scenarios(refined, ctx.params["env"], None, ctx.params["env_kwargs"], 1, seed, 1)
    click.echo(film_side_by_side(policies, chosen.env_id, chosen.env_kwargs, seed, scenario, out, show_planner))
