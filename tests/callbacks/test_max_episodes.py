"""Ending training after a number of episodes, counted over all envs."""

import json

import pytest
from click.testing import CliRunner
from sb3_contrib import TRPO
from stable_baselines3 import A2C, PPO
from stable_baselines3.common.env_util import make_vec_env

from sb3_delta_waypoint import GRPO
from sb3_delta_waypoint.callbacks.max_episodes import StopAfterEpisodes
from sb3_delta_waypoint.cli import main

N_ENVS = 3


@pytest.mark.filterwarnings("ignore:.*before the first update")
@pytest.mark.parametrize(
    ("algorithm", "settings"),
    [
        (PPO, {"n_steps": 16, "batch_size": 48}),
        (A2C, {}),
        (TRPO, {"n_steps": 16, "batch_size": 48}),
        (GRPO, {"n_steps": 16, "batch_size": 16, "group_size": 2, "n_groups": 1}),
    ],
)
def test_episodes_are_counted_over_all_envs(algorithm, settings):
    callback = StopAfterEpisodes(10)
    model = algorithm("MlpPolicy", make_vec_env("CartPole-v1", N_ENVS, seed=0), seed=0, device="cpu", **settings)
    model.learn(100_000, callback=callback)
    # those that end in one step count together
    assert 10 <= callback.n_episodes < 10 + N_ENVS
    assert model.num_timesteps < 2000


class Episodes:
    """Ends one episode at every step, every other of them by a fault."""

    num_timesteps = _n_updates = 0


def test_episodes_that_a_fault_broke_off_do_not_count():
    callback = StopAfterEpisodes(2)
    callback.model = Episodes()
    callback.on_training_start({"infos": [{}, {"fault": "gone"}], "dones": [True, True]}, {})
    assert callback._on_step() and not callback._on_step()


def test_too_few_steps_or_too_few_episodes_are_said():
    model = PPO("MlpPolicy", make_vec_env("CartPole-v1", N_ENVS, seed=0), n_steps=16, batch_size=48, device="cpu")
    with pytest.warns(UserWarning, match="48 steps and . episodes, before max_episodes=1000: give it more steps"):
        model.learn(48, callback=StopAfterEpisodes(1000))
    model = PPO("MlpPolicy", make_vec_env("CartPole-v1", N_ENVS, seed=0), n_steps=512, batch_size=48, device="cpu")
    with pytest.warns(UserWarning, match="before the first update, so nothing was learnt"):
        model.learn(10_000, callback=StopAfterEpisodes(1))


def test_not_less_than_one():
    with pytest.raises(ValueError, match="max_episodes is 0"):
        StopAfterEpisodes(0)


@pytest.mark.parametrize("steps", [[], ["-n", "20000"]])
def test_train_max_episodes(steps, tmp_path):
    pytest.importorskip("rl_zoo3")
    arguments = [
        "train",
        "--algo",
        "ppo",
        "--max-episodes",
        "5",
        "-f",
        str(tmp_path),
        *steps,
        "--eval-freq",
        "-1",
        "--verbose",
        "0",
    ]
    few = ["-params", "n_envs:2", "n_steps:16", "batch_size:8", "n_epochs:1"]
    result = CliRunner().invoke(main, [*arguments, "--env-kwargs", "route_length:20", *few])
    assert result.exit_code == 0, result.output
    training = json.loads((tmp_path / "ppo" / "ToyWaypoint-v0_1" / "train_metrics.json").read_text())
    assert training["total_episodes"] in (5, 6) and training["total_timesteps"] < 2000


def test_training_that_goes_on_counts_from_zero():
    callback = StopAfterEpisodes(2)
    callback.model = Episodes()
    for _ in range(2):
        callback.on_training_start({"infos": [{}], "dones": [True]}, {})
        assert callback._on_step() and not callback._on_step()


def test_episodes_that_began_in_a_state_of_another_one_do_not_count():
    callback = StopAfterEpisodes(2)
    callback.model = Episodes()
    callback.on_training_start({"infos": [{}, {"start_step": 3}], "dones": [True, True]}, {})
    assert callback._on_step() and not callback._on_step()
