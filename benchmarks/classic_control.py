"""
GRPO on CartPole-v1 and Pendulum-v1, beside PPO with rl_zoo3's tuned settings.

    python benchmarks/classic_control.py --seeds 5 --out out/benchmarks/classic_control

Trains with ``sb3-delta-waypoint train`` (a run that is there already is not run again), evaluates the last model,
deterministic, on 100 episodes, and prints the table.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch as th
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy

from sb3_delta_waypoint import GRPO

ENVS = ("CartPole-v1", "Pendulum-v1")
ALGORITHMS = {"grpo": GRPO, "ppo": PPO}
EPISODES = 100


def run(algo: str, env_id: str, seed: int, out: Path) -> tuple[float, int]:
    """Mean reward of the trained model, and the env steps that it took."""
    folder = out / str(seed)
    model_path = folder / algo / f"{env_id}_1" / f"{env_id}.zip"
    if not model_path.exists():
        command = ["sb3-delta-waypoint", "train", "--algo", algo, "--env", env_id, "--seed", str(seed), "-f", str(folder)]
        command += ["--eval-freq", "-1", "--save-freq", "-1", "--num-threads", "1"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    model = ALGORITHMS[algo].load(model_path, device="cpu")
    venv = make_vec_env(env_id, 10, seed=10_000 + seed)
    return float(evaluate_policy(model, venv, EPISODES)[0]), model.num_timesteps


def main() -> None:
    """Run what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("out/benchmarks/classic_control"))
    options = parser.parse_args()
    th.set_num_threads(1)
    print("| env | algorithm | env steps | mean reward by seed | median |\n|---|---|---|---|---|")
    for env_id in ENVS:
        for algo in ALGORITHMS:
            results = [run(algo, env_id, seed, options.out) for seed in range(options.seeds)]
            rewards, steps = zip(*results, strict=True)
            row = [
                env_id,
                algo.upper(),
                f"{max(steps):,}",
                ", ".join(f"{r:.0f}" for r in rewards),
                f"{np.median(rewards):.0f}",
            ]
            print("| " + " | ".join(row) + " |")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
