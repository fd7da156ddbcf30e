"""
Env steps per second on one core, compared with other envs in the same run.

    python benchmarks/speed.py

All contenders take turns, so that other load on the machine affects them equally. The table shows medians over the turns, of
the steps per second and of their ratio to scalar CartPole-v1 in the same turn. Only ``step`` and resets are timed. The plans
come from the expert, computed between the steps, so that cars drive as they do in training; the other envs get random actions.
A step includes the expert's plan, ADE, the Dict observation and the automatic reset. Times are CPU times of the process, so
that sharing the core with others does not count as slowness.
"""

import os

os.environ.update(OMP_NUM_THREADS="1", SDL_VIDEODRIVER="dummy")

import argparse
import importlib.util
import time
from collections.abc import Callable, Iterator
from itertools import count
from statistics import median

import gymnasium as gym
import numpy as np
from stable_baselines3.common.vec_env import DummyVecEnv

import sb3_delta_waypoint  # noqa: F401 (registers the env)
from sb3_delta_waypoint import make_waypoint_vec_env

N_CARS = 1024
REFERENCE = "CartPole-v1, scalar"
VECTOR, ADAPTER = f"ToyWaypoint-v0, gym.make_vec, {N_CARS} cars", f"ToyWaypoint-v0, make_waypoint_vec_env, {N_CARS} cars"
BUDGETS = {VECTOR: 2e6, ADAPTER: 1e6}
"""Minimum number of steps per second."""
N_WORLDS = 256
ROUTE_LENGTH = 75.0
"""Of routes this long, half of the others are within :data:`NEAR` of the car [m]."""
NEAR = 50.0
"""Distance of the others that is measured [m]."""
TRAFFIC = {
    "nobody": {"vehicles": 0},
    "16 others": {"vehicles": 28, "behaviour": "mixed"},
    "16 others, replayed": {"vehicles": 28, "behaviour": "replay"},
    "32 others, replayed": {"vehicles": 64, "behaviour": "replay"},
}
"""Others on the road of each car; more vehicles are asked for, since some find no room (24 of 64 do)."""
RATIOS = {"16 others": 3.0, "16 others, replayed": 4.0, "32 others, replayed": 2.5}
"""Minimum number of steps per second, as a multiple of scalar CartPole-v1."""
MEMORY_BUDGET = 64
"""Maximum memory per car [KB]."""
Steps = Iterator[tuple[int, float]]
"""Numbers of env steps and the seconds that they took."""


def timed(step: Callable[[], object], n: int) -> tuple[int, float]:
    """Time one call of ``step``, which takes ``n`` env steps."""
    started = time.process_time()
    step()
    return n, time.process_time() - started


def vector(env_id: str, n: int, seen: list[np.ndarray], **kwargs: object) -> Steps:
    """Run the vector env of ``gym.make_vec``; add to ``seen`` the distances of the others, now and then."""
    env = gym.make_vec(env_id, num_envs=n, **kwargs)
    env.reset(seed=0)
    world = env.unwrapped.simulation.world
    for step in count():
        plans = env.unwrapped.expert_plans()
        if step % 100 == 50:
            away = np.hypot(world.agents["x"] - world.cars["x"][:, None], world.agents["y"] - world.cars["y"][:, None])
            seen.append(np.where(world.agents["present"], away, np.nan))
        yield timed(lambda plans=plans: env.step(plans), n)


def adapter(env_id: str, n: int, **kwargs: object) -> Steps:
    """Run the vec env of ``make_waypoint_vec_env``."""
    venv = make_waypoint_vec_env(env_id, n, seed=0, env_kwargs=kwargs)
    venv.reset()
    while True:
        plans = venv.env.expert_plans()
        yield timed(lambda plans=plans: venv.step(plans), n)


def dummy(n: int = 8) -> Steps:
    """Run a ``DummyVecEnv`` of scalar envs."""
    venv = DummyVecEnv([lambda: gym.make("ToyWaypoint-v0", disable_env_checker=True)] * n)
    venv.reset()
    while True:
        plans = np.stack(venv.env_method("expert_plan"))
        yield timed(lambda plans=plans: venv.step(plans), n)


def scalar() -> Steps:
    """Run the scalar env of ``gym.make``, with its resets."""
    env = gym.make("ToyWaypoint-v0", disable_env_checker=True)
    env.reset(seed=0)
    while True:
        plan = env.unwrapped.expert_plan()
        yield timed(lambda plan=plan: drive(env, [plan]), 1)


