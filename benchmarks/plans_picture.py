"""
The picture at the top of README.md: one moment on held-out routes, chosen by a rule.

    python benchmarks/plans_picture.py --model out/demo/logs/grpo/ToyWaypoint-v0_1/best_model.zip --out plans.png

The refined policy drives 1,000 held-out scenarios. Of all moments in which every waypoint of its plan lies on the road and at
least ``CLEAR`` from the kerb, the picture shows the one in which the planner's plan leaves the road farthest.
"""

import argparse
from pathlib import Path

import gymnasium as gym
import numpy as np
import torch
from PIL import Image

from sb3_delta_waypoint import WaypointPolicy, make_waypoint_vec_env
from sb3_delta_waypoint.driving.frames import to_world
from sb3_delta_waypoint.driving.simulation import Simulation
from sb3_delta_waypoint.evaluation.seeds import REPORT_SEED
from sb3_delta_waypoint.policies.inference import PlanParts
from sb3_delta_waypoint.rendering.birds_eye import Renderer
from sb3_delta_waypoint.rendering.scene import pose, scene

ENV_ID = "ToyWaypoint-v0"
SCENARIOS = 1000
CLEAR = 1.0
"""Minimum distance of the refined plan from the kerb [m], which is 2 m from the middle of the road."""
PIXELS_PER_METRE = 32.0
"""Scale of the picture, twice that of the env's own pictures."""
REMAINING = 30.0
"""Minimum distance to the goal [m], since no road is drawn beyond it."""


def off_the_middle(plan: np.ndarray, simulation: Simulation, i: int) -> np.ndarray:
    """Return the distances of a plan's waypoints from the middle of the road of car ``i``, (H,) metres."""
    car = simulation.cars[i]
    points = to_world(plan, pose(simulation, i))
    route = simulation.routes[i, : car["n_points"]]
    line = np.stack([route["x"], route["y"]], axis=1)
    steps = np.diff(line, axis=0)
    share = np.clip(((points[:, None] - line[:-1]) * steps).sum(axis=2) / (steps**2).sum(axis=1), 0.0, 1.0)
    nearest = line[:-1] + share[..., None] * steps
    return np.linalg.norm(points[:, None] - nearest, axis=2).min(axis=1)


def departure(parts: PlanParts, simulation: Simulation, i: int) -> float:
    """Return how far the planner's plan leaves the road [m]; 0 if the refined plan is near the kerb, or the goal is near."""
    car, half_width = simulation.cars[i], simulation.config.rules.off_route_distance
    if car["route_length"] - car["progress"] < REMAINING:
        return 0.0
    if off_the_middle(parts.waypoints, simulation, i).max() > half_width - CLEAR:
        return 0.0
    return float(off_the_middle(parts.sft_waypoints, simulation, i).max()) - half_width


def scenario_of_the_picture(policy: WaypointPolicy) -> int:
    """Return the scenario that contains the moment chosen by the rule."""
    venv = make_waypoint_vec_env(ENV_ID, SCENARIOS, REPORT_SEED)
    simulation = venv.get_attr("simulation")[0]
    observations, most = venv.reset(), np.zeros(SCENARIOS)
    running = np.ones(SCENARIOS, bool)
    while running.any():
        parts = policy(observations, parts=True)
        # exact distances only if the plans differ by enough to win
        differ = np.linalg.norm(parts.delta, axis=2).max(axis=1) > most.max()
        for i in np.flatnonzero(running & differ):
            most[i] = max(most[i], departure(PlanParts(*(part[i] for part in parts)), simulation, i))
        observations, _, dones, _ = venv.step(parts.waypoints)
        running &= ~dones
    venv.close()
    return int(most.argmax())


def main() -> None:
    """Find the scenario, drive it again and keep the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    policy = WaypointPolicy(options.model)
    scenario = scenario_of_the_picture(policy)
    env = gym.make(ENV_ID)
    observation, _ = env.reset(seed=REPORT_SEED, options={"scenario": scenario})
    simulation, renderer = env.unwrapped.simulation, Renderer("rgb_array", 10, pixels_per_metre=PIXELS_PER_METRE)
    done, most, picture, caption, trail = False, 0.0, None, "", []
    while not done:
        parts = policy(observation, parts=True)
        trail.append(pose(simulation, 0)[:2])
        off_road = departure(parts, simulation, 0)
        if off_road > most:
            plans = {"expert": env.unwrapped.expert_plan(), "sft": parts.sft_waypoints, "final": parts.waypoints}
            most, picture = off_road, renderer.draw(scene(simulation, 0, plans, np.array(trail), 0)._replace(text=()))
            car, off_middle = simulation.cars[0], off_the_middle(parts.waypoints, simulation, 0).max()
            caption = (
                f"scenario {scenario}, {car['progress']:.0f} m after its start, {car['speed']:.1f} m/s: "
                f"the planner's plan leaves the road by {off_road:.2f} m, the refined one stays {2.0 - off_middle:.2f} m "
                "from the kerb"
            )
        observation, _, terminated, truncated, info = env.step(parts.waypoints)
        done = terminated or truncated
    print(f"{caption}; the drive {'reaches the goal' if info['is_success'] else 'fails later'}")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(options.out)


if __name__ == "__main__":
    main()
