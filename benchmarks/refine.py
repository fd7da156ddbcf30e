"""
Refinement over several seeds: whether the planner is beaten, and whether any evaluation during training is below it.

    python benchmarks/refine.py --seeds 5 --out out/benchmarks/refine [--algo ppo]
    python benchmarks/refine.py --seeds 5 --out out/benchmarks/towns --routes Town01.xodr --demonstrations 15 \\
        --eval-routes Town02.xodr --timesteps 2000000
    python benchmarks/refine.py --seeds 3 --out out/benchmarks/a2c --sft out/demo/sft/model.pt --algo a2c

Runs ``sb3-delta-waypoint demo`` for each seed (existing seeds are not run again) and prints a table and medians. With
``--sft`` all seeds refine one planner, by ``train`` and ``compare`` instead of the demo.
"""

import argparse
import json
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

WORST_DROP = 0.03
"""Maximum distance of an evaluation below the planner's success rate."""


def run(seed: int, out: Path, arguments: list[str], sft: Path | None) -> dict[str, float]:
    """Run the demo, or the refinement of a planner, with one seed; return the times of all and of the refinement [s]."""
    timing = out / "seconds.json"
    if not timing.exists() and sft is not None:
        started = time.perf_counter()
        command = ["sb3-delta-waypoint", "train", "--sft", str(sft), "--seed", str(seed), "-f", str(out / "logs"), *arguments]
        command += ["--eval-freq", "50000", "--n-eval-envs", "256", "--num-threads", "1", "--verbose", "0"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        refining = time.perf_counter() - started
        (best,) = out.glob("logs/*/*/best_model.zip")
        command = ["sb3-delta-waypoint", "compare", "--sft", str(sft), "--rl", str(best), "--out", str(out)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        timing.write_text(json.dumps({"refining [s]": refining}))
    elif not timing.exists():
        started = time.perf_counter()
        command = ["sb3-delta-waypoint", "demo", "--seed", str(seed), "--out", str(out), *arguments]
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        refining = re.search(r"refined in ([\d.]+) s", output)
        timing.write_text(json.dumps({"demo [s]": time.perf_counter() - started, "refining [s]": float(refining[1])}))
    return json.loads(timing.read_text())


def row(comparison: dict) -> dict[str, float]:
    """Return the numbers of one comparison that the table shows."""
    success, ade = comparison["metrics"]["success_rate"], comparison["metrics"]["ade"]
    return {
        "SFT success": success["sft"]["mean"],
        "RL success": success["rl"]["mean"],
        "success gained, low": success["difference"]["ci95"][0],
        "SFT ADE": ade["sft"]["mean"],
        "RL ADE": ade["rl"]["mean"],
        "ADE ratio": ade["rl"]["mean"] / ade["sft"]["mean"],
        "ADE gained, high": ade["difference"]["ci95"][1],
    }


def lowest_margin(out: Path) -> float:
    """Return the lowest success rate during training minus the planner's on the same scenarios."""
    (path,) = out.glob("logs/*/*/evaluations.npz")
    rates = np.load(path)["successes"].mean(axis=1)
    return float((rates - rates[0]).min())


def main() -> None:
    """Run the seeds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("out/benchmarks/refine"))
    parser.add_argument("--sft", type=Path, help="refine this planner, instead of one of each seed's own")
    options, arguments = parser.parse_known_args()
    tables: dict[str, list[dict[str, float]]] = {}
    for seed in range(options.seeds):
        out = options.out / str(seed)
        seconds = run(seed, out, arguments, options.sft)
        for path in sorted(out.glob("**/comparison.json")):
            name = path.parent.name if path.parent != out else "training routes"
            margin = {"lowest on the way": lowest_margin(out)}
            tables.setdefault(name, []).append({**row(json.loads(path.read_text())), **margin, **seconds})
        print(f"seed {seed}: done", file=sys.stderr)
    for name, rows in tables.items():
        print(f"\n{name}")
        print("| seed | " + " | ".join(rows[0]) + " |")
        print("|---" * (len(rows[0]) + 1) + "|")
        for seed, numbers in enumerate(rows):
            print(f"| {seed} | " + " | ".join(f"{value:.3f}" for value in numbers.values()) + " |")
        medians = {key: float(np.median([numbers[key] for numbers in rows])) for key in rows[0]}
        print("| median | " + " | ".join(f"{value:.3f}" for value in medians.values()) + " |")
        worst = min(numbers["lowest on the way"] for numbers in rows)
        held = "yes" if worst >= -WORST_DROP else "NO"
        print(f"never more than {WORST_DROP} success below the planner: {held} ({worst:+.3f})")


if __name__ == "__main__":
    main()
