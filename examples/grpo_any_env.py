"""
GRPO on any Gymnasium env, with Stable-Baselines3's own policies: it compares episodes with the same start, without a critic.

    python examples/grpo_any_env.py
    python examples/grpo_any_env.py --env Pendulum-v1 --steps 300000
"""

import argparse

import torch
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy

from sb3_delta_waypoint import GRPO

# rewards are dense, so each step is compared by the rewards of the group after it
SETTINGS = {
    "Pendulum-v1": {
        "learning_rate": 2e-3,
        "batch_size": 256,
        "advantage": "process",
        "advantage_scale": "batch",
        "gamma": 0.95,
        "group_size": 4,
        "n_groups": 4,
    }
}

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--env", default="CartPole-v1", help="id of an env that honours reset(seed=...)")
parser.add_argument("--steps", type=int, default=20_000, help="env steps")
options = parser.parse_args()

torch.set_num_threads(1)
model = GRPO("MlpPolicy", make_vec_env(options.env, n_envs=8), seed=1, **SETTINGS.get(options.env, {}))
before, _ = evaluate_policy(model, make_vec_env(options.env, n_envs=8, seed=1000), n_eval_episodes=40)
model.learn(options.steps)
after, _ = evaluate_policy(model, make_vec_env(options.env, n_envs=8, seed=1000), n_eval_episodes=40)
print(f"{options.env}: mean reward {before:.1f} before, {after:.1f} after {model.num_timesteps} steps")
