"""``sb3-delta-waypoint evaluate``: evaluation of one policy, closed loop or open loop."""

from pathlib import Path
from typing import Any

import click

from sb3_delta_waypoint.commands.command import command, option
from sb3_delta_waypoint.commands.scenario_options import chosen_scenarios, report_options, scenario_options, wants_reference
from sb3_delta_waypoint.commands.trust_option import trust_option
from sb3_delta_waypoint.evaluation.seeds import REPORT_SEED, SELECTION_SEED


@command()
@option(
    "--model",
    type=click.Path(path_type=Path),
    metavar="FILE|MODULE:CLASS",
    help="A planner (.pt, or an import path such as my_planners:Planner) or a trained model (.zip).",
)
@option("--predictions", type=click.Path(path_type=Path), help="Stored waypoint predictions (.json) instead of a model.")
@option(
    "--episodes-glob",
    metavar="GLOB",
    help="Evaluate the model open loop on recorded episodes, quoted: 'out/episodes/**/*.json', instead of driving.",
)
@option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write the statistics to this JSON file.")
@option("--panel", is_flag=True, help="Drive the scenarios under every behaviour of others that the env knows.")
@option(
    "--failed",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the numbers of the scenarios without success to this JSON file, which train --env-kwargs "
    "hard_scenarios:FILE mixes into training.",
)
@scenario_options(episodes=1000, seed=REPORT_SEED)
@report_options
@trust_option
def evaluate(
    model: Path | None,
    predictions: Path | None,
    episodes_glob: str | None,
    out: Path | None,
    panel: bool,
    reference: bool | None,
    failed: Path | None,
    **scenarios: Any,
) -> None:
    """
    Evaluate a planner or a trained model: mean, median, interquartile mean and 95% interval of every metric.

    \b
    sb3-delta-waypoint evaluate --model out/sft/model.pt --out metrics.json
    sb3-delta-waypoint evaluate --model best.zip \\
        --episodes-glob 'out/episodes/**/*.json'
    sb3-delta-waypoint evaluate --predictions predictions.json
    sb3-delta-waypoint evaluate --model best.zip \\
        --env TrafficWaypoint-v0 --panel
    """
    if (model is None) == (predictions is None):
        raise click.UsageError("give either --model or --predictions")
    if predictions is not None and episodes_glob is not None:
        raise click.UsageError("--predictions brings its own frames: leave out --episodes-glob")
    if panel and (predictions is not None or episodes_glob is not None):
        raise click.UsageError("--panel is about driving: leave out --predictions and --episodes-glob")
    if failed is not None:
        if predictions is not None or episodes_glob is not None:
            raise click.UsageError("--failed names scenarios, and only driving plays them: leave it out")
        if scenarios["seed"] in (SELECTION_SEED, REPORT_SEED):
            raise click.UsageError(
                f"--failed: scenarios of seed {scenarios['seed']} are for selection or results, not for training: give "
                "another --seed"
            )
        if "hard_scenarios" in dict(scenarios["env_kwargs"]):
            raise click.UsageError("--failed: with hard_scenarios, numbers are not those of the scenarios of --seed")
    import numpy as np
    import torch

    from sb3_delta_waypoint.envs.hard_scenarios import write_hard_scenarios
    from sb3_delta_waypoint.episodes.reader import read_episodes
    from sb3_delta_waypoint.evaluation import panel as panels
    from sb3_delta_waypoint.evaluation.open_loop import evaluate_open_loop
    from sb3_delta_waypoint.evaluation.predictions import read_predictions
    from sb3_delta_waypoint.evaluation.reference import reference_metrics, with_times
    from sb3_delta_waypoint.evaluation.report import console, panel_table, summary_table
    from sb3_delta_waypoint.evaluation.statistics import summarise_all
    from sb3_delta_waypoint.files import write_json
    from sb3_delta_waypoint.policies.inference import WaypointPolicy

    # a second thread does not speed up networks this small
    torch.set_num_threads(1)
    described: dict[str, Any] = {"model": model} if predictions is None else {"predictions": predictions}
    by_behaviour = {}
    if predictions is not None:
        metrics = read_predictions(predictions).metrics()
    else:
        policy = WaypointPolicy(model)
        if episodes_glob is not None:
            episodes, _ = read_episodes(episodes_glob, policy.horizon_steps, progress=True)
            metrics = evaluate_open_loop(policy, episodes)
            described["episodes"] = episodes_glob
        else:
            chosen = chosen_scenarios(policy, **scenarios)
            for behaviour, played in (panels.panel(chosen) if panel else {"": chosen}).items():
                metrics = played.evaluate(policy, progress=True)
                if wants_reference(reference, chosen):
                    metrics = with_times(metrics, reference_metrics(played, progress=True))
                by_behaviour[behaviour] = metrics
            described |= {"env": chosen.env_id, "env_kwargs": chosen.env_kwargs, "seed": chosen.seed}
            if chosen.numbers is not None:
                described["scenarios"] = chosen.numbers
            if chosen.backend is not None:
                described["backend"] = chosen.backend
    n = len(next(iter(metrics.values())))
    title = f"{model or predictions}: {n} {'scenarios' if 'env' in described else 'episodes, open loop'}"
    if panel:
        parts = {behaviour: summarise_all(metrics) for behaviour, metrics in by_behaviour.items()}
        summaries = panels.summarise_panel(by_behaviour)
        described["behaviours"] = parts
        console().print(panel_table(parts, summaries, f"{title} under each behaviour"))
    else:
        summaries = summarise_all(metrics)
        console().print(summary_table(summaries, title))
    if failed is not None:
        numbers = np.flatnonzero(metrics["success_rate"] < 1.0)
        if len(numbers):
            click.echo(write_hard_scenarios(failed, scenarios["seed"], numbers))
        else:
            click.echo(f"no scenario failed, and {failed} is not written")
    if out is not None:
        click.echo(write_json(out, {**described, "n_scenarios": n, "metrics": summaries}))
