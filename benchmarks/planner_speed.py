"""
Plans per second of the planners that see other road users, beside the planner that the package brings along.

    python benchmarks/planner_speed.py

The planners take turns, on one thread, on random observations with half of the others present.
"""

import argparse
import time

import numpy as np
import torch

from sb3_delta_waypoint.contract import GROUPS
from sb3_delta_waypoint.envs.spaces import observation_space
from sb3_delta_waypoint.sft.checkpoint import load_planner
from sb3_delta_waypoint.sft.planners import AttentionWaypointModel, PooledWaypointModel


def observations(batch: int) -> dict[str, torch.Tensor]:
    """Return random observations within the bounds of the contract."""
    space = observation_space(GROUPS)
    space.seed(0)
    drawn = [space.sample() for _ in range(batch)]
    return {name: torch.as_tensor(np.stack([one[name] for one in drawn])) for name in space}


def plans_per_second(planner: torch.nn.Module, seen: dict[str, torch.Tensor], seconds: float) -> float:
    """Return how many plans a planner makes per second."""
    n, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < seconds:
        planner(seen)
        n += len(seen["state"])
    return n / (time.perf_counter() - begin)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 16, 128, 1024], help="observations at once")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(1)
    planners = {
        "shipped mlp": load_planner(None),
        "pooled": PooledWaypointModel(),
        "attention, width 64": AttentionWaypointModel(),
        "attention, width 128": AttentionWaypointModel(width=128),
    }
    print(f"{'plans/s (ratio)':22s}" + "".join(f"{f'batch {batch}':>22s}" for batch in args.batch))
    rates: dict[str, list[float]] = {name: [] for name in planners}
    with torch.no_grad():
        for batch in args.batch:
            seen = observations(batch)
            for planner in planners.values():
                plans_per_second(planner, seen, 0.05)
            rounds = [[plans_per_second(planner, seen, 0.1) for planner in planners.values()] for _ in range(args.rounds)]
            for name, rate in zip(planners, np.median(rounds, axis=0), strict=True):
                rates[name].append(float(rate))
    for name, found in rates.items():
        ratios = [rate / mlp for rate, mlp in zip(found, rates["shipped mlp"], strict=True)]
        print(f"{name:22s}" + "".join(f"{rate:13,.0f} ({ratio:5.3f})" for rate, ratio in zip(found, ratios, strict=True)))


if __name__ == "__main__":
    main()
