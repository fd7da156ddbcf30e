"""
Golden runs: seeded runs through the public interface, each with a digest of its numbers that a refactoring must not change.

    python benchmarks/golden_runs.py --record golden.json          # before
    python benchmarks/golden_runs.py --check golden.json           # after
    python benchmarks/golden_runs.py --check golden.json --only toy

Settings are fixed here, so that changed defaults have no effect. Digests can be compared only on the same machine, since other
processors and versions of PyTorch round differently. Planners and models are trained by the runs themselves.
"""

import os

os.environ.update(OMP_NUM_THREADS="1", SDL_VIDEODRIVER="dummy")

import argparse
import contextlib
import hashlib
import json
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from click.testing import CliRunner

import sb3_delta_waypoint  # noqa: F401 (registers the envs)
from sb3_delta_waypoint import GRPO, DeltaWaypointPolicy, WaypointPolicy, make_waypoint_vec_env
from sb3_delta_waypoint.cli import main as cli

torch.set_num_threads(1)
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
REWARD = {
    "progress": 0.1, "goal": 10.0, "time": 0.01, "lateral_deviation": 0.5, "imitation": 0.5, "comfort": 0.01, "off_route": 20.0
}  # fmt: skip
PINNED: dict[str, Any] = {"route_length": 100.0, "waypoint_spacing": 5.0, "off_route_distance": 2.0, "reward": REWARD}
OTHER: dict[str, Any] = {
    "route_length": 60.0,
    "waypoint_spacing": 0.4,
    "horizon_steps": 8,
    "plan_dt": 0.25,
    "off_route_distance": 1.2,
    "reward": {
        "progress": 0.3,
        "goal": 3.0,
        "time": 0.2,
        "lateral_deviation": 0.1,
        "imitation": 0.7,
        "comfort": 0.05,
        "off_route": 7.0,
    },
    "vehicle": {"wheelbase": 2.5, "max_lateral_acceleration": 4.0, "max_speed": 14.0},
    "expert": {"cruise_speed": 9.0, "rejoin_time": 1.0},
}
UNSTABLE = {"seconds", "wall_time", "time", "t", "path", "model", "checkpoint", "created", "date", "duration", "version"}
"""Keys of results that may differ from run to run."""


class Digest:
    """A hash of all values that are added."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, value: Any) -> None:
        """Add a value: an array, tensor, number or text, a sequence, or a mapping, in the order of its keys."""
        if isinstance(value, Mapping):
            for key in sorted(value):
                if key not in UNSTABLE:
                    self.add(str(key))
                    self.add(value[key])
        elif isinstance(value, torch.Tensor | np.ndarray):
            array = np.ascontiguousarray(value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else value)
            if array.dtype == object:
                self.add(array.tolist())
            else:
                self._hash.update(str((array.dtype.str, array.shape)).encode() + array.tobytes())
        elif isinstance(value, list | tuple):
            for item in value:
                self.add(item)
        else:
            self._hash.update(repr(value.item() if isinstance(value, np.generic) else value).encode())

    def __str__(self) -> str:
        return self._hash.hexdigest()[:16]


def vector_trace(steps: int = 250, num_envs: int = 48, **kwargs: Any) -> Digest:
    """Trace the vector env: cars follow the expert's plans, disturbed so that some of them leave the road."""
    digest, rng = Digest(), np.random.default_rng(0)
    env: Any = gym.make_vec("ToyWaypoint-v0", num_envs=num_envs, group_size=4, **kwargs).unwrapped
    observation, _ = env.reset(seed=7)
    digest.add(observation)
    for _ in range(steps):
        plans = env.expert_plans()
        digest.add(plans)
        plans = plans * rng.normal(1.0, 0.3, (num_envs, 1, 2)) + rng.normal(0.0, 0.4, (num_envs, 1, 2))
        digest.add(list(env.step(np.clip(plans, -100, 100).astype(np.float32))))
    return digest


def adapter_trace() -> Digest:
    """Trace the SB3 adapter in the same way, including infos."""
    digest, rng = Digest(), np.random.default_rng(1)
    venv = make_waypoint_vec_env("ToyWaypoint-v0", 16, seed=3, group_size=2, **PINNED)
    digest.add(venv.reset())
    for _ in range(150):
        plans = np.stack(venv.env_method("expert_plan"))
        digest.add(list(venv.step(np.clip(plans * rng.normal(1.0, 0.3, (16, 1, 2)), -100, 100).astype(np.float32))))
    return digest


