"""The whole pipeline: record demonstrations, clone a planner, refine it, and compare the two on held-out scenarios."""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import gymnasium as gym
import torch

from sb3_delta_waypoint.episodes.reader import read_episodes
from sb3_delta_waypoint.episodes.recorder import record_episodes
from sb3_delta_waypoint.evaluation.compare import Comparison
from sb3_delta_waypoint.evaluation.report import comparison_table, console
from sb3_delta_waypoint.evaluation.rollout import Scenarios
from sb3_delta_waypoint.evaluation.side_by_side import compare_on_scenarios
from sb3_delta_waypoint.policies.inference import WaypointPolicy
from sb3_delta_waypoint.sft.training import save_run, train_sft

ENV_ID = "ToyWaypoint-v0"
EVAL_FREQ = 50_000
"""Number of env steps between the evaluations that select the model."""
SELECTION_EPISODES = 256
"""Maximum number of scenarios of each of these evaluations; more would take longer than the training."""
WRITTEN = ("episodes", "sft", "logs")
"""Names in the output folder that the demo itself uses, so that further maps cannot."""


@dataclass(frozen=True)
class DemoSettings:
    """
    The settings of the demo.

    :param out: folder for all output
    :param demonstrations: number of episodes that the expert drives
    :param routes: OpenDRIVE map for demonstrations and training, or None for random smooth curvature
    :param eval_routes: maps to evaluate on, in addition to that of the training
    :param algo: name of the algorithm that refines the planner
    :param timesteps: number of env steps of refinement; None for that of the algorithm's yaml
    :param episodes: number of held-out scenarios
    :param seed: seed of demonstrations, cloning and refinement
    """

    out: Path
    demonstrations: int = 5
    routes: str | None = None
    eval_routes: Sequence[str] = ()
    algo: str = "grpo"
    timesteps: int | None = None
    episodes: int = 1000
    seed: int = 0


def run_demo(settings: DemoSettings) -> dict[str, Comparison]:
    """
    Run the demo. It writes ``episodes/``, ``sft/``, the run folder under ``logs/``, and the comparison's table and pictures:
    for the training routes to ``out`` itself, for each further map to a folder with the map's name, which includes the name of
    the map's folder if two maps have the same name.

    :param settings: the settings of the demo
    :return: the comparison on each set of routes, by ``"synthetic"`` or the map's name, as in the name of its folder
    :raises FileNotFoundError: if a map is missing
    :raises KeyboardInterrupt: if it was interrupted; complete files are kept
    """
    # a second thread does not speed up networks this small
    torch.set_num_threads(1)
    out, env_kwargs = settings.out, _env_kwargs(settings.routes)
    # every map is read before anything is written
    places = {name: _env_kwargs(routes) for name, routes in _places(settings.routes, settings.eval_routes).items()}
    for kwargs in places.values():
        gym.make(ENV_ID, **kwargs).close()

    _say(1, f"the expert drives {settings.demonstrations} episodes")
    env = gym.make(ENV_ID, **env_kwargs)
    record_episodes(env, settings.demonstrations, out / "episodes", settings.seed, progress=True, overwrite=True)

    _say(2, "cloning a planner from them")
    episodes, _ = read_episodes(str(out / "episodes" / "*.json"))
    result = train_sft(episodes, seed=settings.seed, progress=True)
    sft_path = save_run(result, out / "sft")
    if result.interrupted:
        raise KeyboardInterrupt(f"Interrupted; the planner so far is {sft_path}")

    _say(3, f"refining it with {settings.algo.upper()}")
    started = time.perf_counter()
    refined = WaypointPolicy(_refine(settings, sft_path, env_kwargs))
    click.echo(f"refined in {time.perf_counter() - started:.1f} s, evaluations on the way included")

    comparisons = {}
    for name, kwargs in places.items():
        _say(4, f"evaluating both on {settings.episodes} held-out scenarios, {name}")
        folder = out if kwargs == env_kwargs else out / name
        scenarios = Scenarios(settings.episodes, env_id=ENV_ID, env_kwargs=kwargs)
        planner = WaypointPolicy(sft_path)
        comparisons[name], files = compare_on_scenarios(planner, refined, scenarios, folder, progress=True)
        show = console()
        show.print(comparison_table(comparisons[name]))
        show.print(comparisons[name]["verdict"], highlight=False)
        for file in files:
            click.echo(file)
    return comparisons


def _refine(settings: DemoSettings, sft_path: Path, env_kwargs: dict[str, Any]) -> Path:
    """Refine the planner like ``sb3-delta-waypoint train``, and return the path of the best model."""
    from sb3_delta_waypoint import zoo

    arguments = ["--algo", settings.algo, "--env", ENV_ID, "--seed", str(settings.seed), "--progress"]
    arguments += ["--log-folder", str(settings.out / "logs"), "--verbose", "0"]
    arguments += ["--eval-freq", str(EVAL_FREQ), "--n-eval-envs", "256"]
    arguments += ["--eval-episodes", str(min(settings.episodes, SELECTION_EPISODES))]
    if settings.timesteps is not None:
        arguments += ["--n-timesteps", str(settings.timesteps)]
    manager = zoo.train(arguments, policy_kwargs={"sft": str(sft_path)}, env_kwargs=env_kwargs)
    if manager.interrupted:
        raise KeyboardInterrupt(f"Interrupted; the model so far is {manager.params_path}.zip")
    return Path(manager.save_path) / "best_model.zip"


def _env_kwargs(routes: str | None) -> dict[str, Any]:
    return {} if routes is None else {"routes": routes}


def _places(routes: str | None, eval_routes: Sequence[str]) -> dict[str, str | None]:
    """Return the routes to evaluate on, each once, by a unique name that is valid as a folder in ``out``."""
    places = {"synthetic" if routes is None else Path(routes).stem: routes}
    for path in eval_routes:
        if path in places.values():
            continue
        stem, folder = re.sub(r"[^\w.-]+", "_", Path(path).stem), Path(path).resolve().parent.name
        name, number = stem, 1
        while name in places or name in WRITTEN:
            name = f"{folder}_{stem}" if number == 1 else f"{folder}_{stem}_{number}"
            number += 1
        places[name] = path
    return places


def _say(number: int, what: str) -> None:
    click.secho(f"\n{number}/4  {what}", bold=True)
