"""
The number of demonstrations needed: planners are cloned from few drives in Town01, refined there, and evaluated in Town02.

    python benchmarks/fewest_demonstrations.py --routes Town01.xodr --eval-routes Town02.xodr --seeds 3

Runs ``sb3-delta-waypoint demo`` for each number and seed (existing results are not computed again), prints a table of medians
(of two seeds: of means) and writes ``fewest_demonstrations.png``.
"""

import argparse
import json
import sys
from pathlib import Path

import matplotlib
import numpy as np
from refine import run

COUNTS = (1, 2, 3, 5, 8)
GOAL = 0.95
SFT, RL = "#d55e00", "#0072b2"


def success(out: Path, town: str) -> dict[str, float]:
    """Return the success rates of the planner and of its refinement in a town."""
    metrics = json.loads((out / town / "comparison.json").read_text())["metrics"]["success_rate"]
    return {who: metrics[who]["mean"] for who in ("sft", "rl")}


def plot(rates: list[dict[str, list[float]]], home: str, town: str, path: Path) -> None:
    """Plot the success rates of planner and refined policy by number of demonstrations, every seed and the middle of them."""
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axis = plt.subplots(figsize=(6.4, 4.0), constrained_layout=True)
    places = np.arange(len(COUNTS))
    n_seeds = len(rates[0]["sft"])
    middle = "mean" if n_seeds == 2 else "median"
    for who, colour, label, marker, dashes in (
        ("sft", SFT, "planner (SFT)", "o", (0, (4, 1.5))),
        ("rl", RL, "refined by GRPO", "s", "-"),
    ):
        medians = [np.median(rate[who]) for rate in rates]
        axis.plot(places, medians, color=colour, marker=marker, linestyle=dashes, label=label)
        for place, rate in zip(places, rates, strict=True):
            axis.scatter([place] * len(rate[who]), rate[who], color=colour, marker=marker, s=14, alpha=0.5, zorder=3)
    axis.axhline(GOAL, color="0.5", linestyle=":", linewidth=1, label=f"{GOAL:.0%}")
    axis.set_xticks(places, [str(count) for count in COUNTS])
    axis.set_xlabel("demonstrations from " + home)
    axis.set_ylabel(f"success rate in {town}, never seen")
    axis.set_title(f"Small marks: {n_seeds} seeds; lines: their {middle}", fontsize=10)
    axis.set_ylim(None, 1.02)
    axis.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Run what is missing, print the table, draw the plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--routes", required=True)
    parser.add_argument("--eval-routes", required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--timesteps", type=int, default=1_000_000)
    parser.add_argument("--out", type=Path, default=Path("out/benchmarks/fewest"))
    options = parser.parse_args()
    town = Path(options.eval_routes).stem
    arguments = ["--routes", options.routes, "--eval-routes", options.eval_routes, "--timesteps", str(options.timesteps)]
    rates = []
    print(f"| demonstrations | {town}: SFT | refined | by seed |\n|---|---|---|---|")
    for count in COUNTS:
        results = []
        for seed in range(options.seeds):
            out = options.out / f"{count}_{seed}"
            run(seed, out, [*arguments, "--demonstrations", str(count)])
            results.append(success(out, town))
        rates.append({who: [result[who] for result in results] for who in ("sft", "rl")})
        sft, rl = (np.median(rates[-1][who]) for who in ("sft", "rl"))
        seeds = ", ".join(f"{result['sft']:.3f} → {result['rl']:.3f}" for result in results)
        print(f"| {count} | {sft:.3f} | {rl:.3f} | {seeds} |")
        sys.stdout.flush()
    plot(rates, Path(options.routes).stem, town, options.out / "fewest_demonstrations.png")


if __name__ == "__main__":
    main()
