"""Share of explored plans that exceed ``max_delta``, by the distance of the planner's plan from the route."""

import argparse

import numpy as np
import torch as th
from stable_baselines3 import PPO

from sb3_delta_waypoint import DeltaWaypointPolicy, make_waypoint_vec_env


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--max-delta", type=float, default=2.0, help="bound of the residual [m]")
    parser.add_argument("--steps", type=int, default=200, help="steps of 256 cars")
    arguments = parser.parse_args()
    th.manual_seed(0)
    venv = make_waypoint_vec_env("ToyWaypoint-v0", n_envs=256, seed=1, start={"lateral": 1.0, "heading": 0.2})
    policy = PPO(DeltaWaypointPolicy, venv, n_steps=8, batch_size=64, policy_kwargs={"max_delta": arguments.max_delta}).policy
    policy.set_training_mode(False)
    observation = venv.reset()
    stretches, shares = [], []
    for _ in range(arguments.steps):
        with th.no_grad():
            distribution = policy.get_distribution({key: th.as_tensor(value) for key, value in observation.items()})
            plans = distribution.sample()
        beyond = (plans - distribution.sft_waypoints).abs() > arguments.max_delta
        stretches.append(distribution.stretch.flatten().numpy())
        shares.append(beyond.float().mean(dim=(1, 2)).numpy())
        observation, *_ = venv.step(plans.numpy())
    stretch, share = np.concatenate(stretches), np.concatenate(shares)
    print(f"all states: {share.mean():.4f} of the coordinates beyond {arguments.max_delta} m")
    for low, high in ((1, 2), (2, 5), (5, 10), (10, np.inf)):
        rows = (stretch >= low) & (stretch < high)
        if rows.any():
            print(f"stretched {low} to {high} times ({rows.mean():.4f} of the states): {share[rows].mean():.4f}")


if __name__ == "__main__":
    main()
