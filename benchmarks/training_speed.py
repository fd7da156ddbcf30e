"""
Transitions trained on per second: GRPO and PPO on the same envs, with the same network and batch sizes.

    python benchmarks/training_speed.py --rounds 5

Times include collection and updates, with 5 epochs on two threads. Each round measures, one after another: GRPO and SB3's PPO
on the native vector env, PPO on a ``DummyVecEnv`` of 8 scalar envs, the bare arithmetic of the update, and the parts of GRPO's
time. Prints medians over the rounds, and medians of the ratios within a round.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch as th
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env

from sb3_delta_waypoint import GRPO, DeltaWaypointPolicy, make_waypoint_vec_env

ENV_ID = "ToyWaypoint-v0"
N_ENVS, N_STEPS, BATCH_SIZE, N_EPOCHS = 256, 32, 2048, 5
SETTINGS = {"batch_size": BATCH_SIZE, "n_epochs": N_EPOCHS, "learning_rate": 3e-4, "seed": 0}
GROUPS = {"group_size": 8, "n_groups": 8, "advantage": "process", "advantage_scale": "batch", "gamma": 0.9}


def grpo() -> GRPO:
    """Return GRPO on the native vector env."""
    venv = make_waypoint_vec_env(ENV_ID, N_ENVS, 0, GROUPS["group_size"])
    return GRPO(DeltaWaypointPolicy, venv, n_steps=N_STEPS, **SETTINGS, **GROUPS)


def ppo() -> PPO:
    """Return PPO on the same envs."""
    return PPO(DeltaWaypointPolicy, make_waypoint_vec_env(ENV_ID, N_ENVS, 0), n_steps=N_STEPS, **SETTINGS)


def ppo_on_scalar_envs() -> PPO:
    """Return PPO on 8 scalar envs, with rollouts of the same size."""
    return PPO(DeltaWaypointPolicy, make_vec_env(ENV_ID, 8, seed=0), n_steps=N_ENVS * N_STEPS // 8, **SETTINGS)


def trained_per_second(model: GRPO | PPO, steps: int) -> float:
    """Return the transitions trained on per second of ``learn``, after a warm-up."""
    model.learn(N_ENVS * N_STEPS)
    before = trained(model)
    started = time.perf_counter()
    model.learn(steps, reset_num_timesteps=False)
    return (trained(model) - before) / (time.perf_counter() - started)


def trained(model: GRPO | PPO) -> int:
    """Return the number of transitions that a model has trained on; PPO trains on all."""
    return model.n_trained_transitions if isinstance(model, GRPO) else model.num_timesteps


def parts(steps: int) -> dict[str, float]:
    """Return the time of each part of GRPO [µs per transition]."""
    model = grpo()
    spent = {"rollout": 0.0, "  env": 0.0, "  planner": 0.0, "batch": 0.0, "update": 0.0}

    def timed(name: str, function: Callable) -> Callable:
        def call(*args, **kwargs):
            started = time.perf_counter()
            result = function(*args, **kwargs)
            spent[name] += time.perf_counter() - started
            return result

        return call

    model.learn(N_ENVS * N_STEPS)
    model.collect_rollouts = timed("rollout", model.collect_rollouts)
    model.env.step_wait = timed("  env", model.env.step_wait)
    model._see = timed("  planner", model._see)
    model._take_batch = timed("batch", model._take_batch)
    model._update = timed("update", model._update)
    before = model.num_timesteps
    started = time.perf_counter()
    model.learn(steps, reset_num_timesteps=False)
    spent = {"all": time.perf_counter() - started, **spent}
    return {name: 1e6 * seconds / (model.num_timesteps - before) for name, seconds in spent.items()}


def bare_update(steps: int) -> float:
    """Return the transitions per second of the update's bare arithmetic: forward, loss, backward, Adam, cached features."""
    model = grpo()
    policy = model.policy
    observation = {name: th.as_tensor(values) for name, values in model.env.reset().items()}
    with th.no_grad():
        features = policy.encode(observation)
        features = type(features)(*(part.repeat(BATCH_SIZE // N_ENVS, *[1] * (part.dim() - 1)) for part in features))
        actions = policy.get_distribution(features).sample()
        old = policy.get_distribution(features).log_prob(actions)
    started = time.perf_counter()
    for _ in range(steps * N_EPOCHS // BATCH_SIZE):
        ratio = (policy.get_distribution(features).log_prob(actions) - old).exp()
        policy.optimizer.zero_grad()
        th.min(ratio, ratio.clamp(0.8, 1.2)).mean().backward()
        policy.optimizer.step()
    return steps / (time.perf_counter() - started)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=200_000)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    th.set_num_threads(options.threads)
    speeds: dict[str, list[float]] = {}
    where: dict[str, list[float]] = {}
    for _ in range(options.rounds):
        measured = {
            "GRPO": trained_per_second(grpo(), options.steps),
            "PPO, same envs": trained_per_second(ppo(), options.steps),
            "PPO, DummyVecEnv of 8": trained_per_second(ppo_on_scalar_envs(), options.steps // 4),
            "update alone, nothing else": bare_update(options.steps),
        }
        for name, speed in measured.items():
            speeds.setdefault(name, []).append(speed)
        for name, microseconds in parts(options.steps).items():
            where.setdefault(name, []).append(microseconds)
    print(f"{options.rounds} rounds, {options.threads} threads, {N_EPOCHS} epochs, batches of {BATCH_SIZE}\n")
    print("| | transitions trained on per second | GRPO is faster by |\n|---|---|---|")
    for name, values in speeds.items():
        ratio = np.median(np.array(speeds["GRPO"]) / np.array(values))
        print(f"| {name} | {np.median(values):,.0f} | {ratio:.2f} |")
    print("\n| GRPO | µs per transition |\n|---|---|")
    for name, values in where.items():
        print(f"| {name.replace('  ', '… ')} | {np.median(values):.1f} |")


if __name__ == "__main__":
    main()
