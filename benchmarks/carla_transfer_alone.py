"""
Transfer of a policy refined in ToyWaypoint-v0 on Town01 to the loopback server on Town02, with a new car in a new town.

    python benchmarks/carla_transfer_alone.py --run out/towns --train-town Town01.xodr --town Town02.xodr

``--run`` is the output of ``sb3-delta-waypoint demo --routes Town01.xodr --demonstrations 15 --out out/towns``. Compares the
policy with its planner on the loopback server, refines it further there (Town01), compares again, and writes the pictures of
both comparisons and ``learning.png``: learning curves in the loopback server, starting from the planner and from the policy.
The loopback server is a kinematic stand-in: none of this is a result of CARLA.
"""

import argparse
import json
import subprocess
from pathlib import Path

import matplotlib
import numpy as np

ENV_ID = "CarlaWaypoint-v0"
METRICS = ("success_rate", "route_completion", "ade", "fde", "lateral_deviation_mean")


def command(*arguments: object) -> None:
    """Run a command of this package."""
    subprocess.run(["sb3-delta-waypoint", *map(str, arguments)], check=True)


def main() -> None:
    """Compare, refine, compare, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--train-town", type=Path, required=True)
    parser.add_argument("--town", type=Path, required=True)
    parser.add_argument("--episodes", type=int, default=300)
    parser.add_argument("--timesteps", type=int, default=100_000)
    parser.add_argument("--out", type=Path, default=Path("out/benchmarks/transfer"))
    options = parser.parse_args()
    planner = options.run / "sft" / "model.pt"
    (refined,) = options.run.glob("logs/grpo/*/best_model.zip")
    runs = {}
    for name, start in (("from the planner", ["--sft", planner]), ("from the refined policy", ["-i", refined])):
        logs = options.out / name.replace(" ", "_")
        runs[name] = logs / "grpo" / f"{ENV_ID}_1"
        if not (runs[name] / f"{ENV_ID}.zip").exists():
            arguments = ["--algo", "grpo", "--env", ENV_ID, "--env-kwargs", f"town:{str(options.train_town)!r}", *start]
            arguments += ["-f", logs, "-n", options.timesteps, "--seed", 0, "--eval-freq", options.timesteps // 10]
            command("train", *arguments, "--eval-episodes", 64, "--num-threads", 1, "--verbose", 0)
    further = runs["from the refined policy"]
    models = {"refined in ToyWaypoint-v0": refined, "and further in the loopback": further / f"{ENV_ID}.zip"}
    rows = {}
    for number, (name, model) in enumerate(models.items()):
        out = options.out / f"comparison_{number}"
        if not (out / "comparison.json").exists():
            town = f"town:{str(options.town)!r}"
            command("compare", "--sft", planner, "--rl", model, "--env", ENV_ID, "--env-kwargs", town,
                    "--episodes", options.episodes, "--out", out)  # fmt: skip
        rows[name] = json.loads((out / "comparison.json").read_text())
    first = next(iter(rows.values()))
    print(f"\n{first['n_scenarios']} episodes on {options.town.stem}, backend: {first['backend']}\n")
    print("| metric | planner (SFT) |" + "".join(f" {name} | difference |" for name in rows))
    print("|---" * (2 + 2 * len(rows)) + "|")
    for metric in METRICS:
        cells = [f"{first['metrics'][metric]['sft']['mean']:.3f}"]
        for comparison in rows.values():
            numbers = comparison["metrics"][metric]
            low, high = numbers["difference"]["ci95"]
            cells += [f"{numbers['rl']['mean']:.3f}", f"{numbers['difference']['mean']:+.3f} [{low:+.4f}, {high:+.4f}]"]
        print(f"| {metric} | " + " | ".join(cells) + " |")

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(8, 3.2), constrained_layout=True)
    for (name, run), (colour, dashes) in zip(runs.items(), (("#d55e00", (0, (4, 1.5))), ("#0072b2", "-")), strict=True):
        evaluations = np.load(run / "evaluations.npz")
        steps = evaluations["timesteps"]
        for axis, key, label in zip(axes, ("success_rate", "ade"), ("success rate", "ADE (m)"), strict=True):
            mean = evaluations[key].mean(axis=1)
            half = 1.96 * evaluations[key].std(axis=1) / np.sqrt(evaluations[key].shape[1])
            axis.plot(steps / 1000, mean, color=colour, linestyle=dashes, label=name)
            high = np.minimum(mean + half, 1.0) if key == "success_rate" else mean + half
            axis.fill_between(steps / 1000, mean - half, high, color=colour, alpha=0.2, linewidth=0)
            axis.set_xlabel("env steps in the loopback server (thousands)")
            axis.set_ylabel(label)
            axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylim(None, 1.005)
    axes[1].set_ylim(0.0, None)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    figure.suptitle(
        f"GRPO in the loopback server, {options.train_town.stem} (not CARLA): 64 episodes, 95% intervals", fontsize=10
    )
    figure.savefig(options.out / "learning.png", dpi=110)


if __name__ == "__main__":
    main()
