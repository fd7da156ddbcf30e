"""
GRPO and PPO compared with alternatives: more demonstrations, imitation, DAgger, and drivers that learn nothing.

    python benchmarks/baselines.py

All drive the same 1,000 held-out scenarios of ToyWaypoint-v0, alone on the road. For each training seed one planner is cloned
from five demonstrations, and every refinement starts from it. GRPO and PPO use the settings of ``hyperparams/``. Every driver
is evaluated with its last model: no checkpoint is selected. Writes ``<out>/seed_<n>.json`` after every driver (existing
results are not computed again) and the table to ``--table``, where everything below its last line is kept.
"""

import argparse
import copy
import json
import shlex
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch as th
from learning_curves import ENV_ID, hyperparams
from stable_baselines3 import PPO
from torch.nn import functional as F

from sb3_delta_waypoint import GRPO, DeltaWaypointPolicy, WaypointPolicy, make_waypoint_vec_env
from sb3_delta_waypoint.callbacks import BoundedSchedulesCallback, CriticWarmupCallback
from sb3_delta_waypoint.episodes.reader import Episode, read_episode
from sb3_delta_waypoint.episodes.recorder import record_episodes
from sb3_delta_waypoint.evaluation.rollout import REPORT_SEED, evaluate_scenarios
from sb3_delta_waypoint.files import write_atomically, write_json
from sb3_delta_waypoint.sft.training import LOSS_BETA, train_sft

SCENARIOS = 1000
DEMONSTRATIONS = 1000
N_ENVS = 128
TRAINING_START = {"start": {"lateral": 1.0, "heading": 0.2}}
"""Distribution of starts in all training, which is wider than in evaluations."""
METRICS = ("success_rate", "route_completion", "ade", "fde", "lateral_deviation_mean", "episode_length")
KEPT = "<!-- benchmarks/baselines.py writes what is above -->"

Plan = Callable[[dict[str, np.ndarray]], np.ndarray]
"""A function from observations of ``n`` cars to their plans, ``(n, H, 2)`` metres, ego frame."""


@dataclass(frozen=True)
class Learned:
    """A driver, the number of env steps of its training, and the number of expert plans used for it."""

    plan: Plan
    env_steps: int = 0
    expert_plans: int = 0


@dataclass(frozen=True)
class Start:
    """The start of all learners of one seed: demonstrations, and the planner cloned from the first five."""

    seed: int
    demonstrations: list[Episode]
    planner: th.nn.Module


# Imitation


def cloned(episodes: Sequence[Episode], seed: int, gradient_steps: int = 2000) -> tuple[th.nn.Module, Learned]:
    """Clone a planner like ``sb3-delta-waypoint sft``."""
    planner = train_sft(episodes, num_steps=gradient_steps, seed=seed).model
    frames = sum(map(len, episodes))
    return planner, Learned(WaypointPolicy(planner), frames, frames)


def imitate(start: Start, whole: bool, rounds: int, steps: int, gradient_steps: int, expert_drives: bool = False) -> Learned:
    """
    Train a driver by DAgger (Ross et al., 2011): in each round the learner drives, the expert plans in the visited states, and
    the learner is fitted to all plans collected up to then, including the demonstrations.

    :param start: planner and demonstrations
    :param whole: fit all of the planner's weights, instead of the residual head that GRPO and PPO train
    :param rounds: number of rounds of driving and fitting
    :param steps: number of steps per env in a round
    :param gradient_steps: number of gradient steps in a round
    :param expert_drives: let the expert drive: plain imitation, on the scenarios that GRPO trains on
    :return: the driver
    """
    venv = make_waypoint_vec_env(ENV_ID, N_ENVS, start.seed, **TRAINING_START)
    learner = copy.deepcopy(start.planner)
    parameters, predict = list(learner.parameters()), lambda observation: learner(observation)[1]
    if not whole:
        th.manual_seed(start.seed)
        learner = DeltaWaypointPolicy(venv.observation_space, venv.action_space, lambda _: 0.0, sft=learner)
        parameters = list(learner.delta_net.parameters())
        predict = lambda observation: learner.get_distribution(observation).mode()  # noqa: E731
    optimizer = th.optim.Adam(parameters, lr=1e-3)
    schedule = th.optim.lr_scheduler.CosineAnnealingLR(optimizer, rounds * gradient_steps)
    driver, generator = WaypointPolicy(learner, device="cpu"), np.random.default_rng(start.seed)

    frames: dict[str, list[np.ndarray]] = {"state": [], "route": [], "waypoints": []}
    for episode in start.demonstrations[:5]:
        for name, values in ({**episode.observations, "waypoints": episode.waypoints}).items():
            frames[name].append(values)
    observation: Any = venv.reset()
    for _ in range(rounds):
        for _ in range(steps):
            plans = np.stack(venv.env_method("expert_plan"))
            for name, values in ({**observation, "waypoints": plans}).items():
                frames[name].append(values)
            observation, *_ = venv.step(plans if expert_drives else driver(observation))
        data = {name: th.from_numpy(np.concatenate(values)) for name, values in frames.items()}
        for _ in range(gradient_steps):
            batch = th.from_numpy(generator.integers(len(data["state"]), size=256))
            predicted = predict({"state": data["state"][batch], "route": data["route"][batch]})
            loss = F.smooth_l1_loss(predicted, data["waypoints"][batch], beta=LOSS_BETA)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    venv.close()
    env_steps = rounds * steps * N_ENVS
    return Learned(driver, env_steps, env_steps)