def scalar_trace(pictures: bool = False, **kwargs: Any) -> Digest:
    """Trace episodes of the scalar env."""
    digest, rng = Digest(), np.random.default_rng(2)
    mode = "rgb_array" if pictures else None
    env: Any = gym.make("ToyWaypoint-v0", render_mode=mode, disable_env_checker=True, **kwargs)
    for scenario in range(3):
        digest.add(env.reset(seed=5, options={"scenario": scenario}))
        ended = False
        while not ended:
            plan = env.unwrapped.expert_plan()
            plan = np.clip(plan + rng.normal(0.0, 0.5, (1, 2)), -100, 100).astype(np.float32)
            observation, reward, terminated, truncated, info = env.step(plan)
            ended = terminated or truncated
            digest.add([observation, reward, terminated, truncated, info])
        if pictures:
            digest.add(env.render())
    return digest


def trained(make: Callable[[Any], Any], steps: int, **venv_kwargs: Any) -> Digest:
    """Train a model, and digest its final weights and plans."""
    digest = Digest()
    venv = make_waypoint_vec_env("ToyWaypoint-v0", 32, seed=11, **venv_kwargs, **PINNED)
    model = make(venv)
    model.learn(steps)
    digest.add(model.policy.state_dict())
    venv.seed(4)
    digest.add(WaypointPolicy(model)(venv.reset()))
    return digest


def ppo() -> Digest:
    """Train with PPO and the planner that ships with the package."""
    from stable_baselines3 import PPO

    return trained(
        lambda venv: PPO(
            DeltaWaypointPolicy, venv, 1e-3, n_steps=32, batch_size=256, n_epochs=4, gamma=0.9, seed=1, device="cpu",
            policy_kwargs={"sft": None, "max_delta": 2.0, "log_std_init": -1.0},
        ),
        6_000,
    )  # fmt: skip


def trpo() -> Digest:
    """Train with TRPO and every head input."""
    from sb3_contrib import TRPO

    return trained(
        lambda venv: TRPO(
            DeltaWaypointPolicy, venv, 1e-3, n_steps=32, batch_size=256, gamma=0.9, seed=1, device="cpu",
            policy_kwargs={"sft": None, "state_dependent_std": True},
        ),
        3_000,
    )  # fmt: skip


def grpo(**kwargs: Any) -> Callable[[], Digest]:
    """Return a training with GRPO."""

    def run() -> Digest:
        return trained(
            lambda venv: GRPO(
                DeltaWaypointPolicy, venv, 1e-3, batch_size=256, group_size=4, gamma=0.9, seed=1, device="cpu",
                policy_kwargs={"sft": None, "max_delta": 2.0}, **kwargs,
            ),
            8_000,
            group_size=4,
        )  # fmt: skip

    return run


def run_cli(*arguments: str | Path) -> None:
    """Run a command, which must succeed."""
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments], catch_exceptions=False)
    if result.exit_code:
        raise RuntimeError(f"{arguments}: {result.output}")


def pipeline() -> Digest:
    """Digest the files of the command line: demonstrations, a planner, its evaluation, a refinement, their comparison."""
    digest = Digest()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        out = Path("out")
        run_cli("record", "--episodes", "6", "--seed", "0", "--out", out / "episodes")
        run_cli(
            "sft", "--episodes-glob", out / "episodes/*.json", "--num-steps", "300", "--device", "cpu", "--out", out / "sft"
        )
        for episode in sorted((out / "episodes").glob("*.json")):
            digest.add(json.loads(episode.read_text()))
        planner = torch.load(out / "sft/model.pt", weights_only=True)
        digest.add([value for value in planner.values() if isinstance(value, Mapping)])
        digest.add(json.loads((out / "sft/metrics.json").read_text()))
        run_cli("evaluate", "--model", out / "sft/model.pt", "--episodes", "60", "--out", out / "evaluation.json")
        digest.add(json.loads((out / "evaluation.json").read_text()))
        run_cli(
            "evaluate", "--model", out / "sft/model.pt", "--episodes-glob", out / "episodes/*.json", "--out", out / "open.json"
        )
        digest.add(json.loads((out / "open.json").read_text()))
        venv = make_waypoint_vec_env("ToyWaypoint-v0", 32, seed=1, group_size=4, **PINNED)
        policy_kwargs = {"sft": str(out / "sft/model.pt")}
        model = GRPO(
            DeltaWaypointPolicy, venv, batch_size=256, group_size=4, seed=1, device="cpu", policy_kwargs=policy_kwargs
        )
        model.learn(3_000).save(out / "refined.zip")
        run_cli("compare", "--rl", out / "refined.zip", "--episodes", "60", "--out", out / "comparison")
        digest.add(json.loads((out / "comparison/comparison.json").read_text()))
    return digest


