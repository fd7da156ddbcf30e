"""
Learning curves of GRPO and PPO on ToyWaypoint-v0: success and ADE by env steps and by processor time.

    python benchmarks/learning_curves.py --seeds 5 --out out/benchmarks/curves

For each seed one planner is cloned from five demonstrations and refined by GRPO, by PPO, and by PPO that explores with noise
independent from waypoint to waypoint; a fourth learner, PPO from scratch, has no planner. Settings are those of
``hyperparams/``. All learn in one process, one after another, on one thread; evaluations (256 held-out scenarios) are not
timed. Writes ``curves.json`` (existing results are not computed again) and ``curves.png``, and prints the table.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch as th
import yaml
from rl_zoo3.utils import linear_schedule
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback

from sb3_delta_waypoint import GRPO, DeltaWaypointPolicy, WaypointPolicy, make_waypoint_vec_env
from sb3_delta_waypoint.callbacks import BoundedSchedulesCallback, CriticWarmupCallback
from sb3_delta_waypoint.episodes.reader import read_episodes
from sb3_delta_waypoint.episodes.recorder import record_episodes
from sb3_delta_waypoint.evaluation.rollout import evaluate_scenarios
from sb3_delta_waypoint.files import write_json
from sb3_delta_waypoint.sft.training import train_sft
from sb3_delta_waypoint.zoo.hyperparameters import HYPERPARAMS

ENV_ID = "ToyWaypoint-v0"
STEPS = 1_000_000
EVAL_FREQ = 25_000
EVAL_SEED = 2**31 - 7
LEARNERS: dict[str, tuple[str, Any]] = {
    "GRPO": ("#0072b2", "-"),
    "PPO": ("#d55e00", (0, (5, 1.5))),
    "PPO, independent noise": ("#e69f00", (0, (5, 1.5, 1, 1.5))),
    "PPO from scratch": ("#000000", (0, (1, 1.2))),
}
"""Name, colour (Okabe and Ito) and dashes, which distinguish the lines in greyscale."""


class NoPlanner(th.nn.Module):
    """A substitute for a planner, whose plans are to stand still."""

    horizon_steps, plan_dt, observation_keys = 20, 0.1, ("state", "route")

    def forward(self, observation: dict[str, th.Tensor]) -> tuple[th.Tensor, th.Tensor]:
        route = observation["route"].flatten(1)
        return route, route.new_zeros(len(route), self.horizon_steps, 2)


class Curve(BaseCallback):
    """A callback that evaluates at intervals, and records the processor time of learning without evaluations."""

    def __init__(self):
        super().__init__()
        self.rows: list[dict[str, float]] = []
        self.seconds = 0.0
        self.venv = make_waypoint_vec_env(ENV_ID, 128, seed=EVAL_SEED)

    def _on_training_start(self) -> None:
        self.started = time.process_time()
        self._evaluate()

    def _on_step(self) -> bool:
        if self.num_timesteps // EVAL_FREQ >= len(self.rows):
            self._evaluate()
        return True

    def _evaluate(self) -> None:
        self.seconds += time.process_time() - self.started
        results = evaluate_scenarios(WaypointPolicy(self.model), self.venv, 256, seed=EVAL_SEED)
        means = {name: float(results[name].mean()) for name in ("success_rate", "ade")}
        self.rows.append({"timesteps": self.num_timesteps, "seconds": self.seconds, **means})
        self.started = time.process_time()


def hyperparams(algo: str) -> dict:
    """Return the hyperparameters of the yaml as arguments of the algorithm."""
    params = yaml.safe_load((HYPERPARAMS / f"{algo}.yml").read_text())[ENV_ID]
    for name in ("n_timesteps", "policy", "monitor_kwargs", "callback"):
        params.pop(name, None)
    params["learning_rate"] = linear_schedule(float(params["learning_rate"].removeprefix("lin_")))
    return params


def clone(seed: int, folder: Path) -> th.nn.Module:
    """Clone a planner from five demonstrations."""
    record_episodes(gym.make(ENV_ID), 5, folder, seed, progress=False, overwrite=True)
    return train_sft(read_episodes(str(folder / "*.json"))[0], seed=seed, progress=False).model


def learn(learner: str, planner: th.nn.Module, seed: int, steps: int) -> list[dict[str, float]]:
    """Train one learner and return its learning curve."""
    params = hyperparams("grpo" if learner == "GRPO" else "ppo")
    n_envs, env_kwargs, policy_kwargs = params.pop("n_envs"), params.pop("env_kwargs"), {"sft": planner}
    if learner == "PPO, independent noise":
        policy_kwargs["basis"] = "independent"
    elif learner == "PPO from scratch":
        policy_kwargs = {"sft": NoPlanner(), "residual_scale": (1.0, 10.0), "max_delta": None}
    curve = Curve()
    if learner == "GRPO":
        venv = make_waypoint_vec_env(ENV_ID, n_envs, seed, params["group_size"], **env_kwargs)
        GRPO(DeltaWaypointPolicy, venv, seed=seed, policy_kwargs=policy_kwargs, **params).learn(steps, curve)
    else:
        venv = make_waypoint_vec_env(ENV_ID, n_envs, seed, **env_kwargs)
        model = PPO(DeltaWaypointPolicy, venv, seed=seed, policy_kwargs=policy_kwargs, **params)
        model.learn(steps, [CriticWarmupCallback(), BoundedSchedulesCallback(), curve])
    return curve.rows


def reached(rows: list[dict[str, float]], success: float, what: str) -> float:
    """Return the env steps or seconds until the success rate first reaches a value; inf if it never does."""
    return next((row[what] for row in rows if row["success_rate"] >= success), np.inf)


def show(value: float, what: str) -> str:
    """Return a cell of the table."""
    return "never" if not np.isfinite(value) else f"{value / 1000:.0f} k" if what == "timesteps" else f"{value:.1f}"


def table(curves: dict[str, dict[str, list]]) -> str:
    """Return a table of medians over seeds, with the extremes in brackets."""
    goals = [(success, what) for success in (0.95, 0.99) for what in ("timesteps", "seconds")]
    units = {"timesteps": "env steps", "seconds": "CPU seconds"}
    header = [
        "learner",
        *(f"{units[what]} to {success}" for success, what in goals),
        "success",
        "ADE ratio",
        "steps per CPU second",
    ]
    lines = ["| " + " | ".join(header) + " |", "|---" * len(header) + "|"]
    for learner, seeds in curves.items():
        runs = list(seeds.values())
        cells = [learner]
        for success, what in goals:
            values = sorted(reached(rows, success, what) for rows in runs)
            middle, low, high = (show(value, what) for value in (float(np.median(values)), values[0], values[-1]))
            cells.append(f"{middle} ({low} to {high})")
        cells.append(f"{np.median([rows[-1]['success_rate'] for rows in runs]):.3f}")
        cells.append(
            f"{np.median([rows[-1]['ade'] / rows[0]['ade'] for rows in runs]):.2f}" if "scratch" not in learner else "–"
        )
        cells.append(f"{np.median([rows[-1]['timesteps'] / rows[-1]['seconds'] for rows in runs]):,.0f}")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def plot(curves: dict[str, dict[str, list]], path: Path) -> None:
    """Plot means over seeds with 95% bootstrap bands."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    draw = np.random.default_rng(0)
    figure, axes = plt.subplots(2, 2, figsize=(10, 6.4), sharex="col", sharey="row", constrained_layout=True)
    ends = {
        what: [max(rows[-1][what] for rows in seeds.values()) for seeds in curves.values()]
        for what in ("timesteps", "seconds")
    }
    for learner, seeds in curves.items():
        runs, (colour, dashes) = list(seeds.values()), LEARNERS[learner]
        for column, (what, grid) in enumerate(
            [(what, np.linspace(0, max(ends[what]), 201)) for what in ("timesteps", "seconds")]
        ):
            for row, metric in enumerate(("success_rate", "ade")):
                at, values = ([[r[name] for r in rows] for rows in runs] for name in (what, metric))
                values = np.array([np.interp(grid, a, v, right=np.nan) for a, v in zip(at, values, strict=True)])
                resampled = values[draw.integers(len(runs), size=(2000, len(runs)))].mean(axis=1)
                low, high = np.percentile(resampled, [2.5, 97.5], axis=0)
                scale = 1e-6 if what == "timesteps" else 1.0
                mean = values.mean(axis=0)
                axes[row, column].plot(grid * scale, mean, color=colour, linestyle=dashes, label=learner)
                axes[row, column].fill_between(grid * scale, low, high, color=colour, alpha=0.15, linewidth=0)
    for axis, label in zip(axes[:, 0], ("success rate", "ADE (m)"), strict=True):
        axis.set_ylabel(label)
    for axis in axes.flat:
        axis.grid(color="0.9", linewidth=0.6)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0, 0].axhline(0.95, color="0.6", linestyle=":", linewidth=1)
    axes[0, 1].axhline(0.95, color="0.6", linestyle=":", linewidth=1)
    axes[1, 0].set_ylim(0.0, 2.0)
    axes[1, 0].set_xlabel("env steps (millions)")
    axes[1, 1].set_xlabel("CPU seconds of learning")
    lines = axes[0, 0].get_legend_handles_labels()
    figure.legend(*lines, loc="outside lower center", ncols=len(curves), frameon=False, handlelength=3)
    figure.suptitle(f"{ENV_ID}, planner from five demonstrations: mean of {len(runs)} seeds, 95% bootstrap bands")
    figure.savefig(path, dpi=110)


def main() -> None:
    """Run what is missing, print the table, draw the plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--out", type=Path, default=Path("out/benchmarks/curves"))
    options = parser.parse_args()
    th.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "curves.json"
    curves = json.loads(path.read_text()) if path.exists() else {learner: {} for learner in LEARNERS}
    for seed in range(options.seeds):
        planner = clone(seed, options.out / f"episodes_{seed}")
        for learner in LEARNERS:
            if str(seed) not in curves[learner]:
                curves[learner][str(seed)] = learn(learner, planner, seed, options.steps)
                write_json(path, curves)
                print(f"seed {seed}, {learner}: {curves[learner][str(seed)][-1]}", flush=True)
    print(table(curves))
    plot(curves, options.out / "curves.png")


if __name__ == "__main__":
    main()
