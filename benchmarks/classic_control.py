"""
GRPO on classic control tasks and LunarLander, with defaults and with its yaml, compared with PPO and rl_zoo3's tuned settings.

    python benchmarks/classic_control.py --seeds 5 --out out/benchmarks/classic_control

The defaults are ``GRPO("MlpPolicy", make_vec_env(env_id, 8))`` and 100,000 steps; the others are trained by
``sb3-delta-waypoint train`` with the yaml. The last model is evaluated deterministically on 100 episodes. Existing results are
not computed again, so an interrupted run can be continued. Prints the table, and writes it to ``table.md``.
"""

import argparse
import json
import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import gymnasium as gym
import numpy as np
import torch as th
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import VecNormalize

from sb3_delta_waypoint import GRPO

GOALS = {"CartPole-v1": 475, "Acrobot-v1": -100, "Pendulum-v1": -250, "LunarLander-v3": 200}
CONTENDERS = {"defaults": "GRPO, defaults", "grpo": "GRPO", "ppo": "PPO"}
DEFAULT_STEPS = 100_000
EPISODES = 100


def result(contender: str, env_id: str, seed: int, out: Path) -> dict[str, float]:
    """Return the mean reward of the trained model, and its number of env steps."""
    th.set_num_threads(1)
    run = out / str(seed) / contender / f"{env_id}_1"
    path = run / "result.json"
    if not path.exists():
        model_path = run / f"{env_id}.zip"
        if not model_path.exists():
            train(contender, env_id, seed, out / str(seed), model_path)
        model = (PPO if contender == "ppo" else GRPO).load(model_path, device="cpu")
        venv = make_vec_env(env_id, 10, seed=10_000 + seed)
        statistics = run / env_id / "vecnormalize.pkl"
        if statistics.exists():
            venv = VecNormalize.load(str(statistics), venv)
            venv.training = venv.norm_reward = False
        reward = float(evaluate_policy(model, venv, EPISODES)[0])
        path.write_text(json.dumps({"reward": reward, "timesteps": model.num_timesteps}))
    return json.loads(path.read_text())


def train(contender: str, env_id: str, seed: int, folder: Path, model_path: Path) -> None:
    """Train a model and save it."""
    if contender == "defaults":
        GRPO("MlpPolicy", make_vec_env(env_id, 8), seed=seed, device="cpu").learn(DEFAULT_STEPS).save(model_path)
        return
    command = ["sb3-delta-waypoint", "train", "--algo", contender, "--env", env_id, "--seed", str(seed), "-f", str(folder)]
    command += ["--eval-freq", "-1", "--save-freq", "-1", "--num-threads", "1"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def rows(envs: list[str], contenders: list[str], seeds: int, out: Path, processes: int) -> Iterator[str]:
    """Yield the lines of the table, each as soon as its results are available."""
    yield "| env | goal | algorithm | env steps | mean reward by seed | median |"
    yield "|---|---|---|---|---|---|"
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        futures = {
            (env_id, contender): [pool.submit(result, contender, env_id, seed, out) for seed in range(seeds)]
            for env_id in envs
            for contender in contenders
        }
        for (env_id, contender), waiting in futures.items():
            results = [future.result() for future in waiting]
            rewards = [found["reward"] for found in results]
            steps = max(found["timesteps"] for found in results)
            listed = ", ".join(f"{reward:.0f}" for reward in rewards)
            yield f"| {env_id} | {GOALS[env_id]} | {CONTENDERS[contender]} | {steps:,} | {listed} | {np.median(rewards):.0f} |"


def main() -> None:
    """Run what is missing, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--envs", nargs="+", choices=GOALS, default=list(GOALS), help="LunarLander-v3 needs gymnasium[box2d]")
    parser.add_argument("--algorithms", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--processes", type=int, default=1, help="number of trainings at a time")
    parser.add_argument("--out", type=Path, default=Path("out/benchmarks/classic_control"))
    options = parser.parse_args()
    for env_id in options.envs:
        gym.make(env_id).close()  # missing dependencies raise before the training
    os.environ["OMP_NUM_THREADS"] = "1"
    table = []
    for row in rows(options.envs, options.algorithms, options.seeds, options.out, options.processes):
        print(row, flush=True)
        table.append(row)
    (options.out / "table.md").write_text("\n".join(table) + "\n")


if __name__ == "__main__":
    main()
