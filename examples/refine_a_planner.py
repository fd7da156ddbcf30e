"""
The whole pipeline in Python: the expert drives, a planner is cloned from it, GRPO refines the planner, and both are compared.

    python examples/refine_a_planner.py
    python examples/refine_a_planner.py --steps 800000 --scenarios 1000
"""

import argparse
import tempfile

import gymnasium as gym
import torch

from sb3_delta_waypoint import GRPO, DeltaWaypointPolicy, WaypointPolicy, make_waypoint_vec_env
from sb3_delta_waypoint.episodes.reader import read_episodes
from sb3_delta_waypoint.episodes.recorder import record_episodes
from sb3_delta_waypoint.evaluation.compare import compare
from sb3_delta_waypoint.evaluation.rollout import Scenarios
from sb3_delta_waypoint.sft.training import train_sft

torch.set_num_threads(1)  # a second thread does not speed up networks this small
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--demonstrations", type=int, default=5, help="episodes that the expert drives")
parser.add_argument("--steps", type=int, default=100_000, help="env steps of refinement")
parser.add_argument("--scenarios", type=int, default=200, help="held-out scenarios of the comparison")
options = parser.parse_args()

with tempfile.TemporaryDirectory() as folder:
    record_episodes(gym.make("ToyWaypoint-v0"), options.demonstrations, folder, seed=0)
    episodes, _ = read_episodes(f"{folder}/*.json")
planner = train_sft(episodes, seed=0).model

# eight cars on each route; a plan becomes more likely if its car did better than the seven others
venv = make_waypoint_vec_env("ToyWaypoint-v0", n_envs=128, seed=1, group_size=8, start={"lateral": 1.0, "heading": 0.2})
model = GRPO(
    DeltaWaypointPolicy,
    venv,
    learning_rate=1e-3,
    batch_size=2048,
    n_epochs=5,
    gamma=0.9,
    group_size=8,
    n_groups=8,
    advantage="process",
    advantage_scale="batch",
    policy_kwargs={"sft": planner},
    seed=0,
)
model.learn(options.steps)

scenarios = Scenarios(options.scenarios)
comparison = compare(scenarios.evaluate(WaypointPolicy(planner)), scenarios.evaluate(WaypointPolicy(model)))
for name in ("success_rate", "ade", "lateral_deviation_mean"):
    metric = comparison["metrics"][name]
    low, high = metric["difference"]["ci95"]
    print(f"{name}: {metric['sft']['mean']:.3f} -> {metric['rl']['mean']:.3f}, difference in [{low:+.3f}, {high:+.3f}]")
print(comparison["verdict"])
