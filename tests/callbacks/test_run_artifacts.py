"""The run folder of a plain SB3 training: what it holds, and that it is whole at any moment."""

import json
import re

import numpy as np
import pytest
from sb3_contrib import TRPO
from stable_baselines3 import A2C, PPO
from stable_baselines3.common.callbacks import BaseCallback

from sb3_delta_waypoint.callbacks import KLPenaltyCallback, RunArtifactsCallback, WaypointEvalCallback
from sb3_delta_waypoint.policies import DeltaWaypointPolicy
from sb3_delta_waypoint.sft.planners import SFTWaypointModel
from sb3_delta_waypoint.vec_env import make_waypoint_vec_env

ENV_KWARGS = {"route_length": 12.0, "horizon_steps": 5}
FILES = ("config.json", "metrics.json", "train_metrics.json")


class Spy(BaseCallback):
    """Keeps every finished episode and every loss that went by, and reads the folder at every step."""

    def __init__(self, folder, evaluation):
        super().__init__()
        self.folder = folder
        self.evaluation = evaluation
        self.episodes = []
        self.losses = []

    def _on_rollout_start(self):
        self.losses.append(self.logger.name_to_value.get("train/value_loss"))

    def _on_step(self):
        self.episodes += [info for info in self.locals["infos"] if "episode" in info]
        for name in FILES:
            load(self.folder, name)
        assert len(load(self.folder, "metrics.json")["evaluations"]) == len(self.evaluation.evaluations)
        return True


def make_model(algorithm=PPO, **settings):
    venv = make_waypoint_vec_env(n_envs=4, seed=3, **ENV_KWARGS)
    planner = SFTWaypointModel(horizon_steps=5, hidden_dims=(8,))
    settings = {"n_steps": 32, "seed": 0, "policy_kwargs": {"sft": planner}, **settings}
    return algorithm(DeltaWaypointPolicy, venv, **settings)


def load(folder, name):
    return json.loads((folder / name).read_text())


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    evaluation = WaypointEvalCallback(
        make_waypoint_vec_env(n_envs=2, **ENV_KWARGS), n_eval_episodes=4, eval_freq=40, verbose=0
    )
    spy = Spy(folder, evaluation)
    artifacts = RunArtifactsCallback(folder, evaluation, config={"note": "a test"})
    make_model(batch_size=64, learning_rate=1e-3).learn(600, callback=[evaluation, KLPenaltyCallback(), artifacts, spy])
    return folder, spy, evaluation


def test_run_id_is_one(run):
    folder, _, _ = run
    ids = {load(folder, name)["run_id"] for name in FILES}
    assert len(ids) == 1
    assert re.fullmatch(r"ppo-delta-\d{8}-\d{6}-[0-9a-f]{6}", ids.pop())


def test_files_say_what_the_best_was_chosen_by(run):
    chosen_by = {"metric": "success_rate", "ties": ["route_completion", "lateral_deviation_mean"], "where": {}}
    assert load(run[0], "config.json")["selection"] == load(run[0], "metrics.json")["selection"] == chosen_by


def test_config_says_what_was_trained(run):
    config = load(run[0], "config.json")
    assert config["policy"] == "DeltaWaypointPolicy" and config["n_envs"] == 4 and config["note"] == "a test"
    assert config["policy_kwargs"] == {"sft": "SFTWaypointModel"}
    assert config["hyperparameters"]["learning_rate"] == 1e-3 and config["hyperparameters"]["n_steps"] == 32
    assert config["hyperparameters"]["clip_range"] == 0.2
    assert config["versions"]["stable_baselines3"]


def test_totals_are_those_of_all_episodes(run):
    folder, spy, _ = run
    metrics = load(folder, "train_metrics.json")
    rewards = np.array([info["episode"]["r"] for info in spy.episodes])
    assert len(rewards) >= 4
    assert metrics["total_episodes"] == len(rewards) and metrics["total_timesteps"] == 640
    assert metrics["avg_reward"] == pytest.approx(rewards.mean()) and metrics["std_reward"] == pytest.approx(rewards.std())
    assert metrics["best_reward"] == pytest.approx(rewards.max())
    for name in ("ade", "fde"):
        values = [info["episode_metrics"][name] for info in spy.episodes]
        assert metrics[f"avg_{name}"] == pytest.approx(np.mean(values))


def test_each_iteration_has_the_losses_of_its_own_update(run):
    folder, spy, _ = run
    iterations = load(folder, "train_metrics.json")["iterations"]
    assert [iteration["timesteps"] for iteration in iterations] == [128, 256, 384, 512, 640]
    assert [iteration["value_loss"] for iteration in iterations[:4]] == pytest.approx(spy.losses[1:])
    for iteration in iterations:
        assert iteration["clip_fraction"] >= 0 and np.isfinite(iteration["entropy"])
    # the policy starts at its planner and leaves it
    assert iterations[0]["delta_norm_max"] == 0 and iterations[0]["kl_to_sft"] == pytest.approx(0, abs=1e-5)
    assert iterations[-1]["delta_norm_max"] > iterations[-1]["delta_norm_mean"] > 0 and iterations[-1]["kl_to_sft"] > 1e-4


def test_every_evaluation_and_the_best(run):
    folder, _, evaluation = run
    metrics = load(folder, "metrics.json")
    assert [row["timesteps"] for row in metrics["evaluations"]] == [0, 160, 320, 480, 640]
    assert metrics["evaluations"][2]["ade"] == pytest.approx(evaluation.evaluations[2]["ade"])
    assert metrics["best"]["timesteps"] == evaluation.best["timesteps"]


@pytest.mark.parametrize("algorithm", [A2C, TRPO])
def test_other_algorithms(algorithm, tmp_path):
    make_model(algorithm).learn(256, callback=RunArtifactsCallback(tmp_path))
    iterations = load(tmp_path, "train_metrics.json")["iterations"]
    assert [iteration["timesteps"] for iteration in iterations] == [128, 256]
    assert iterations[0]["value_loss"] > 0 and iterations[0]["clip_fraction"] is None and iterations[0]["kl_to_sft"] is None
    assert load(tmp_path, "metrics.json") == {
        "run_id": load(tmp_path, "config.json")["run_id"],
        "evaluations": [],
        "best": None,
    }


def test_other_envs(tmp_path):
    PPO("MlpPolicy", "CartPole-v1", n_steps=64, seed=0).learn(128, callback=RunArtifactsCallback(tmp_path))
    metrics = load(tmp_path, "train_metrics.json")
    assert metrics["avg_reward"] > 5 and metrics["avg_ade"] is None


def test_interrupted_training_leaves_whole_files(tmp_path):
    class Interrupt(BaseCallback):
        def _on_step(self):
            if self.num_timesteps > 300:
                raise KeyboardInterrupt
            return True

    with pytest.raises(KeyboardInterrupt):
        make_model().learn(10_000, callback=[RunArtifactsCallback(tmp_path), Interrupt()])
    for name in FILES:
        load(tmp_path, name)
    assert not list(tmp_path.glob(".*"))
