"""Settings of GRPO that make no sense."""

import pytest
from gymnasium import spaces

from tests.grpo.conftest import Identity


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
        ({"batch_size": "64"}, "batch_size='64': a whole number"),
        ({"kl_coef": float("nan")}, "kl_coef=nan"),
        ({"gamma": None}, "gamma=None"),
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