def carla_trace(steps: int, scenarios: Iterable[int], **kwargs: Any) -> Digest:
    """Trace episodes in the loopback server."""
    digest, rng = Digest(), np.random.default_rng(3)
    env: Any = gym.make("CarlaWaypoint-v0", disable_env_checker=True, reward=REWARD, **kwargs)
    try:
        for scenario in scenarios:
            observation, info = env.reset(seed=9, options={"scenario": scenario})
            digest.add([observation, info])
            for _ in range(steps):
                plan = env.unwrapped.expert_plan()
                plan = np.clip(plan + rng.normal(0.0, 0.15, (1, 2)), -100, 100).astype(np.float32)
                observation, reward, terminated, truncated, info = env.step(plan)
                digest.add([observation, reward, terminated, truncated, info])
                if terminated or truncated:
                    break
    finally:
        env.close()
    return digest


def carla_eval() -> Digest:
    """Digest the CARLA suite, driven by a planner, and its driving scores."""
    digest = Digest()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        from sb3_delta_waypoint.sft.checkpoint import load_planner, save_planner

        planner = save_planner(load_planner(None), out / "model.pt")
        run_cli(
            "carla-eval", "--checkpoint", planner, "--output-dir", out / "suite", "--scenarios", "straight_night",
            "--scenarios", "turn_clear", "--episodes", "2",
        )  # fmt: skip
        for path in sorted((out / "suite").glob("*.json")):
            digest.add(json.loads(path.read_text()))
    return digest


FRONT = {"front": {"width": 84, "height": 64}}
RUNS: dict[str, Callable[[], Digest]] = {
    "toy, vector": lambda: vector_trace(**PINNED),
    "toy, vector, other arguments": lambda: vector_trace(**OTHER),
    "toy, vector, Town01": lambda: vector_trace(routes=str(DATA / "Town01.xodr"), **PINNED),
    "toy, adapter": adapter_trace,
    "toy, scalar": lambda: scalar_trace(**PINNED),
    "toy, scalar, Town02, other arguments": lambda: scalar_trace(routes=str(DATA / "Town02.xodr"), **OTHER),
    "pictures": lambda: scalar_trace(pictures=True, **PINNED),
    "train, ppo": ppo,
    "train, trpo": trpo,
    "train, grpo process": grpo(advantage="process", advantage_scale="batch"),
    "train, grpo outcome": grpo(advantage="outcome", advantage_scale="group"),
    "pipeline": pipeline,
    "carla, alone, camera": lambda: carla_trace(
        60, range(2), cameras=FRONT, **{k: v for k, v in PINNED.items() if k != "reward"}
    ),
    "carla, traffic": lambda: carla_trace(150, range(2), traffic={"vehicles": 8, "pedestrians": 6}),
    "carla, traffic, Town01, camera": lambda: carla_trace(
        50, range(1), town=str(DATA / "Town01.xodr"), traffic={"vehicles": 20, "pedestrians": 10}, cameras=FRONT
    ),
    "carla, longest6 routes": lambda: carla_trace(
        40, range(2), town=str(DATA / "Town01.xodr"), routes=str(DATA / "longest6_routes.xml")
    ),
    "carla-eval": carla_eval,
}


def main() -> None:
    """Record or check."""
    warnings.simplefilter("ignore")  # about budgets, since the runs are short on purpose
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument("--record", type=Path, help="write the digests to this file")
    choice.add_argument("--check", type=Path, help="compare with the digests in this file")
    parser.add_argument("--only", default="", help="runs whose name holds this")
    options = parser.parse_args()
    expected = json.loads(options.check.read_text()) if options.check else {}
    found, differing = {}, []
    for name, run in RUNS.items():
        if options.only not in name:
            continue
        started = time.monotonic()
        found[name] = str(run())
        same = not expected or expected.get(name) == found[name]
        verdict = "recorded" if not expected else "as before" if same else "DIFFERS"
        print(f"{verdict:10s} {found[name]}  {name} ({time.monotonic() - started:.0f} s)", flush=True)
        differing += [] if same else [name]
    if options.record:
        options.record.write_text(json.dumps(found, indent=1) + "\n")
    if differing:
        raise SystemExit(f"{len(differing)} of {len(found)} runs differ: {', '.join(differing)}")


if __name__ == "__main__":
    main()
