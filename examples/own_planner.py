"""
A planner of your own, refined by PPO. This one is not trained: it follows the route at a constant speed, too fast for curves.

    python examples/own_planner.py
    python examples/own_planner.py --speed 5 --steps 400000
"""

import argparse

import torch
from stable_baselines3 import PPO

from sb3_delta_waypoint import DeltaWaypointPolicy, WaypointPolicy, make_waypoint_vec_env
from sb3_delta_waypoint.callbacks import BoundedSchedulesCallback, CriticWarmupCallback
from sb3_delta_waypoint.evaluation.rollout import Scenarios


class RouteFollower(torch.nn.Module):
    """
    A planner that follows the observed route points at a constant speed.

    :param speed: speed [m/s]
    """

    horizon_steps = 20
    plan_dt = 0.1

    def __init__(self, speed: float):
        super().__init__()
        self.speed = speed

    def forward(self, observation: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the latent ``(B, 4)``, here the state itself, and waypoints ``(B, 20, 2)``, metres, ego frame."""
        state, route = observation["state"], observation["route"]
        line = torch.cat([torch.zeros_like(route[:, :1]), route], dim=1)
        lengths = line.diff(dim=1).norm(dim=2)
        reached = torch.cat([torch.zeros_like(lengths[:, :1]), lengths.cumsum(dim=1)], dim=1)
        way = self.speed * self.plan_dt * torch.arange(1, self.horizon_steps + 1, device=state.device).repeat(len(state), 1)
        piece = (torch.searchsorted(reached, way) - 1).clamp(0, lengths.shape[1] - 1)
        share = ((way - reached.gather(1, piece)) / lengths.gather(1, piece).clamp(min=1e-3)).clamp(max=1.0)
        index = piece[..., None].expand(-1, -1, 2)
        return state, line.gather(1, index) + share[..., None] * line.diff(dim=1).gather(1, index)


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--speed", type=float, default=8.0, help="of the planner [m/s]")
parser.add_argument("--steps", type=int, default=80_000, help="env steps of refinement")
parser.add_argument("--scenarios", type=int, default=200, help="held-out scenarios")
options = parser.parse_args()

torch.set_num_threads(1)
planner = RouteFollower(options.speed)
# in training, episodes start farther off the route than in evaluations
venv = make_waypoint_vec_env("ToyWaypoint-v0", n_envs=128, seed=1, start={"lateral": 1.0, "heading": 0.2})
settings = {"learning_rate": 3e-3, "n_steps": 32, "batch_size": 1024, "n_epochs": 20, "gamma": 0.9, "gae_lambda": 0.9}
# slowing down from 8 to 5 m/s moves the waypoint after 2 s by 6 m, which the default bound of 2 m would not allow;
# a planner can also set the scale (at the first and the last waypoint) by its residual_std
policy_kwargs = {"sft": planner, "max_delta": 8.0, "residual_scale": (0.4, 4.0)}
model = PPO(DeltaWaypointPolicy, venv, policy_kwargs=policy_kwargs, seed=0, **settings)
# the critic is trained alone first, so that an untrained critic does not spoil the planner's plans
model.learn(options.steps, callback=[CriticWarmupCallback(warmup_steps=10_000), BoundedSchedulesCallback()])

for name, policy in {"planner": WaypointPolicy(planner), "refined": WaypointPolicy(model)}.items():
    metrics = Scenarios(options.scenarios).evaluate(policy)
    shown = {key: metrics[key].mean() for key in ("success_rate", "speed_mean", "ade", "lateral_deviation_mean")}
    print(f"{name}: " + ", ".join(f"{key} {value:.3f}" for key, value in shown.items()))
