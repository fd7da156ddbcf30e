"""
The picture at the top of README.md: the moment on a route at which refining has brought the plan most nearer to the expert's.

    python benchmarks/plans_picture.py --model out/demo/logs/ppo/ToyWaypoint-v0_1/best_model.zip --scenario 160 --out plans.png
"""

import argparse

import gymnasium as gym
from PIL import Image

import sb3_delta_waypoint  # noqa: F401 (registers the env)
from sb3_delta_waypoint import WaypointPolicy
from sb3_delta_waypoint.driving.metrics import ade
from sb3_delta_waypoint.evaluation.seeds import REPORT_SEED


def main() -> None:
    """Drive the scenario with the refined policy and keep the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--scenario", type=int, required=True)
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    policy = WaypointPolicy(options.model)
    env = gym.make("ToyWaypoint-v0", render_mode="rgb_array")
    observation, _ = env.reset(seed=REPORT_SEED, options={"scenario": options.scenario})
    done, most, picture = False, 0.0, env.render()
    while not done:
        parts, expert = policy(observation, parts=True), env.unwrapped.expert_plan()
        env.unwrapped.overlay = {"sft": parts.sft_waypoints}
        observation, _, terminated, truncated, _ = env.step(parts.waypoints)
        done = terminated or truncated
        gained = ade(parts.sft_waypoints, expert) - ade(parts.waypoints, expert)
        before_the_goal = len(env.unwrapped.simulation.routes[0]) - env.unwrapped.simulation.cars[0]["progress"]
        if gained > most and before_the_goal > 25.0:
            most, picture = gained, env.render()
    print(f"ADE {most:.2f} m lower than the planner's at this moment")
    Image.fromarray(picture).save(options.out)


if __name__ == "__main__":
    main()
