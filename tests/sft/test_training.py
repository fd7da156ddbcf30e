"""Behaviour cloning."""

import json
import math

import numpy as np
import pytest
import torch
from torch import nn

from sb3_delta_waypoint.sft import training
from sb3_delta_waypoint.sft.checkpoint import load_planner
from sb3_delta_waypoint.sft.training import save_run, train_sft
from sb3_delta_waypoint.sft.trust import trusting

SHORT = {"num_steps": 80, "batch_size": 32, "learning_rate": 1e-2, "planner_kwargs": {"hidden_dims": (32,)}}


def errors(model, episodes):
    with torch.no_grad():
        plans = [
            model({"state": torch.tensor(e.observations["state"]), "route": torch.tensor(e.observations["route"])})[1].numpy()
            for e in episodes
        ]
    return np.concatenate(plans) - np.concatenate([episode.waypoints for episode in episodes])


@pytest.fixture(scope="module")
def result(episodes):
    return train_sft(episodes, **SHORT)


def held_out(episodes, result):
    return [episode for episode in episodes if episode.episode_id in result.config["data"]["held_out_episodes"]]


def test_it_learns_the_expert(episodes, result):
    plans = np.concatenate([episode.waypoints for episode in episodes])
    mean_plan_ade = np.linalg.norm(plans - plans.mean(axis=0), axis=-1).mean()
    assert np.linalg.norm(errors(result.model, episodes), axis=-1).mean() < 0.4 * mean_plan_ade


def test_the_latest_of_the_best_is_kept(episodes, monkeypatch):
    ades = iter([1.0, 0.5, 0.8, 0.52, 0.53, 0.7])
    monkeypatch.setattr(training, "N_EVALUATIONS", 5)
    kept = []

    def summary(errors):
        kept.append(errors.norm(dim=-1).mean().item())
        return {"validation_ade": next(ades, kept[-1]), "validation_fde": 0.0, "validation_loss": 0.0}

    monkeypatch.setattr(training, "_summary", summary)
    result = train_sft(episodes, **{**SHORT, "num_steps": 25})
    assert [row["step"] for row in result.history] == [5, 10, 15, 20, 25]
    assert result.metrics["step"] == 20  # 0.52 is within 5% of 0.5, 0.53 is not
    assert np.mean(result.metrics["displacement"]) == pytest.approx(kept[3], rel=1e-5)


def test_of_five_episodes_one_is_held_out_whole(episodes, result):
    data = result.config["data"]
    assert len(data["held_out_episodes"]) == 1
    assert data["held_out_frames"] == len(held_out(episodes, result)[0])
    assert (data["episodes"], data["frames"]) == (5, sum(map(len, episodes)))


