"""``sb3-delta-waypoint carla-eval``: closed-loop evaluation in CARLA or the loopback server."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from sb3_delta_waypoint.commands.command import command, env_kwargs_option, option
from sb3_delta_waypoint.commands.planner_beside import planner_beside
from sb3_delta_waypoint.commands.trust_option import trust_option
from sb3_delta_waypoint.evaluation.seeds import REPORT_SEED

SMOKE_LENGTH = 20.0
"""Metres."""


@command()
@option(
    "--checkpoint",
    required=True,
    type=click.Path(path_type=Path),
    help="A refined model (.zip), which is driven beside its planner, or a planner (.pt).",
)
@option("--sft", type=click.Path(path_type=Path), help="Another planner (.pt) than the one inside --checkpoint.")
@option(
    "--output-dir",
    default="out/carla",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for metrics.json and scenario_<name>.json. What is done there is not driven again.",
)
@option("--scenarios", multiple=True, metavar="NAME…", help="Scenarios of the suite; several may follow.  [default: all]")
@option("--suite", type=click.Path(path_type=Path), help="A suite of your own (.yml).  [default: the one described above]")
@option(
    "--routes",
    type=click.Path(path_type=Path),
    help="Drive a file of routes instead of a suite: leaderboard 1.0, 2.0 or Bench2Drive (.xml), or .json; those in the town.",
)
@option(
    "--town",
    metavar="MAP",
    help="A map that the server has, by name, or an OpenDRIVE file.  [default: the one that is loaded]",
)
@option("--episodes", type=click.IntRange(min=1), help="Episodes per scenario.  [default: 20; with --routes one each]")
@option(
    "--seed",
    default=REPORT_SEED,
    show_default=True,
    type=click.IntRange(min=0),
    help="Base seed of the routes that are drawn.",
)
@option(
    "--host", metavar="NAME", help="Of a running server.  [default: localhost with --port, else a loopback server is started]"
)
@option("--port", type=click.IntRange(1, 65535), help="Of a running server.  [default: 2000 with --host]")
@option(
    "--timeout",
    default=10.0,
    show_default=True,
    type=click.FloatRange(min=0.1),
    metavar="SECONDS",
    help="Longest wait for the server.",
)
@env_kwargs_option()
@option("--smoke", is_flag=True, help="Only see whether everything works: one episode of 20 m, results in a folder 'smoke'.")
@trust_option
def carla_eval(
    checkpoint: Path,
    sft: Path | None,
    output_dir: Path,
    scenarios: tuple[str, ...],
    suite: Path | None,
    routes: Path | None,
    town: str | None,
    episodes: int | None,
    seed: int,
    host: str | None,
    port: int | None,
    timeout: float,
    env_kwargs: tuple[tuple[str, Any], ...],
    smoke: bool,
) -> None:
    """
    Drive a model closed loop, a refined one beside its planner, paired on the same episodes.

    \b
    sb3-delta-waypoint carla-eval --checkpoint best_model.zip
    sb3-delta-waypoint carla-eval --checkpoint best_model.zip \\
        --scenarios straight_night turn_clear --output-dir out/night
    sb3-delta-waypoint carla-eval --checkpoint best_model.zip \\
        --host localhost --town Town01 --output-dir out/town01
    sb3-delta-waypoint carla-eval --checkpoint model.pt \\
        --routes longest6.xml --town Town01.xodr --output-dir out/longest6

    Without --host and --port it starts a loopback server, a kinematic stand-in: its results say "backend": "loopback", and are
    not results of CARLA. The suite: straight_clear, straight_cloudy, straight_night, straight_rain, turn_clear, on routes of
    100 m that are drawn by seed. Of route files, the routes and their weather at the start are used, not the scenarios.

    An interrupted evaluation is continued by running the same command again. Episodes that the server aborts do not count and
    are driven again. The exit code is 1 if some episodes could not be driven.
    """
    import torch

    from sb3_delta_waypoint.carla_bridge.errors import CarlaError
    from sb3_delta_waypoint.evaluation.carla.closed_loop import evaluate_closed_loop
    from sb3_delta_waypoint.evaluation.carla.report import closed_loop_table
    from sb3_delta_waypoint.evaluation.carla.results import ResultFolder
    from sb3_delta_waypoint.evaluation.carla.suite import CarlaScenario, choose, read_suite
    from sb3_delta_waypoint.evaluation.report import console

    if suite is not None and routes is not None:
        raise click.UsageError("give either --suite or --routes")
    # a second thread does not speed up networks this small
    torch.set_num_threads(1)
    known = [CarlaScenario(routes.stem, routes=routes)] if routes is not None else read_suite(suite)
    chosen = choose(known, scenarios)
    changes: dict[str, Any] = {} if episodes is None else {"episodes": episodes}
    env_changes: dict[str, Any] = dict(env_kwargs) | ({} if town is None else {"town": _town(town)})
    if smoke:
        chosen, output_dir, changes["episodes"] = chosen[:1], output_dir / "smoke", 1
        env_changes["route_length"] = SMOKE_LENGTH
    chosen = [replace(scenario, env={**scenario.env, **env_changes}, **changes) for scenario in chosen]

    drivers, models = _drivers(checkpoint, sft)
    own = host is None and port is None
    run = {**models, "seed": seed, "server": "the command's own" if own else "a running one"}
    results = ResultFolder(output_dir, run, chosen, list(drivers.policies), fresh=smoke)
    before = sum(len(found.episodes) for found in results.scenarios.values())
    server = {"timeout": timeout} if own else {"host": host, "port": port, "timeout": timeout}
    try:
        content = evaluate_closed_loop(drivers, chosen, results, server, progress=True)
    except (CarlaError, KeyboardInterrupt) as error:
        kept = sum(len(found.episodes) for found in results.scenarios.values())
        hint = (
            f"{kept} episodes are in {output_dir}: the same command goes on from there" if kept else "nothing was driven yet"
        )
        if isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt(f"Interrupted; {hint}.") from None
        raise click.ClickException(f"{error}; {hint}") from error

    show = console()
    show.print(closed_loop_table(content))
    if "comparison" in content["overall"]:
        show.print(content["overall"]["comparison"]["verdict"], highlight=False)
    if before:
        click.echo(f"{before} episodes were there already.")
    click.echo(output_dir / "metrics.json")
    faults = [fault for scenario in chosen for fault in results.scenarios[scenario.name].faults]
    if faults:
        raise click.ClickException(
            f"{len(faults)} episodes could not be driven: {faults[0]['fault']}; the same command tries them again"
        )


def _town(town: str) -> str:
    """Return the name of a map, or the path of an OpenDRIVE file."""
    if not town.endswith(".xodr"):
        return town
    path = Path(town)
    if not path.is_file():
        raise FileNotFoundError(f"--town: there is no OpenDRIVE file {town}")
    return str(path.resolve())


def _drivers(checkpoint: Path, sft: Path | None) -> tuple[Any, dict[str, Any]]:
    """Return the policies that drive, and a description of their files."""
    from sb3_delta_waypoint.evaluation.carla.closed_loop import Drivers
    from sb3_delta_waypoint.evaluation.carla.suite import sha256
    from sb3_delta_waypoint.policies.delta_policy import DeltaWaypointPolicy
    from sb3_delta_waypoint.policies.inference import WaypointPolicy

    def described(path: Path) -> dict[str, str]:
        return {"file": path.name, "sha256": sha256(path)}

    model = WaypointPolicy(checkpoint)
    env_kwargs = {"horizon_steps": model.horizon_steps, "plan_dt": model.plan_dt}
    if not isinstance(model.module, DeltaWaypointPolicy):
        if sft is not None:
            raise click.UsageError(f"--sft is for a refined model, and {checkpoint} is a planner itself")
        return Drivers({"sft": model}, env_kwargs, model.observation_keys), {"checkpoint": described(checkpoint), "sft": None}
    planner, reads = planner_beside(model, checkpoint, sft), set(model.module.observation_space.spaces)
    if isinstance(planner, WaypointPolicy):
        reads |= set(planner.observation_keys)
    files = {"checkpoint": described(checkpoint), "sft": described(sft) if sft is not None else "inside the checkpoint"}
    return Drivers({"sft": planner, "rl": model}, env_kwargs, reads), files
