"""``sb3-delta-waypoint score``: do the scores of a recorded benchmark result follow from its infractions?"""

from collections import Counter
from pathlib import Path

import click

from sb3_delta_waypoint.commands.command import command, option

SHOWN = 20
"""Maximum number of disagreeing records that are listed."""


@command()
@click.argument("results", type=click.Path(path_type=Path))
@option(
    "--rules",
    default="bench2drive",
    show_default=True,
    type=click.Choice(["bench2drive", "leaderboard-2.0", "leaderboard-2.1"]),
    help="Whose rules the scores follow. leaderboard-2.0: penalties multiply; leaderboard-2.1: they add up; bench2drive: as "
    "2.0, without the minimum speed.",
)
def score(results: Path, rules: str) -> None:
    """
    Recompute the driving scores of a recorded result file.

    \b
    sb3-delta-waypoint score merged.json
    sb3-delta-waypoint score results.json --rules leaderboard-2.1

    RESULTS is a JSON file written by the CARLA leaderboard or Bench2Drive. Each penalty is recomputed from the record's
    infractions, each composed score from route completion and penalty. Prints the number of records that agree, the average
    driving score and Bench2Drive's success rate. A run that was aborted before it was scored (all scores are zero, although
    its infractions give another penalty) is reported as unscored. The exit code is 1 if anything else disagrees.
    """
    from rich import box
    from rich.table import Table

    from sb3_delta_waypoint.evaluation.leaderboard.driving_score import RULES
    from sb3_delta_waypoint.evaluation.leaderboard.result_file import average, check_averages, check_record, read_results
    from sb3_delta_waypoint.evaluation.report import console

    found = read_results(results)
    checks = [check_record(record, RULES[rules]) for record in found.records]
    counts = Counter[str](check.verdict for check in checks)
    averages = average(found.records, found.n_routes)
    wrong_averages = check_averages(found)

    table = Table(box=box.SIMPLE_HEAD, show_header=False, pad_edge=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_row("records", str(len(checks)))
    for verdict, style in (("agrees", "green"), ("unscored", "yellow"), ("disagrees", "red")):
        table.add_row(verdict, str(counts[verdict]), style=style if counts[verdict] else "dim")
    table.add_row("driving score", f"{averages['driving score']:.3f}")
    table.add_row("success rate", f"{averages['success rate']:.4f}")
    table.add_row("route completion", f"{averages['score_route']:.3f}")
    click.echo(f"{results} by the rules of {rules}")
    console().print(table)
    if len(checks) != found.n_routes:
        click.echo(f"{len(checks)} records for {found.n_routes} routes: the averages are over {found.n_routes}")
    others = [check for check in checks if check.verdict != "agrees"]
    for check in others[:SHOWN]:
        click.echo(f"{check.record.route_id}: {check.verdict}: {check.reason}")
    if len(others) > SHOWN:
        click.echo(f"… and {len(others) - SHOWN} more")
    for sentence in wrong_averages:
        click.echo(f"average: disagrees: {sentence}")
    click.echo(f"{counts['agrees']} of {len(checks)} records agree")

    if not counts["disagrees"] and not wrong_averages:
        return
    message = f"{counts['disagrees']} records and {len(wrong_averages)} averages disagree"
    for name, other in RULES.items():
        if counts["disagrees"] and all(check_record(record, other).verdict != "disagrees" for record in found.records):
            message += f"; all records follow --rules {name}"
    raise click.ClickException(f"{results}: {message}")