def test_metrics_and_residuals_are_those_of_the_model_on_the_held_out_episode(episodes, result):
    residuals = errors(result.model, held_out(episodes, result))
    displacement = np.linalg.norm(residuals, axis=-1)
    assert result.metrics["validation_ade"] == pytest.approx(displacement.mean(), rel=1e-4)
    assert result.metrics["validation_fde"] == pytest.approx(displacement[:, -1].mean(), rel=1e-4)
    np.testing.assert_allclose(result.metrics["displacement"], displacement.mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(result.model.residual_std.numpy(), residuals.std(axis=0), rtol=1e-3, atol=1e-5)
    assert not result.model.training


def test_held_out_frames_are_not_trained_on(episodes):
    """Nonsense in the held-out episode changes what is measured, not what is learnt."""
    clean = train_sft(episodes, **SHORT)
    name = clean.config["data"]["held_out_episodes"][0]
    for episode in episodes:
        if episode.episode_id == name:
            genuine = episode.waypoints
            episode.waypoints = genuine + 100.0
            spoilt = train_sft(episodes, **SHORT)
            episode.waypoints = genuine
    assert spoilt.metrics["validation_ade"] > 50
    assert [row["train_loss"] for row in spoilt.history] == [row["train_loss"] for row in clean.history]


def test_the_learning_rate_falls_along_a_cosine(result):
    steps = np.array([row["step"] for row in result.history])
    expected = 0.005 * (1 + np.cos(np.pi * (steps - 1) / 80))
    np.testing.assert_allclose([row["learning_rate"] for row in result.history], expected, rtol=1e-6)


def test_few_episodes_are_split_by_frame(episodes):
    data = train_sft(episodes[:2], **SHORT).config["data"]
    frames = len(episodes[0]) + len(episodes[1])
    assert data["held_out_frames"] == round(0.2 * frames)
    assert data["held_out_episodes"] == []


def test_the_same_seed_gives_the_same_planner(episodes, result):
    torch.manual_seed(123)  # the caller's generator neither matters nor is touched
    before = torch.get_rng_state()
    again = train_sft(episodes, **SHORT)
    assert torch.equal(torch.get_rng_state(), before)
    for name, tensor in result.model.state_dict().items():
        assert torch.equal(tensor, again.model.state_dict()[name])
    other = train_sft(episodes, **SHORT, seed=1)
    assert not torch.equal(other.model.head.weight, result.model.head.weight)


def test_the_planner_takes_horizon_and_step_from_the_episodes(episodes, result):
    assert (result.model.horizon_steps, result.model.plan_dt) == (6, 0.1)


def interrupt_after(monkeypatch, n_evaluations):
    summary, calls = training._summary, []

    def counting(*args):
        if len(calls) == n_evaluations:
            monkeypatch.setattr(training, "_summary", summary)
            raise KeyboardInterrupt
        calls.append(1)
        return summary(*args)

    monkeypatch.setattr(training, "_summary", counting)


@pytest.mark.parametrize("n_evaluations", [0, 3])
def test_breaking_off_keeps_the_best_so_far(episodes, monkeypatch, tmp_path, n_evaluations):
    interrupt_after(monkeypatch, n_evaluations)
    result = train_sft(episodes, **SHORT)
    assert result.interrupted and len(result.history) == n_evaluations
    assert math.isfinite(result.metrics["validation_ade"])
    path = save_run(result, tmp_path)
    assert torch.equal(load_planner(path).head.weight, result.model.head.weight)
    assert json.loads((tmp_path / "metrics.json").read_text())["interrupted"] is True


def test_save_run(result, tmp_path):
    path = save_run(result, tmp_path / "run")
    assert sorted(file.name for file in path.parent.iterdir()) == ["config.json", "loss.png", "metrics.json", "model.pt"]
    observation = {"state": torch.rand(2, 4), "route": torch.rand(2, 10, 2)}
    assert torch.equal(load_planner(path)(observation)[1], result.model(observation)[1])
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["model"]["horizon_steps"] == 6 and config["training"]["num_steps"] == 80 and config["data"]["episodes"] == 5
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["best"]["validation_ade"] == result.metrics["validation_ade"]
    assert [row["step"] for row in metrics["history"]] == list(range(2, 82, 2))
    assert (tmp_path / "run" / "loss.png").read_bytes().startswith(b"\x89PNG")


class Own(nn.Module):
    """Reads the state only; knows neither its errors nor statistics; its normalisation differs in training."""

    observation_keys = ("state",)

    def __init__(self, horizon_steps, plan_dt, width=16):
        super().__init__()
        self.horizon_steps, self.plan_dt, self.width = horizon_steps, plan_dt, width
        self.body = nn.Sequential(nn.Linear(4, width), nn.BatchNorm1d(width), nn.ReLU())
        self.head = nn.Linear(width, 2 * horizon_steps)

    def config(self):
        return {"horizon_steps": self.horizon_steps, "plan_dt": self.plan_dt, "width": self.width}

    def forward(self, observation):
        latent = self.body(observation["state"])
        return latent, self.head(latent).unflatten(1, (self.horizon_steps, 2))


def test_a_planner_of_ones_own_is_trained_judged_and_saved(episodes, tmp_path):
    result = train_sft(episodes, planner=Own, **{**SHORT, "planner_kwargs": {"width": 24}})
    assert result.config["model"] == {"horizon_steps": 6, "plan_dt": 0.1, "width": 24}
    assert result.config["planner"].endswith("test_training:Own")
    assert result.history[-1]["train_loss"] < 0.5 * result.history[0]["train_loss"]
    displacement = np.linalg.norm(errors(result.model, held_out(episodes, result)), axis=-1)
    assert result.metrics["validation_ade"] == pytest.approx(displacement.mean(), rel=1e-4)
    best = next(row for row in result.history if row["step"] == result.metrics["step"])
    assert best["validation_ade"] == pytest.approx(result.metrics["validation_ade"], rel=1e-5)
    with trusting(Own.__module__):
        loaded = load_planner(save_run(result, tmp_path))
    observation = {"state": torch.rand(2, 4)}
    assert torch.equal(loaded(observation)[1], result.model(observation)[1])


def test_a_planner_reads_the_groups_that_it_declares(episodes):
    for episode in episodes:
        episode.observations["signal"] = np.ones((len(episode), 2), np.float32)
    result = train_sft(episodes, **{**SHORT, "planner_kwargs": {"groups": ("state", "signal")}})
    assert result.model.config()["groups"] == ["state", "signal"]
    assert result.model.state_mean.any() and result.model.signal_mean.all()
    del episodes[2].observations["signal"]
    with pytest.raises(ValueError, match="toy-0-2.json: the episode lacks 'signal', which the planner reads; it has route, s"):
        train_sft(episodes, **{**SHORT, "planner_kwargs": {"groups": ("state", "signal")}})
    for episode in episodes:
        episode.observations.pop("signal", None)


def test_a_fit_normalisation_that_fails_is_named(episodes):
    class Misfit(Own):
        def fit_normalisation(self, observations):
            pass

    with pytest.raises(
        ValueError, match=r"planner '.*Misfit': fit_normalisation\(observations, waypoints\) fails: .*positional"
    ):
        train_sft(episodes, planner=Misfit, num_steps=2)


@pytest.mark.parametrize(
    ("name", "value"),
    [("num_steps", 0), ("batch_size", 0), ("learning_rate", 0.0), ("learning_rate", math.nan), ("validation_fraction", 1.0)],
)
def test_arguments_out_of_range(episodes, name, value):
    with pytest.raises(ValueError, match=f"{name} is {value}"):
        train_sft(episodes, **{**SHORT, name: value})


def test_no_episodes():
    with pytest.raises(ValueError, match="0 episodes with 0 frames are too few"):
        train_sft([])


def test_a_loss_that_is_not_finite(episodes):
    with pytest.raises(ValueError, match="training loss is .* try a learning_rate below 1e"):
        train_sft(episodes, **{**SHORT, "learning_rate": 1e30})