def peer(env_id: str, n: int) -> Steps:
    """Run another scalar env with random actions, ``n`` steps at a time, with its resets."""
    env = gym.make(env_id, disable_env_checker=True)
    env.reset(seed=0)
    env.action_space.seed(0)
    while True:
        actions = [env.action_space.sample() for _ in range(n)]
        yield timed(lambda actions=actions: drive(env, actions), n)


def metadrive() -> Steps:
    """Run MetaDrive with its own traffic and random actions, with its resets."""
    from metadrive import MetaDriveEnv

    env = MetaDriveEnv({"use_render": False, "log_level": 50})
    env.reset(seed=0)
    env.action_space.seed(0)
    while True:
        action = env.action_space.sample()
        yield timed(lambda action=action: drive(env, [action]), 1)


def drive(env: gym.Env, actions: list[np.ndarray]) -> None:
    """Step through the actions, and reset when an episode ends."""
    for action in actions:
        _, _, terminated, truncated, _ = env.step(action)
        if terminated or truncated:
            env.reset()


def memory_per_car(env_id: str, **kwargs: object) -> float:
    """Return the memory per car [bytes], from 8,192 additional cars."""

    def resident(n_cars: int) -> int:
        env = gym.make_vec(env_id, num_envs=n_cars, **kwargs)
        env.reset(seed=0)
        env.step(env.unwrapped.expert_plans())
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    small = resident(N_CARS)
    return (resident(9 * N_CARS) - small) / (8 * N_CARS)


def main() -> None:
    """Run all and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.5, help="of stepping in each turn")
    options = parser.parse_args()
    contenders: dict[str, Steps] = {
        REFERENCE: peer("CartPole-v1", 100),
        VECTOR: vector("ToyWaypoint-v0", N_CARS, []),
        ADAPTER: adapter("ToyWaypoint-v0", N_CARS),
        "ToyWaypoint-v0, DummyVecEnv of 8": dummy(),
        "ToyWaypoint-v0, scalar": scalar(),
    }
    seen: dict[str, list[np.ndarray]] = {}
    ratios = {}
    for who, traffic in TRAFFIC.items():
        kwargs = {"traffic": {"pedestrians": 0, "parked": 0} | traffic, "route_length": ROUTE_LENGTH}
        name = f"TrafficWaypoint-v0, gym.make_vec, {N_WORLDS} cars, {who}"
        seen[name] = []
        contenders[name] = vector("TrafficWaypoint-v0", N_WORLDS, seen[name], **kwargs)
        if who in RATIOS:
            ratios[name] = RATIOS[who]
    contenders[f"TrafficWaypoint-v0, make_waypoint_vec_env, {N_WORLDS} cars, as shipped"] = adapter(
        "TrafficWaypoint-v0", N_WORLDS
    )
    if importlib.util.find_spec("highway_env"):
        import highway_env  # noqa: F401 (registers its envs)

        contenders["highway-env racetrack-v1, scalar"] = peer("racetrack-v1", 1)
    else:
        print("highway-env is not installed: left out")
    if importlib.util.find_spec("metadrive"):
        contenders["MetaDrive, scalar"] = metadrive()
    else:
        print("MetaDrive is not installed: left out")
    memory = {
        "ToyWaypoint-v0": memory_per_car("ToyWaypoint-v0"),
        "TrafficWaypoint-v0, 16 others": memory_per_car(
            "TrafficWaypoint-v0", traffic={"vehicles": 16, "pedestrians": 0, "parked": 0}
        ),
    }
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(1 + options.turns):
        for name, steps in contenders.items():
            n_steps, seconds = 0, 0.0
            while seconds < options.seconds:
                n, took = next(steps)
                n_steps, seconds = n_steps + n, seconds + took
            rates[name].append(n_steps / seconds)
    print("| env | steps/s | budget | times CartPole-v1 |\n|---|---|---|---|")
    for name, (_, *values) in rates.items():  # the first turn is a warm-up, in which all episodes have the same age
        ratio = median(value / reference for value, reference in zip(values, rates[REFERENCE][1:], strict=True))
        budget = f"{BUDGETS[name]:,.0f}" if name in BUDGETS else ""
        if name in ratios:
            budget = f"{ratios[name]:g} times CartPole-v1"
        print(f"| {name} | {median(values):,.0f} | {budget} | {ratio:.3g} |")
    for name, rows in seen.items():
        away = np.concatenate(rows)
        there = np.isfinite(away)
        if there.any():
            share = (away[there] < NEAR).mean()
            print(f"{name}: {there.sum(axis=1).mean():.1f} others, {share:.0%} of them within {NEAR:g} m")
    for name, size in memory.items():
        print(f"memory per car, {name}: {size / 1024:.1f} KB, budget {MEMORY_BUDGET} KB")


if __name__ == "__main__":
    main()
