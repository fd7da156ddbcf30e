"""``sb3-delta-waypoint all-plots``: algorithms and runs side by side."""

import argparse
import io
import pickle
import tempfile
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

import click
import numpy as np

from sb3_delta_waypoint.commands.zoo_command import pictures_to, zoo_command


@zoo_command("all_plots")
@click.option("--picture", type=click.Path(dir_okay=False, path_type=Path), help="Write the plot here, and do not show it.")
def all_plots(picture: Path | None, arguments: tuple[str, ...]) -> None:
    """Plot the evaluations of several algorithms, and print their table, by default of PPO and GRPO on ToyWaypoint-v0 in
    logs/. -k successes plots the success rate instead of the reward. The table shows the last evaluation, mean over runs, with
    its standard error where there are several.

    \b
    sb3-delta-waypoint all-plots -k successes --picture comparison.png
    sb3-delta-waypoint all-plots -a ppo grpo a2c trpo -f logs --no-million
    """
    import pytablewriter
    from matplotlib import pyplot as plt

    from sb3_delta_waypoint import zoo

    pictures_to(picture)
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("-k", "--key", default="results")
    parser.add_argument("-o", "--output")
    parser.add_argument("-median", "--median", action="store_true")
    parser.add_argument("--no-display", action="store_true")
    options = parser.parse_known_args(arguments)[0]

    # rl_zoo3's table rounds to whole numbers and shows what was not run as 0: its numbers are in the file that it can write
    tables: list[pytablewriter.MarkdownTableWriter] = []
    defaults = ["-a", "ppo", "grpo", "-e", "ToyWaypoint-v0", "-f", "logs"]
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()) as printed:
        output = options.output or f"{folder}/results"
        with patch.object(pytablewriter.MarkdownTableWriter, "write_table", lambda table: tables.append(table)):
            try:
                zoo.run_script("all_plots", [*defaults, *arguments, "-o", output, "--no-display"])
            except KeyError as error:
                if options.key not in str(error):
                    raise
                message = f"-k {options.key}: evaluations.npz holds no such values; common are results, ep_lengths, successes"
                raise click.ClickException(message) from error
        results = pickle.loads(Path(f"{output}.pkl").read_bytes())
    for line in printed.getvalue().splitlines():
        if folder not in line:
            click.echo(line)
    for table in tables:
        _, *algorithms = table.headers
        (_, *labels), *rows = table.value_matrix
        names = [f"{algorithm}-{label}" for algorithm, label in zip(algorithms, labels, strict=True)]
        cells = [[env_id, *(_cell(results[env_id].get(name), options.median) for name in names)] for env_id, *_ in rows]
        table.value_matrix = [["", *labels], *cells]
        click.echo(table.dumps())
    if not options.no_display:
        plt.show()


def _cell(evaluations: Mapping[str, Any] | None, median: bool) -> str:
    """The last evaluation of all runs; of one run alone there is no standard error."""
    if evaluations is None:
        return "–"
    runs = evaluations["mean_per_eval"][-1]
    middle = f"{np.median(runs) if median else np.mean(runs):.3f}"
    return middle if median or len(runs) == 1 else f"{middle} ± {np.std(runs, ddof=1) / np.sqrt(len(runs)):.3f}"
