"""``sb3-delta-waypoint compare``: is the refined policy better than its planner?"""

from pathlib import Path
from typing import Any

import click

from sb3_delta_waypoint.commands.command import command, option, out_option
from sb3_delta_waypoint.commands.planner_beside import planner_beside
from sb3_delta_waypoint.commands.scenario_options import chosen_scenarios, report_options, scenario_options, wants_reference
from sb3_delta_waypoint.commands.trust_option import trust_option
from sb3_delta_waypoint.evaluation.seeds import REPORT_SEED


@command()
@option(
    "--sft",
    type=click.Path(path_type=Path),
    metavar="FILE|MODULE:CLASS",
    help="The planner (.pt, or an import path such as my_planners:Planner), or its stored predictions (.json).  "
    "[default: the planner inside --rl]",
)
@option("--rl", required=True, type=click.Path(path_type=Path), help="The refined model (.zip), or its predictions (.json).")
@out_option("out/comparison", "Folder for comparison.json, comparison.md and the plots.")
@scenario_options(episodes=1000, seed=REPORT_SEED)
@report_options
@trust_option
def compare(sft: Path | None, rl: Path, out: Path, reference: bool | None, **scenarios: Any) -> None:
    """
    Compare a planner with its refinement, paired on the same scenarios, or two files of predictions on the same frames.

    \b
    sb3-delta-waypoint compare --rl best_model.zip
    sb3-delta-waypoint compare --sft out/sft/model.pt --rl best_model.zip
    sb3-delta-waypoint compare --sft sft_predictions.json \\
        --rl rl_predictions.json

    Reports mean, median, interquartile mean and 95% bootstrap intervals of each metric and of the paired difference. Models
    drive scenarios that neither training nor selection uses with the default seeds.
    """
    import torch

    from sb3_delta_waypoint.evaluation import compare as comparing
    from sb3_delta_waypoint.evaluation.predictions import pair, read_predictions
    from sb3_delta_waypoint.evaluation.report import comparison_table, console, write_report
    from sb3_delta_waypoint.evaluation.side_by_side import compare_on_scenarios
    from sb3_delta_waypoint.policies.inference import WaypointPolicy

    if rl.suffix == ".json" or (sft is not None and sft.suffix == ".json"):
        if sft is None or sft.suffix != ".json" or rl.suffix != ".json":
            raise click.UsageError("predictions are compared with predictions: give --sft and --rl both as .json files")
        before, after = pair(read_predictions(sft), read_predictions(rl))
        comparison = comparing.compare(before.metrics(), after.metrics())
        files = write_report(comparison, out, before.dt)
    else:
        # a second thread does not speed up networks this small
        torch.set_num_threads(1)
        refined = WaypointPolicy(rl)
        planner = planner_beside(refined, rl, sft)
        chosen = chosen_scenarios(refined, **scenarios)
        comparison, files = compare_on_scenarios(
            planner, refined, chosen, out, progress=True, reference=wants_reference(reference, chosen)
        )
    show = console()
    show.print(comparison_table(comparison))
    show.print(comparison["verdict"], highlight=False)
    for file in files:
        click.echo(file)
