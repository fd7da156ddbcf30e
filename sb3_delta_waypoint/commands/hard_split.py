"""``sb3-delta-waypoint hard-split``: the scenarios in which other planners fail."""

from pathlib import Path
from typing import Any

import click

from sb3_delta_waypoint.commands.command import command, option
from sb3_delta_waypoint.commands.scenario_options import HARD, chosen_scenarios, scenario_options
from sb3_delta_waypoint.commands.trust_option import trust_option
from sb3_delta_waypoint.evaluation.seeds import REPORT_SEED


@command()
@option(
    "--models",
    required=True,
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE…",
    help="The planners (.pt) or models (.zip) that decide; none of them is to be evaluated on the split.",
)
@option("--at-least", default=2, show_default=True, type=click.IntRange(min=1), help="How many of them must fail.")
@option(
    "--out",
    default=HARD,
    show_default=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="File for the list of scenarios.",
)
@scenario_options(episodes=5000, seed=REPORT_SEED)
@trust_option
def hard_split(models: tuple[Path, ...], at_least: int, out: Path, **scenarios: Any) -> None:
    """
    List the scenarios in which at least two of three planners fail: they collide at fault, or score below 50.

    \b
    sb3-delta-waypoint hard-split --models a.pt b.pt c.pt \\
        --env TrafficWaypoint-v0
    sb3-delta-waypoint evaluate --model best.zip --hard

    The planners are trained like the one to be evaluated, with other seeds. Chosen by the planner itself, any change would
    look like progress.
    """
    if at_least > len(models):
        raise click.UsageError(f"--at-least {at_least}: there are only {len(models)} --models")
    import torch

    from sb3_delta_waypoint.evaluation.hard_split import hard_numbers, save_scenarios
    from sb3_delta_waypoint.policies.inference import WaypointPolicy

    # a second thread does not speed up networks this small
    torch.set_num_threads(1)
    policies = [WaypointPolicy(model) for model in models]
    results = []
    for policy in policies:
        chosen = chosen_scenarios(policy, **scenarios)
        results.append(chosen.evaluate(policy, progress=True))
    numbers = hard_numbers(results, at_least)
    if not numbers:
        few = f"{at_least} of the {len(models)} models"
        raise click.ClickException(f"in none of {chosen.n} scenarios {few} fail: nothing written")
    click.echo(f"{len(numbers)} of {chosen.n} scenarios are hard")
    click.echo(save_scenarios(out, chosen, numbers, models))
