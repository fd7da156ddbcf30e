"""The planner runs once per step under unmodified algorithms, and the run stays the same."""

import numpy as np
import pytest
import torch as th
from stable_baselines3 import PPO

from sb3_delta_waypoint import GRPO, DeltaWaypointPolicy, make_waypoint_vec_env
from sb3_delta_waypoint.callbacks import EncodeOnceCallback, KLPenaltyCallback
from sb3_delta_waypoint.policies.feature_buffer import FeatureRolloutBuffer
from tests.callbacks.conftest import SMALL, make


def count_plans(model) -> list[int]:
    """Count the observations that the planner of a model gets."""
    counts = []
    model.policy.features_extractor.planner.register_forward_hook(lambda module, given, made: counts.append(len(made[0])))
    return counts


@pytest.mark.parametrize("algorithm", list(SMALL))
def test_no_update_runs_the_planner(algorithm, monkeypatch):
    model = make(algorithm)
    counts, in_updates = count_plans(model), []
    train = model.train

    def watched():
        before = len(counts)
        train()
        in_updates.append(len(counts) - before)

    monkeypatch.setattr(model, "train", watched)
    model.learn(512, callback=EncodeOnceCallback())
    assert in_updates == [0, 0] and isinstance(model.rollout_buffer, FeatureRolloutBuffer)
    # once per step, once per rollout for the last value, and for episodes that time cuts off
    n_steps = model.num_timesteps // model.n_envs
    assert n_steps <= len(counts) <= n_steps + 2 + 8


@pytest.mark.parametrize("algorithm", list(SMALL))
def test_the_run_is_the_same(algorithm):
    def trained(callback):
        model = make(algorithm)  # which seeds all draws
        return model.learn(768, callback=callback)

    plain, encoded = trained(None), trained(EncodeOnceCallback())
    np.testing.assert_allclose(encoded.rollout_buffer.rewards, plain.rollout_buffer.rewards, rtol=1e-3, atol=1e-4)
    for name, parameter in encoded.policy.named_parameters():
        th.testing.assert_close(parameter, plain.policy.get_parameter(name), rtol=1e-3, atol=1e-4)
    assert plain.policy.delta_net[-1].weight.abs().max() > 1e-3, "the policies have learnt something"


def test_the_saved_model_takes_observations(tmp_path):
    model = make(PPO)
    model.learn(512, callback=EncodeOnceCallback())
    model.save(tmp_path / "model.zip")
    loaded = PPO.load(tmp_path / "model.zip", env=make_waypoint_vec_env(n_envs=8, seed=1))
    observation = loaded.env.reset()
    assert (loaded.predict(observation, deterministic=True)[0] == model.predict(observation, deterministic=True)[0]).all()
    assert not isinstance(loaded.rollout_buffer, FeatureRolloutBuffer)
    loaded.learn(256)
    loaded.learn(256, callback=EncodeOnceCallback(), reset_num_timesteps=False)


@pytest.mark.parametrize("order", [1, -1])
def test_the_distance_to_the_planner_is_logged_alike(order):
    logged = []
    for callbacks in ([KLPenaltyCallback(0.1)], [KLPenaltyCallback(0.1), EncodeOnceCallback()][::order]):
        model = make(PPO)
        model.learn(512, callback=callbacks, log_interval=1000)
        logged.append(model.logger.name_to_value["train/kl_to_sft"])
    assert logged[0] == pytest.approx(logged[1], rel=1e-2, abs=1e-4)


def test_others_are_refused():
    grpo = GRPO(DeltaWaypointPolicy, make_waypoint_vec_env(n_envs=4, group_size=4), n_steps=16, group_size=4)
    with pytest.raises(ValueError, match="not for GRPO: omit it"):
        grpo.learn(64, EncodeOnceCallback())
    plain = PPO("MultiInputPolicy", make_waypoint_vec_env(n_envs=2), n_steps=16, batch_size=32)
    with pytest.raises(ValueError, match="MultiInputActorCriticPolicy has no frozen planner"):
        plain.learn(64, EncodeOnceCallback())