# Reinforcement learning


def refined(start: Start, algo: str, steps: int, **reward: float) -> Learned:
    """Refine the planner with the settings of ``hyperparams/``; the expert is used if ``imitation`` has a weight."""
    params = hyperparams(algo)
    venv = make_waypoint_vec_env(
        ENV_ID,
        params.pop("n_envs"),
        start.seed,
        params.get("group_size", 1),
        **params.pop("env_kwargs"),
        reward=reward,
    )
    algorithm, callbacks = (GRPO, None) if algo == "grpo" else (PPO, [CriticWarmupCallback(), BoundedSchedulesCallback()])
    policy_kwargs = {"sft": copy.deepcopy(start.planner)}
    model = algorithm(DeltaWaypointPolicy, venv, seed=start.seed, policy_kwargs=policy_kwargs, device="cpu", **params)
    model.learn(steps, callbacks)
    venv.close()
    return Learned(WaypointPolicy(model), model.num_timesteps, model.num_timesteps if reward.get("imitation", 1.0) else 0)


# No learning


def on_path(path: np.ndarray, distances: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Interpolate ``values`` ``(n, P, …)`` at the points of paths ``(n, P, 2)`` linearly at distances ``(n, H)`` [m]."""
    arc = np.cumsum(np.linalg.norm(np.diff(path, axis=1, prepend=path[:, :1]), axis=2), axis=1)
    before = np.clip((arc[:, None] <= distances[..., None]).sum(axis=2) - 1, 0, path.shape[1] - 2)
    rows = np.arange(len(path))[:, None]
    share = (distances - arc[rows, before]) / np.maximum(arc[rows, before + 1] - arc[rows, before], 1e-6)
    share = share.reshape(share.shape + (1,) * (values.ndim - 2))
    return values[rows, before] + share * (values[rows, before + 1] - values[rows, before])


def observed_path(observation: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the path from the car through the observed route points, ``(n, 11, 2)``; straight on after the route's end."""
    path = np.concatenate([np.zeros_like(observation["route"][:, :1]), observation["route"]], axis=1)
    steps = np.diff(path, axis=1)
    for k in range(1, steps.shape[1]):
        ended = np.linalg.norm(steps[:, k], axis=1, keepdims=True) < 0.01
        before = steps[:, k - 1]
        straight = 3.0 * before / np.maximum(np.linalg.norm(before, axis=1, keepdims=True), 1e-6)
        steps[:, k] = np.where(ended, straight, steps[:, k])
    return np.concatenate([path[:, :1], np.cumsum(steps, axis=1)], axis=1)


def constant_speed(observation: dict[str, np.ndarray]) -> np.ndarray:
    """Plan along the route at 5 m/s."""
    path = observed_path(observation)
    distances = np.tile(5.0 * 0.1 * np.arange(1, 21), (len(path), 1))
    return on_path(path, distances, path).astype(np.float32)


def speed_profile(observation: dict[str, np.ndarray]) -> np.ndarray:
    """Plan along the route as fast as its curvature allows, with the expert's limits of acceleration."""
    path = observed_path(observation)
    speed, yaw_rate = observation["state"][:, 0], observation["state"][:, 2]
    steps = np.diff(path, axis=1)
    lengths = np.linalg.norm(steps, axis=2)
    headings = np.unwrap(np.arctan2(steps[..., 1], steps[..., 0]), axis=1)
    curvature = np.abs(np.diff(headings, axis=1)) / (0.5 * (lengths[:, 1:] + lengths[:, :-1]))
    here = np.abs(yaw_rate) / np.maximum(speed, 0.5)
    curvature = np.column_stack([here, curvature, curvature[:, -1]])
    limit = np.minimum(12.0, np.sqrt(3.5 / np.maximum(curvature, 1e-6)))
    for k in reversed(range(limit.shape[1] - 1)):
        limit[:, k] = np.minimum(limit[:, k], np.sqrt(limit[:, k + 1] ** 2 + 2.0 * 3.0 * lengths[:, k]))
    distance, distances = np.zeros(len(path)), []
    for _ in range(20):
        allowed = on_path(path, distance[:, None], limit)[:, 0]
        before, speed = speed, np.clip(allowed, speed - 3.0 * 0.1, speed + 2.0 * 0.1)
        distance = distance + 0.5 * (before + speed) * 0.1
        distances.append(distance)
    return on_path(path, np.stack(distances, axis=1), path).astype(np.float32)


PLANNER = "planner from 5 demonstrations"
LEARNERS: dict[str, Callable[[Start], Learned]] = {
    PLANNER: lambda start: cloned(start.demonstrations[:5], start.seed)[1],
    "planner from 100": lambda start: cloned(start.demonstrations[:100], start.seed)[1],
    "planner from 1,000": lambda start: cloned(start.demonstrations, start.seed)[1],
    "planner from 1,000, 10,000 gradient steps": lambda start: cloned(start.demonstrations, start.seed, 10_000)[1],
    "imitation on the scenarios of GRPO's training": lambda start: imitate(start, True, 1, 730, 10_000, expert_drives=True),
    "DAgger, whole network, briefly": lambda start: imitate(start, True, 8, 10, 250),
    "DAgger, whole network": lambda start: imitate(start, True, 8, 400, 1250),
    "DAgger, same residual head, briefly": lambda start: imitate(start, False, 8, 10, 250),
    "DAgger, same residual head": lambda start: imitate(start, False, 8, 400, 1250),
    "GRPO †": lambda start: refined(start, "grpo", 800_000),
    "GRPO, no imitation": lambda start: refined(start, "grpo", 800_000, imitation=0.0),
    "GRPO, no imitation, no centre line": lambda start: refined(start, "grpo", 800_000, imitation=0.0, lateral_deviation=0.0),
    "PPO †": lambda start: refined(start, "ppo", 1_000_000),
    "PPO on too short a schedule †": lambda start: refined(start, "ppo", 57_000),
}
UNLEARNED: dict[str, Plan] = {
    "constant 5 m/s along the route": constant_speed,
    "speed profile on the observed points": speed_profile,
}
EXPERT = "the expert itself"


def demonstrations(seed: int, folder: Path) -> list[Episode]:
    """Return demonstrations of the expert; a smaller set of them is a prefix."""
    paths = sorted(folder.glob("*.json"), key=lambda path: int(path.stem.rpartition("-")[2]))
    if len(paths) != DEMONSTRATIONS:
        paths = record_episodes(gym.make(ENV_ID), DEMONSTRATIONS, folder, seed, overwrite=True)
    return [read_episode(path) for path in paths]


def run(seed: int, folder: Path) -> dict[str, dict[str, Any]]:
    """Train and evaluate all drivers of a seed, and return their results by name."""
    path = folder / f"seed_{seed}.json"
    rows: dict[str, dict[str, Any]] = json.loads(path.read_text()) if path.exists() else {}
    venv = make_waypoint_vec_env(ENV_ID, 256)
    expert: Plan = lambda _: np.stack(venv.env_method("expert_plan"))  # noqa: E731
    start: Start | None = None
    for name in (EXPERT, *UNLEARNED, *LEARNERS):
        if name in rows:
            continue
        if name in LEARNERS and start is None:
            episodes = demonstrations(seed, folder / f"episodes_{seed}")
            start = Start(seed, episodes, cloned(episodes[:5], seed)[0])
        started = time.process_time()
        learned = Learned(expert if name == EXPERT else UNLEARNED[name]) if start is None else LEARNERS[name](start)
        seconds = time.process_time() - started
        results = evaluate_scenarios(learned.plan, venv, SCENARIOS, REPORT_SEED)
        numbers = {metric: results[metric].tolist() for metric in METRICS}
        costs = {"env_steps": learned.env_steps, "expert_plans": learned.expert_plans, "seconds": seconds}
        rows[name] = {**costs, **numbers}
        write_json(path, rows)
        success, lateral = (np.mean(numbers[metric]) for metric in ("success_rate", "lateral_deviation_mean"))
        print(f"seed {seed}, {name}: {seconds:.1f} s, success {success:.3f}, {lateral:.3f} m", file=sys.stderr)
    venv.close()
    return rows


def summary(row: Mapping[str, Any], planner: Mapping[str, Any], expert: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of one driver and seed that the table shows."""
    means = {metric: float(np.mean(row[metric])) for metric in METRICS}
    both = np.array(row["success_rate"], bool) & np.array(expert["success_rate"], bool)
    lengths = [np.array(side["episode_length"])[both].sum() for side in (row, expert)]
    return {
        "success": means["success_rate"],
        "route completion": means["route_completion"],
        "ADE ratio": means["ade"] / float(np.mean(planner["ade"])),
        "FDE [m]": means["fde"],
        "lateral deviation [m]": means["lateral_deviation_mean"],
        "time": lengths[0] / lengths[1] if both.any() else np.nan,
    }


def cell(values: Sequence[float], digits: int) -> str:
    """Return a cell with the median over seeds and, if they differ, the extremes."""
    middle, low, high = (f"{value:.{digits}f}" for value in (np.median(values), min(values), max(values)))
    return middle if low == high else f"{middle} [{low}, {high}]"


def steps(value: float) -> str:
    """Return a number of env steps as rounded text."""
    return "–" if value == 0 else f"{value:.0f}" if value < 1000 else f"{value / 1e3:,.0f} k"


def table(seeds: Sequence[Mapping[str, Mapping[str, Any]]]) -> str:
    """Return the table, with one row per driver."""
    lines = []
    for name in (*LEARNERS, *UNLEARNED, EXPERT):
        rows = [seed[name] for seed in seeds]
        columns = [summary(row, seed[PLANNER], seed[EXPERT]) for row, seed in zip(rows, seeds, strict=True)]
        costs = [float(np.median([row[cost] for row in rows])) for cost in ("env_steps", "expert_plans", "seconds")]
        cells = [name, steps(costs[0]), steps(costs[1]), f"{costs[2]:.1f}" if name in LEARNERS else "–"]
        if not lines:
            header = ["driver", "env steps", "expert's plans", "CPU s", *columns[0]]
            lines += ["| " + " | ".join(header) + " |", "|---" * len(header) + "|"]
        cells += [cell([column[key] for column in columns], 2 if key in ("ADE ratio", "FDE [m]") else 3) for key in columns[0]]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def page(seeds: Sequence[Mapping[str, Mapping[str, Any]]]) -> str:
    """Return a page with the table and its explanation."""
    return f"""# Baselines, alone on the road

`python {shlex.join(["benchmarks/baselines.py", *sys.argv[1:]])}`

{SCENARIOS:,} held-out scenarios of `{ENV_ID}` (base seed {REPORT_SEED}); medians over {len(seeds)} training seeds
[lowest, highest]. The last model of each run, none selected.

{table(seeds)}

- **env steps** of learning, the frames of demonstrations for a planner; **expert's plans**: how many of them were looked at,
  as demonstration, as label or in the reward; **CPU s** on one core, for learning and its env steps, without recording
  demonstrations, and without the planner that a refinement starts from.
- **ADE ratio**: distance between the driver's plans and the expert's in the driver's own states, over that of the planner from
  five demonstrations. † ADE is a term of the reward (weight 0.5); imitation and DAgger minimise it directly.
- **time** to the goal over the expert's, on the routes that both finish: below 1 is faster than the expert.
- "No imitation" keeps the penalty for lateral deviation; "no imitation, no centre line" is rewarded for progress, goal and
  time, and fined for leaving the road (2 m) only. The speed profile keeps to the expert's limits of speed and acceleration.

{KEPT}
"""


def main() -> None:
    """Run what is missing, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("out/benchmarks/baselines"), help="for what is needed to go on")
    parser.add_argument("--table", type=Path, default=Path(__file__).parent / "results" / "baselines.md")
    options = parser.parse_args()
    th.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    seeds = [run(seed, options.out) for seed in range(options.seeds)]
    text = page(seeds)
    kept = options.table.read_text().partition(KEPT)[2] if options.table.exists() else "\n"
    write_atomically(options.table, (text.rstrip("\n") + kept).encode())
    print(text)


if __name__ == "__main__":
    main()
