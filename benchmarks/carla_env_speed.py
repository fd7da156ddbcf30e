"""
Env steps and resets per second of CarlaWaypoint-v0 over the loopback server, through the real client.

    python benchmarks/carla_env_speed.py

Only ``step`` and ``reset`` are timed; the plans come from the expert between the steps, so that the car drives as it does in
training. Client and server are two processes: on a machine with fewer than two idle cores these are lower bounds.
"""

import argparse
import time
from statistics import median

import gymnasium as gym

import sb3_delta_waypoint  # noqa: F401 (registers the env)

CAMERA = {"front": {"width": 84, "height": 64}}
CONTENDERS: dict[str, tuple[dict, float | None]] = {
    "no camera": ({}, 2000.0),
    "camera 84x64": ({"cameras": CAMERA}, 800.0),
    "traffic": ({"traffic": {}}, None),
    "20 ticks per second": ({"fps": 20}, None),
}
"""Arguments of the env, and the minimum number of steps per second."""
RESETS = 100.0
"""Minimum number of resets per second, without traffic."""


def steps_per_second(env: gym.Env, seconds: float) -> float:
    """Drive for a number of seconds and return the steps per second; resets are not timed."""
    taken, n = 0.0, 0
    while taken < seconds:
        plan = env.unwrapped.expert_plan()
        started = time.perf_counter()
        _, _, terminated, truncated, _ = env.step(plan)
        taken += time.perf_counter() - started
        n += 1
        if terminated or truncated:
            env.reset()
    return n / taken


def resets_per_second(env: gym.Env, n: int) -> float:
    """Begin ``n`` episodes and return the resets per second."""
    started = time.perf_counter()
    for _ in range(n):
        env.reset()
    return n / (time.perf_counter() - started)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of stepping in each turn")
    options = parser.parse_args()
    print("backend: loopback\n")
    print("| CarlaWaypoint-v0 | steps/s | budget | resets/s | budget |\n|---|---|---|---|---|")
    for name, (kwargs, budget) in CONTENDERS.items():
        env = gym.make("CarlaWaypoint-v0", disable_env_checker=True, **kwargs)
        env.reset(seed=0)
        steps_per_second(env, 0.5 * options.seconds)
        resets_per_second(env, 50)
        steps = median(steps_per_second(env, options.seconds) for _ in range(options.turns))
        resets = median(resets_per_second(env, 50) for _ in range(options.turns))
        env.close()
        shown = f"{budget:,.0f}" if budget else ""
        print(f"| {name} | {steps:,.0f} | {shown} | {resets:,.0f} | {'' if 'traffic' in kwargs else f'{RESETS:.0f}'} |")


if __name__ == "__main__":
    main()
