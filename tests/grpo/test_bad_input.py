"""What GRPO refuses, and what stops it."""

import numpy as np
import pytest
from gymnasium import spaces
from stable_baselines3.common.env_util import make_vec_env

from tests.grpo.conftest import Identity, Varied


def state(model):
    return {name: value.clone() for name, value in model.policy.state_dict().items()}


def equal(one, other):
    return all((one[name] == other[name]).all() for name in one)


class Broken(Varied):
    """Something that is not finite after a while."""

    def __init__(self, where):
        super().__init__(Identity(), "vector")
        self.where, self.n = where, 0

    def step(self, action):
        observation, reward, *rest = super().step(action)
        self.n += 1
        broken = self.n > 60
        if self.where == "reward":
            return observation, np.nan if broken else reward, *rest
        return observation * (np.inf if broken else 1.0), reward, *rest


@pytest.mark.parametrize("where", ["reward", "observation"])
def test_what_is_not_finite_stops_training(make_model, where):
    model = make_model(vec_env=make_vec_env(lambda: Broken(where), 2))
    with pytest.raises(ValueError, match=f"env 0 gave a {where} that is not finite at step 122"):
        model.learn(1000)
    assert all(value.isfinite().all() for value in model.policy.state_dict().values())
    assert model.n_trained_transitions > 0


def test_a_gradient_that_is_not_finite_leaves_the_parameters(make_model):
    model = make_model()
    before = state(model)
    model.policy.action_net.register_full_backward_hook(lambda _, grads, __: (grads[0] * np.nan,))
    with pytest.raises(ValueError, match="gradient is not finite in update 0"):
        model.learn(100)
    assert equal(before, state(model))


@pytest.mark.parametrize(
    ("kwargs", "named"),
    [
        ({"group_size": 1}, "group_size=1: an episode is judged by the others"),
        ({"batch_size": 100}, "batch_size=100 is more than .* 48 transitions"),
        ({"use_sde": True}, "gSDE"),
        ({"n_epochs": 0}, "n_epochs=0"),
        ({"n_groups": 0}, "n_groups=0"),
        ({"group_size": 2.5}, "group_size=2.5: .*whole number"),
        ({"n_steps": 16.5}, "n_steps=16.5: a whole number"),
        ({"learning_rate": -1e-3}, "learning_rate=-0.001: it must not be negative"),
        ({"gamma": 1.5}, "gamma=1.5"),
        ({"clip_range": -0.1}, "clip_range=-0.1"),
        ({"clip_range_high": 0.0}, "clip_range_high=0.0"),
        ({"dual_clip": 0.9}, "dual_clip=0.9"),
        ({"advantage": "both"}, "advantage='both': one of 'outcome', 'process'"),
        ({"advantage_scale": "std"}, "advantage_scale='std': one of 'group', 'batch', or a positive number"),
        ({"advantage_scale": 0.0}, "advantage_scale=0.0"),
        ({"zero_std": "keep"}, "zero_std='keep'"),
        ({"importance": "token"}, "importance='token'"),
        ({"proximal": "oldest"}, "proximal='oldest': one of 'acting', 'latest'"),
        ({"loss_average": "token"}, "loss_average='token'"),
        ({"loss_average": None}, "loss_average=None"),
        ({"kl_coef": -1.0}, "kl_coef=-1.0"),
        ({"kl_target": 0.1}, "kl_coef=0.0"),
        ({"target_kl": 0.0}, "target_kl=0.0"),
    ],
)
def test_settings_that_make_no_sense(make_model, kwargs, named):
    with pytest.raises(ValueError, match=named):
        make_model(**kwargs)


def test_action_spaces_that_are_not_supported(make_model):
    class Texts(Identity):
        def __init__(self):
            super().__init__()
            self.action_space = spaces.Dict({"a": spaces.Discrete(2)})

    with pytest.raises(AssertionError, match="only supports"):
        make_model(env=Texts)
