"""Recording of demonstrations driven by the expert of an env."""

import re
import warnings
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sb3_delta_waypoint.contract import CONTROL_DT, FAULT, GROUPS, PLAN_DT
from sb3_delta_waypoint.episodes.reader import Episode
from sb3_delta_waypoint.episodes.writer import write_episode

RECORDED_NAME = re.compile(r"\w+-\d+-\d+\.json")
FAILURES_ALLOWED = 20
"""Maximum failures of the expert before recording gives up; as many failures as successes are always allowed."""
FAULTS_ALLOWED = 3
"""Maximum attempts at a scenario whose drive a simulator breaks off."""


def record_episodes(
    env: gym.Env,
    n_episodes: int,
    out_dir: str | Path,
    seed: int = 0,
    progress: bool = False,
    overwrite: bool = False,
) -> list[Path]:
    """
    Record episodes of an env's expert: its observations and plans, one file per episode.

    A file is called ``toy-<seed>-<scenario>.json``; in place of ``toy`` stands ``loopback`` or ``carla`` for the CARLA env, or
    the name of another env. Every observation group that the env gives is written.

    Scenarios are played in order. If the expert does not reach the goal, the scenario is omitted and the next one is played; a
    warning names the omitted scenarios. A drive that the simulator breaks off is repeated. An interrupt (Ctrl-C) leaves the
    complete episodes.

    :param env: a scalar waypoint env; ``env.unwrapped.expert_plan()`` gives the expert's plan, float32 (H, 2)
    :param n_episodes: number of files to write
    :param out_dir: their folder, created if it does not exist
    :param seed: base seed of the scenarios, not negative
    :param progress: whether to show a progress bar
    :param overwrite: whether to replace the recorded episodes in the folder
    :return: the files, in the order of the scenarios
    :raises ValueError: if ``n_episodes`` or ``seed`` is out of range, or the expert keeps failing
    :raises OSError: if the simulator keeps breaking off the drive
    :raises FileExistsError: if the folder holds JSON files already (with ``overwrite``: any other than recorded episodes)
    """
    if n_episodes < 1:
        raise ValueError(f"n_episodes is {n_episodes}; expected at least 1")
    if seed < 0:
        raise ValueError(f"seed is {seed}; expected 0 or more")
    replaced = _check_folder(Path(out_dir), overwrite)
    paths: list[Path] = []
    failures: list[int] = []
    domain = _domain(env)
    if not hasattr(env.unwrapped, "expert_plan"):
        raise ValueError(f"{env} has no expert_plan(), which gives the plan to record; only envs with an expert are recorded")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, disable=not progress) as bar:
        task = bar.add_task("Recording episodes", total=n_episodes)
        while len(paths) < n_episodes:
            scenario = len(paths) + len(failures)
            path = Path(out_dir) / f"{domain}-{seed}-{scenario}.json"
            episode = _drive(env, domain, seed, scenario, path)
            if episode is None:
                failures.append(scenario)
                if len(failures) > max(FAILURES_ALLOWED, len(paths)):
                    played = f"{len(paths)} of {scenario + 1} scenarios of seed {seed}"
                    raise ValueError(f"the expert reached the goal in only {played}: these routes cannot be driven")
                continue
            if not paths:
                for old in replaced:
                    old.unlink()
            paths.append(write_episode(path, episode))
            bar.advance(task)
    if failures:
        listed = ", ".join(map(str, failures))
        warnings.warn(f"not written: the expert did not reach the goal in scenario {listed} of seed {seed}", stacklevel=2)
    return paths


def _domain(env: gym.Env) -> str:
    """Prefix of the file names: the simulator, or the env's id in one word, such as ``toy``."""
    of_id = re.sub(r"(Waypoint)?(-v\d+)?$", "", env.spec.id if env.spec else type(env.unwrapped).__name__)
    return getattr(env.unwrapped, "backend", None) or re.sub(r"\W+", "_", of_id).lower()


def _drive(env: gym.Env, domain: str, seed: int, scenario: int, path: Path) -> Episode | None:
    """Drive an episode by the expert; None if it did not reach the goal."""
    for _ in range(FAULTS_ALLOWED):
        episode, info = _drive_once(env, domain, seed, scenario, path)
        if FAULT not in info:
            return episode if info["is_success"] else None
    raise OSError(f"scenario {scenario} of seed {seed} was broken off {FAULTS_ALLOWED} times: {info['fault']}")


def _drive_once(env: gym.Env, domain: str, seed: int, scenario: int, path: Path) -> tuple[Episode, dict[str, Any]]:
    """Drive an episode by the expert once; return it and the info at its end."""
    unwrapped: Any = env.unwrapped
    observation, info = env.reset(seed=seed, options={"scenario": scenario})
    observations: dict[str, list[np.ndarray]] = {name: [] for name in GROUPS if name in observation}
    plans = []
    done = False
    while not done:
        plan = unwrapped.expert_plan()
        for name, values in observations.items():
            values.append(observation[name])
        plans.append(plan)
        observation, _, terminated, truncated, info = env.step(plan)
        done = terminated or truncated
    dataset = env.spec.id if env.spec else type(unwrapped).__name__
    episode = Episode(
        episode_id=path.stem,
        domain=domain,
        source={"dataset": dataset, "split": "train", "scene_id": f"{seed}/{scenario}"},
        path=path,
        t=np.arange(len(plans)) * CONTROL_DT,
        observations={name: np.stack(values) for name, values in observations.items()},
        waypoints=np.stack(plans),
        dt=getattr(env.action_space, "plan_dt", PLAN_DT),
    )
    return episode, info


def _check_folder(out_dir: Path, overwrite: bool) -> list[Path]:
    """Check the folder; return the recorded episodes in it that will be replaced."""
    if out_dir.exists() and not out_dir.is_dir():
        raise NotADirectoryError(f"{out_dir} is a file; expected a folder to write episodes to")
    present = sorted(out_dir.glob("*.json"))
    kept = [path for path in present if not (overwrite and RECORDED_NAME.fullmatch(path.name))]
    if kept:
        remedy = "only recorded episodes are replaced" if overwrite else "or replace what was recorded: --overwrite"
        raise FileExistsError(
            f"{out_dir} holds {len(kept)} JSON file(s) already, such as {kept[0].name}; choose another folder, {remedy}"
        )
    return present
