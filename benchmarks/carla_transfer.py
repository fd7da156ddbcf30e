"""
Transfer of a policy refined in TrafficWaypoint-v0 to the loopback server: another simulator, another car, another town.

    python benchmarks/carla_transfer.py --model best_model.zip --town Town02.xodr
    python benchmarks/carla_transfer.py --model best_model.zip --planner planner.pt --town Town02.xodr --episodes 300

The refined policy and its planner drive the same scenarios of ``CarlaWaypoint-v0`` among 12 vehicles and 5 pedestrians, with
traffic lights. Scenarios are driven until the interval of the paired difference in at-fault collisions excludes zero, looked
at after every 50 of them from the 100th on, and at most ``--episodes``. So many looks make the interval a little too narrow;
with ``--all`` there is one look, at the end. The same command goes on where it was broken off. The loopback server is a
kinematic stand-in: none of this is a result of CARLA.
"""

import argparse
import json
from pathlib import Path

import numpy as np

ENV_ID = "CarlaWaypoint-v0"
METRICS = (
    "collision_at_fault", "collision", "collision_pedestrian", "red_light", "driving_score_2_0", "driving_score_2_1",
    "closed_loop_score", "score_red_light", "score_progress", "success", "timeout", "off_route",
)  # fmt: skip
"""Rows of the table; those that are missing in the comparison have no value in any episode."""
LEAST, EVERY = 100, 50
"""Number of scenarios before the first look at the interval, and between two looks."""


def drive(options: argparse.Namespace, settings: dict[str, object], rows: list[dict[str, dict[str, float]]]) -> None:
    """Drive further scenarios, and write each down."""
    import gymnasium as gym
    import torch

    from sb3_delta_waypoint.commands.scenario_options import env_kwargs_for
    from sb3_delta_waypoint.evaluation.carla.closed_loop import EpisodeFault, drive_episode
    from sb3_delta_waypoint.evaluation.side_by_side import planner_inside
    from sb3_delta_waypoint.policies.inference import WaypointPolicy

    torch.set_num_threads(1)
    refined = WaypointPolicy(options.model)
    planner = planner_inside(refined) if options.planner is None else WaypointPolicy(options.planner)
    traffic = {"vehicles": options.vehicles, "pedestrians": options.pedestrians}
    kwargs = env_kwargs_for(refined, ENV_ID, None, (("town", str(options.town)), ("traffic", traffic)))
    if isinstance(planner, WaypointPolicy):
        groups = (*kwargs.get("observe", ()), *planner.observation_keys)
        kwargs["observe"] = tuple(dict.fromkeys(groups))
    env = gym.make(ENV_ID, disable_env_checker=True, **kwargs).unwrapped
    try:
        with (options.out / "episodes.jsonl").open("a") as file:
            if not rows:
                file.write(json.dumps(settings) + "\n")
            while len(rows) < options.episodes and (options.all or not decided(rows)):
                number = len(rows)
                try:
                    row = {
                        name: drive_episode(env, policy, options.seed, number)["metrics"]
                        for name, policy in (("planner", planner), ("refined", refined))
                    }
                except EpisodeFault as fault:
                    print(f"scenario {number} again: {fault}", flush=True)
                    continue
                rows.append(row)
                file.write(json.dumps(row) + "\n")
                file.flush()
                if len(rows) % EVERY == 0:
                    means = [np.mean([row[name]["collision_at_fault"] for row in rows]) for name in row]
                    print(f"{len(rows)} scenarios: at-fault collisions {means[0]:.3f} → {means[1]:.3f}", flush=True)
    finally:
        env.close()


def decided(rows: list[dict[str, dict[str, float]]]) -> bool:
    """Whether the interval of the difference in at-fault collisions excludes zero at the last look."""
    from sb3_delta_waypoint.evaluation.statistics import bootstrap_ci95

    looked = len(rows) // EVERY * EVERY
    if looked < LEAST:
        return False
    changes = [row["refined"]["collision_at_fault"] - row["planner"]["collision_at_fault"] for row in rows[:looked]]
    low, high = bootstrap_ci95(np.array(changes))
    return bool(low > 0.0 or high < 0.0)


def read(path: Path, settings: dict[str, object]) -> list[dict[str, dict[str, float]]]:
    """Read what an earlier run has driven."""
    if not path.exists():
        return []
    lines = path.read_text().splitlines()
    # the last line may have been cut off
    if not path.read_text().endswith("\n"):
        lines = lines[:-1]
        path.write_text("".join(f"{line}\n" for line in lines))
    if lines and json.loads(lines[0]) != settings:
        raise SystemExit(f"{path} was driven with {lines[0]}; choose another --out, or remove it")
    return [json.loads(line) for line in lines[1:]]


def main() -> None:
    """Drive, compare, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="the refined model (.zip)")
    parser.add_argument("--planner", type=Path, help="the planner (.pt); default: the one inside the model")
    parser.add_argument("--town", type=Path, required=True, help="the map")
    parser.add_argument("--vehicles", type=int, default=12)
    parser.add_argument("--pedestrians", type=int, default=5)
    parser.add_argument("--episodes", type=int, default=1000, help="largest number of scenarios")
    parser.add_argument("--all", action="store_true", help="drive all of them, whatever the interval")
    parser.add_argument("--seed", type=int, default=20_000, help="base seed of the scenarios")
    parser.add_argument("--out", type=Path, default=Path("out/benchmarks/carla_transfer"))
    options = parser.parse_args()
    from sb3_delta_waypoint.evaluation.compare import compare
    from sb3_delta_waypoint.files import write_json

    options.out.mkdir(parents=True, exist_ok=True)
    names = ("model", "planner", "town", "vehicles", "pedestrians", "seed")
    settings = {name: value if isinstance(value := getattr(options, name), int) else str(value) for name in names}
    rows = read(options.out / "episodes.jsonl", settings)[: options.episodes]
    if len(rows) < options.episodes and (options.all or not decided(rows)):
        drive(options, settings, rows)

    sides = [{name: np.array([row[side][name] for row in rows]) for name in rows[0][side]} for side in ("planner", "refined")]
    comparison = compare(*sides)
    comparison["backend"] = "loopback"
    write_json(options.out / "comparison.json", comparison)
    print(f"\n{len(rows)} scenarios on {options.town.stem}, {options.vehicles} vehicles, {options.pedestrians} pedestrians, "
          "backend: loopback\n")  # fmt: skip
    print("| metric | planner | refined | difference |\n|---|---|---|---|")
    for name in METRICS:
        name = name if name in comparison["metrics"] else f"{name}_rate"
        if name in comparison["metrics"]:
            metric = comparison["metrics"][name]
            low, high = metric["difference"]["ci95"]
            print(f"| {name} | {metric['sft']['mean']:.3f} | {metric['rl']['mean']:.3f} | "
                  f"{metric['difference']['mean']:+.3f} [{low:+.3f}, {high:+.3f}] |")  # fmt: skip
    before, after = (comparison["metrics"]["collision_at_fault"][side]["mean"] for side in ("sft", "rl"))
    if before > 0.0:
        print(f"\nat-fault collisions: {100.0 * (after / before - 1.0):+.0f} %")


if __name__ == "__main__":
    main()
