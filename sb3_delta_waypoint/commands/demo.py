"""``sb3-delta-waypoint demo``: the whole pipeline in one command."""

from pathlib import Path

import click

from sb3_delta_waypoint.commands.command import command, option, out_option
from sb3_delta_waypoint.zoo.options import ALGORITHM, ALGORITHMS


@command()
@out_option("out/demo", "Folder for everything that is written.")
@option("--demonstrations", default=5, show_default=True, type=click.IntRange(min=1), help="Episodes to clone from.")
@option("--routes", metavar="PATH", help="Train on this OpenDRIVE map ('Town01.xodr').  [default: random smooth curvature]")
@option("--eval-routes", multiple=True, metavar="PATH…", help="Evaluate on these maps as well, each in a folder of its own.")
@option(
    "--algo",
    default=ALGORITHM,
    show_default=True,
    type=click.Choice(list(ALGORITHMS)),
    metavar="NAME",
    help=f"Algorithm that refines the planner: {', '.join(ALGORITHMS)}.",
)
@option("--timesteps", type=click.IntRange(min=1), help="Env steps of refinement.  [default: the algorithm's yaml]")
@option("--episodes", default=1000, show_default=True, type=click.IntRange(min=1), help="Held-out scenarios.")
@option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Of everything random.")
def demo(
    out: Path,
    demonstrations: int,
    routes: str | None,
    eval_routes: tuple[str, ...],
    algo: str,
    timesteps: int | None,
    episodes: int,
    seed: int,
) -> None:
    """
    Record demonstrations, clone a planner, refine it, compare the two on held-out scenarios. The refined model is the
    checkpoint with the best success rate during training; ties are broken by route completion, then by lateral deviation.
    Ctrl-C and SIGTERM keep what is complete.

    \b
    sb3-delta-waypoint demo --out out/demo
    sb3-delta-waypoint demo --routes Town01.xodr --demonstrations 15 \\
        --eval-routes Town02.xodr --out out/towns
    """
    from sb3_delta_waypoint.demo import DemoSettings, run_demo

    try:
        run_demo(DemoSettings(out, demonstrations, routes, eval_routes, algo, timesteps, episodes, seed))
    except KeyboardInterrupt as interrupt:
        kept = f"what is complete is in {out}" if out.exists() else "nothing was written yet"
        raise KeyboardInterrupt(str(interrupt) or f"Interrupted; {kept}") from None
