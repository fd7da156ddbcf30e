"""``sb3-delta-waypoint select``: the best of several checkpoints."""

import glob
import re
from pathlib import Path
from typing import Any

import click

from sb3_delta_waypoint.commands.command import command, option
from sb3_delta_waypoint.commands.criterion_options import criterion_options
from sb3_delta_waypoint.commands.scenario_options import chosen_scenarios, scenario_options
from sb3_delta_waypoint.commands.trust_option import trust_option
from sb3_delta_waypoint.evaluation.seeds import SELECTION_SEED
from sb3_delta_waypoint.zoo.options import ALGORITHM, LOG_FOLDER


@command()
@option(
    "--checkpoints",
    default=f"{LOG_FOLDER}/{ALGORITHM}/**/rl_model_*_steps.zip",
    show_default=True,
    metavar="GLOB",
    help="The checkpoints, quoted; ** goes through all folders below.",
)
@criterion_options("What to rank by", "Needed with --eval-data.")
@option(
    "--eval-data",
    metavar="GLOB",
    help="Rank by open-loop errors on recorded episodes, quoted: 'out/episodes/**/*.json', instead of driving.",
)
@option("--output-best", type=click.Path(dir_okay=False, path_type=Path), help="Copy the best checkpoint to this file.")
@scenario_options(episodes=256, seed=SELECTION_SEED)
@trust_option
def select(
    checkpoints: str,
    metric: str | None,
    constraints: tuple[str, ...],
    eval_data: str | None,
    output_best: Path | None,
    **scenarios: Any,
) -> None:
    """
    Pick the best of several checkpoints by a metric, under constraints on others.

    \b
    sb3-delta-waypoint select --output-best out/best.zip
    sb3-delta-waypoint select --checkpoints 'out/logs/**/*_steps.zip' \\
        --metric ade --where 'success_rate>=0.9'

    Ties are broken by route completion, then by lateral deviation, then in favour of the earliest checkpoint. A checkpoint
    that cannot be read is skipped with a warning. If none meets the constraints, nothing is written and the exit code is 1.
    Results on the scenarios of the selection are biased: report on others ('compare' has another default seed).
    """
    if metric is None and eval_data is not None:
        raise click.UsageError("--eval-data needs --metric: recorded frames have errors (ade, fde), but no success rate")
    import torch
    from tqdm import tqdm

    from sb3_delta_waypoint.episodes.reader import read_episodes
    from sb3_delta_waypoint.evaluation import selection
    from sb3_delta_waypoint.evaluation.open_loop import evaluate_open_loop, open_loop_name
    from sb3_delta_waypoint.evaluation.panel import behaviours_of
    from sb3_delta_waypoint.evaluation.report import console, selection_table
    from sb3_delta_waypoint.evaluation.statistics import means
    from sb3_delta_waypoint.files import write_atomically
    from sb3_delta_waypoint.policies.inference import WaypointPolicy

    where = selection.parse_where(constraints)
    metric = metric or selection.default_metric(bool(behaviours_of(scenarios["env_id"])))
    if eval_data is not None:
        metric, where = open_loop_name(metric), {open_loop_name(name): bound for name, bound in where.items()}
    selection.check_criterion(metric, where)
    paths = sorted(glob.glob(checkpoints, recursive=True), key=_by_number)
    if not paths:
        raise FileNotFoundError(f"no checkpoint matches '{checkpoints}'")

    # a second thread does not speed up networks this small
    torch.set_num_threads(1)
    episodes = None if eval_data is None else read_episodes(eval_data, progress=True)[0]
    readable: list[str] = []
    damaged: list[str] = []
    evaluations: list[dict[str, float]] = []
    for path in tqdm(paths, unit="checkpoint", leave=False, disable=None):
        try:
            policy = WaypointPolicy(path)
        except (ValueError, OSError) as error:
            damaged.append(str(error))
            click.echo(f"skipped: {error}", err=True)
            continue
        if episodes is None:
            metrics = chosen_scenarios(policy, **scenarios).evaluate(policy)
        else:
            metrics = evaluate_open_loop(policy, episodes)
        selection.check_criterion(metric, where, metrics)
        evaluations.append(means(metrics))
        readable.append(path)

    if damaged and not readable:
        raise click.ClickException(f"none of the {len(paths)} files that match '{checkpoints}' can be read: {damaged[0]}")
    best = selection.select(evaluations, metric, where)
    console().print(selection_table(readable, evaluations, metric, where, best))
    if best is None:
        raise click.ClickException(
            f"none of the {len(readable)} checkpoints meets {selection.describe_where(where)}"
            + ": nothing written" * bool(output_best)
        )
    click.echo(f"best: {readable[best]} (by {selection.describe_criterion(metric, where)})")
    if output_best is not None:
        click.echo(write_atomically(output_best, Path(readable[best]).read_bytes()))


def _by_number(path: str) -> list[tuple[int, str]]:
    """Return a sort key by which 9,000 steps come before 10,000."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path)]
