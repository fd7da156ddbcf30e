"""Schedules of GRPO follow the steps and do not go beyond their end."""

import pytest
from stable_baselines3.common.callbacks import CallbackList, StopTrainingOnMaxEpisodes


def test_schedules(make_model):
    model = make_model(learning_rate=lambda left: 0.01 * left, clip_range=lambda left: 0.2 * left, clip_range_high=0.4)
    model.learn(100, log_interval=1000)
    first = model.logger.name_to_value["train/learning_rate"]
    assert first == 0.0, "the last rollout goes beyond the end, not the schedule"
    model.learn(10_000, CallbackList([StopTrainingOnMaxEpisodes(40)]), log_interval=1000, reset_num_timesteps=False)
    left = model.logger.name_to_value["train/learning_rate"] / 0.01
    assert 0.8 < left < 1.0
    assert model.logger.name_to_value["train/clip_range"] == pytest.approx(0.2 * left)
    assert model.logger.name_to_value["train/clip_range_high"] == 0.4
