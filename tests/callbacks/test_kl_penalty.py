"""The distance to the planner, logged and penalised, under unmodified algorithms."""

import numpy as np
import pytest
import torch as th
from stable_baselines3 import PPO

from sb3_delta_waypoint import GRPO, DeltaWaypointPolicy, make_waypoint_vec_env
from sb3_delta_waypoint.callbacks import KLPenaltyCallback
from tests.callbacks.conftest import SMALL, make


@pytest.mark.parametrize("kl_coef", [0.0, 0.05])
def test_grpo_is_refused_with_its_own_penalty_named(kl_coef):
    model = GRPO(DeltaWaypointPolicy, make_waypoint_vec_env(n_envs=4, group_size=4), n_steps=16, group_size=4)
    with pytest.raises(ValueError, match=rf"not for GRPO: omit it.*GRPO\(\.\.\., kl_coef={kl_coef:g}\)"):
        model.learn(64, KLPenaltyCallback(kl_coef))
    assert model.num_timesteps == 0


@pytest.mark.parametrize("algorithm", list(SMALL))
def test_distance_to_the_planner_is_logged(algorithm):
    model = make(algorithm)
    callback = KLPenaltyCallback()
    model.learn(256, callback=callback, log_interval=1000)
    assert model.logger.name_to_value["train/kl_to_sft"] == pytest.approx(0.0, abs=0.5)
    model.learn(512, callback=callback, log_interval=1000, reset_num_timesteps=False)
    logged = model.logger.name_to_value
    assert logged["train/kl_to_sft"] > 0.0
    assert 0.0 < logged["train/delta_norm_mean"] < logged["train/delta_norm_max"] < 3.0


def test_the_penalty_is_the_log_ratio_of_each_sample():
    model = make(PPO, n_steps=16)
    model.policy.delta_net[-1].bias.data[::3] += 0.5
    model.policy.log_std.data += 0.2
    plain = make_waypoint_vec_env(n_envs=8, seed=1)
    model.learn(128, callback=KLPenaltyCallback(kl_coef=0.1))
    buffer = model.rollout_buffer
    shape = buffer.actions.shape
    plain.reset()
    assert shape[0] == 128, "PPO flattens the buffer env by env"
    actions = buffer.actions.reshape(8, 16, 20, 2).swapaxes(0, 1)
    rewards = np.stack([plain.step(step)[1] for step in actions])
    observations = {key: th.as_tensor(value) for key, value in buffer.observations.items()}
    with th.no_grad():
        reference = model.policy.reference_distribution(observations).log_prob(th.as_tensor(buffer.actions)).numpy()
    log_ratio = (buffer.log_probs.flatten() - reference).reshape(8, 16).T
    penalised = buffer.rewards.T if buffer.rewards.shape == (8, 16) else buffer.rewards
    np.testing.assert_allclose(penalised, rewards - 0.1 * log_ratio, atol=1e-3)
    assert np.abs(log_ratio).mean() > 1.0


def test_the_penalty_holds_the_policy_near_its_planner():
    distance = {}
    for kl_coef in (0.0, 1.0):
        model = make(PPO, learning_rate=3e-3, n_epochs=4)
        callback = KLPenaltyCallback(kl_coef)
        model.learn(2048, callback=callback, log_interval=1000)
        distance[kl_coef] = model.logger.name_to_value["train/kl_to_sft"]
    assert distance[1.0] < 0.6 * distance[0.0]


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="kl_coef=-1"):
        KLPenaltyCallback(-1.0)
    model = PPO("MlpPolicy", "CartPole-v1", n_steps=8, batch_size=8)
    with pytest.raises(ValueError, match="DeltaWaypointPolicy"):
        model.learn(8, callback=KLPenaltyCallback())
