"""Fixtures of the commands' tests."""

import json

import pytest
import torch
from stable_baselines3 import PPO

from sb3_delta_waypoint.policies.delta_policy import DeltaWaypointPolicy
from sb3_delta_waypoint.sft.checkpoint import save_planner
from sb3_delta_waypoint.sft.planners import SFTWaypointModel
from sb3_delta_waypoint.vec_env import make_waypoint_vec_env
from tests.command_line import TINY, call, succeeded

H = 5
"""Waypoints of the planners here."""
ON_SHORT_ROUTES = ["--env-kwargs", "route_length:12", "--n-envs", "8"]
"""Options of ``evaluate``, ``compare`` and ``select``."""


@pytest.fixture(scope="session")
def recorded(tmp_path_factory):
    out = tmp_path_factory.mktemp("recorded") / "episodes"
    result = call("record", "--episodes", 5, "--out", out, "--seed", 4, "--route-length", 25)
    assert result.exit_code == 0, result.output
    assert f"5 episodes in {out}" in result.output
    return out


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """A planner and checkpoints that carry it, with residuals further and further from zero; the last has not run yet."""
    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    save_planner(SFTWaypointModel(horizon_steps=H, hidden_dims=(8,)), folder / "model.pt")
    venv = make_waypoint_vec_env(n_envs=2, horizon_steps=H)
    model = PPO(DeltaWaypointPolicy, venv, n_steps=8, batch_size=8, policy_kwargs={"sft": str(folder / "model.pt")}, seed=0)
    for steps, bias in ((900, 0.0), (10_000, 0.4), (20_000, 0.8)):
        with torch.no_grad():
            model.policy.delta_net[-1].bias[:] = bias
        model.save(folder / f"rl_model_{steps}_steps.zip")
    return folder


def write_predictions(path, errors, episodes=25):
    expert = [[float(step + 1), 0.0] for step in range(H)]
    samples = [
        {"episode_id": f"e{i}", "t": 0.1, "expert": expert, "predicted": [[x, y + errors + 0.01 * i] for x, y in expert]}
        for i in range(episodes)
    ]
    path.write_text(json.dumps({"horizon_steps": H, "dt": 0.1, "samples": samples}))
    return path


def write_episode(path):
    route = [[3.0 * (i + 1), 0.0] for i in range(10)]
    waypoints = [[0.5 * (step + 1), 0.0] for step in range(H)]
    frame = {"observations": {"cameras": {}, "state": [5.0, 0, 0, 0], "route": route}, "expert": {"waypoints": waypoints}}
    episode = {
        "episode_id": path.stem,
        "domain": "toy",
        "source": {"dataset": "toy", "split": "train", "scene_id": "0"},
        "cameras": [],
        "waypoint_spec": {"horizon_steps": H, "dt": 0.1, "frame": "ego", "units": "m"},
        "frames": [{"t": 0.1 * i, **frame} for i in range(3)],
    }
    path.write_text(json.dumps(episode))
    return path


@pytest.fixture(scope="session")
def logs(planner, tmp_path_factory):
    """The log folder of one run of the front end."""
    pytest.importorskip("rl_zoo3")
    logs = tmp_path_factory.mktemp("logs")
    output = succeeded(
        *("train", "--algo", "ppo", "--sft", planner, "--max-delta", 1.5, "--delta-hidden-dim", 16, "--eval-after-training"),
        *("-f", logs, "-n", 1000, "--eval-freq", 400, "--save-freq", 400, "--seed", 5, "-tb", logs / "tb", *TINY),
    )
    assert "hyperparams/ppo.yml" in output
    return logs


@pytest.fixture
def run(logs):
    return logs / "ppo" / "ToyWaypoint-v0_1"
