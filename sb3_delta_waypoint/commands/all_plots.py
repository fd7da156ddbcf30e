"""``sb3-delta-waypoint all-plots``: algorithms and runs side by side."""

import io
import pickle
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import click

from sb3_delta_waypoint.commands.zoo_command import picture_option, picture_to, zoo_command
from sb3_delta_waypoint.zoo.algorithms import ALGORITHMS


@zoo_command("all_plots")
@picture_option
def all_plots(picture: Path | None, arguments: list[str]) -> None:
    """Plot the evaluations of algorithms side by side, and print a table of the last ones: rl_zoo3 all_plots.

    \b
    sb3-delta-waypoint all-plots -k successes --picture comparison.png
    sb3-delta-waypoint all-plots -a ppo grpo -f out/logs --no-million

    The table shows the mean over runs and, if there are several, its standard error.
    """
    from matplotlib import pyplot as plt

    from sb3_delta_waypoint import zoo

    options: Mapping[str, Any] = click.get_current_context().params
    algorithms = [] if options["algos"] else ["-a", *_with_runs(options["exp_folders"])]
    with picture_to(picture):
        # rl_zoo3's table rounds to whole numbers and shows missing runs as 0, so its numbers are read from the file it writes
        with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()) as printed:
            output = options["output"] or f"{folder}/results"
            try:
                zoo.run_script("all_plots", [*algorithms, *arguments, "-o", output, "--no-display"])
            except KeyError as error:
                if options["key"] not in str(error):
                    raise
                message = (
                    f"-k {options['key']}: evaluations.npz holds no such values; common are results, ep_lengths, successes"
                )
                raise click.ClickException(message) from error
            results = pickle.loads(Path(f"{output}.pkl").read_bytes())
        for line in printed.getvalue().splitlines():
            if folder not in line and not line.startswith(("|", "# results_table")):
                click.echo(line)
        click.echo(_table(results, options["median"]))
        if not options["no_display"]:
            plt.show()


def _with_runs(folders: Sequence[str]) -> list[str]:
    """Return the algorithms of this package that have runs, or all of them if none has."""
    return [algo for algo in ALGORITHMS if any(Path(folder, algo).is_dir() for folder in folders)] or list(ALGORITHMS)


def _table(results: Mapping[str, Any], median: bool) -> str:
    """Return a Markdown table of the last evaluations, with a row per env and a column per algorithm and folder."""
    from pytablewriter import MarkdownTableWriter

    _, *algorithms = results["results_table"]["headers"]
    (_, *labels), *rows = results["results_table"]["value_matrix"]
    names = [f"{algorithm}-{label}" for algorithm, label in zip(algorithms, labels, strict=True)]
    cells = [[env_id, *(_cell(results[env_id].get(name), median) for name in names)] for env_id, *_ in rows]
    writer = MarkdownTableWriter(headers=["", *algorithms], value_matrix=[["", *labels], *cells])
    return str(writer.dumps())


def _cell(evaluations: Mapping[str, Any] | None, median: bool) -> str:
    """Return the last evaluation of all runs as text, with the standard error if there are several runs."""
    import numpy as np

    if evaluations is None:
        return "–"
    runs = evaluations["mean_per_eval"][-1]
    middle = f"{np.median(runs) if median else np.mean(runs):.3f}"
    return middle if median or len(runs) == 1 else f"{middle} ± {np.std(runs, ddof=1) / np.sqrt(len(runs)):.3f}"
