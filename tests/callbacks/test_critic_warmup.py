"""The critic learns before the actor moves, under unmodified algorithms."""

import pytest
from sb3_contrib import TRPO
from stable_baselines3 import PPO

from sb3_delta_waypoint import GRPO, DeltaWaypointPolicy, make_waypoint_vec_env
from sb3_delta_waypoint.callbacks import CriticWarmupCallback
from tests.callbacks.conftest import SMALL, make


def test_grpo_is_refused():
    model = GRPO(DeltaWaypointPolicy, make_waypoint_vec_env(n_envs=4, group_size=4), n_steps=16, group_size=4)
    with pytest.raises(ValueError, match="GRPO has no critic.*omit the callback"):
        model.learn(64, CriticWarmupCallback())
    assert model.num_timesteps == 0


def heads(model):
    parameters = dict(model.policy.named_parameters())
    actor = {name: value.detach().clone() for name, value in parameters.items() if not name.startswith("value_net")}
    critic = {name: value.detach().clone() for name, value in parameters.items() if name.startswith("value_net")}
    return actor, critic


@pytest.mark.parametrize("algorithm", list(SMALL))
def test_the_actor_stands_still_while_the_critic_learns(algorithm):
    model = make(algorithm, **({"ent_coef": 0.01} if algorithm is not TRPO else {}))
    actor, critic = heads(model)
    model.learn(512, callback=CriticWarmupCallback(warmup_steps=10_000))
    new_actor, new_critic = heads(model)
    assert all((actor[name] == new_actor[name]).all() for name in actor)
    assert any((critic[name] != new_critic[name]).any() for name in critic)
    assert algorithm is TRPO or model.ent_coef == 0.01, "a model saved during the warm-up keeps its coefficient"


@pytest.mark.parametrize("algorithm", list(SMALL))
def test_the_actor_learns_afterwards(algorithm):
    model = make(algorithm)
    actor, _ = heads(model)
    model.learn(768, callback=CriticWarmupCallback(warmup_steps=256))
    assert any((actor[name] != value).any() for name, value in heads(model)[0].items())


def test_a_trained_model_is_not_held_back():
    model = make(PPO)
    model.learn(512)
    actor, _ = heads(model)
    model.learn(512, callback=CriticWarmupCallback(warmup_steps=400), reset_num_timesteps=False)
    assert any((actor[name] != value).any() for name, value in heads(model)[0].items())
