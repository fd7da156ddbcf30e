"""Options that make no sense are refused by name and value."""

import numpy as np
import pytest
from torch import nn

from sb3_delta_waypoint.policies.extractor import HEAD_INPUTS
from sb3_delta_waypoint.policies.options import check_state_fits, checked_options

GOOD = {
    "sft": None,
    "sft_kwargs": None,
    "delta_hidden_dim": 64,
    "value_hidden_dim": 64,
    "max_delta": 2.0,
    "head_inputs": HEAD_INPUTS,
    "basis": "smooth",
    "residual_scale": "planner",
    "log_std_init": -1.2,
    "state_dependent_std": False,
    "delta_lr_scale": 1.0,
    "value_lr_scale": 1.0,
}
NAN, INF = float("nan"), float("inf")
BAD = {
    "sft": (3, True, ["model.pt"]),
    "sft_kwargs": ([3], "width", {3: 4}),
    "delta_hidden_dim": (0, -1, 8.0, NAN, "64", None, True),
    "value_hidden_dim": (0, 2.5),
    "max_delta": (NAN, INF, -INF, -1.0, 0.0, "2.0", True, [2.0]),
    "head_inputs": ((), "latent", ("camera",), ("latent", "latent"), 3, (["latent"],)),
    "residual_scale": ("huge", (1.0,), (0.1, NAN), (0.0, 1.0), (0.1, INF), ("0.1", "1"), 2.0, None),
    "log_std_init": (NAN, INF, 50.0, "-1", None),
    "state_dependent_std": ("yes", 1, None),
    "delta_lr_scale": (NAN, INF, -0.5, "1"),
    "value_lr_scale": (NAN, -1.0, None),
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD.items() for value in values])
def test_refused(name, value):
    with pytest.raises(ValueError) as error:
        checked_options({**GOOD, name: value})
    assert str(error.value).startswith(f"{name}={value!r}: ")


@pytest.mark.parametrize(
    ("name", "value", "taken"),
    [
        ("max_delta", None, None),
        ("max_delta", np.float32(0.5), 0.5),
        ("max_delta", 3, 3),
        ("delta_hidden_dim", np.int64(8), 8),
        ("head_inputs", ["latent"], ("latent",)),
        ("head_inputs", None, None),
        ("residual_scale", [np.float64(0.1), 2], (0.1, 2)),
        ("delta_lr_scale", 0, 0),
    ],
)
def test_taken_in_types_that_any_file_holds(name, value, taken):
    options = checked_options({**GOOD, name: value})
    assert options[name] == taken and type(options[name]) is type(taken)
    assert checked_options({**GOOD, "sft": nn.Identity()})["sft"] is not None


def test_states_of_other_options():
    check_state_fits(GOOD, {})
    check_state_fits(GOOD, {"max_delta": 2.0})
    with pytest.raises(ValueError, match="max_delta=2.0, but the state to load was trained with max_delta=10.0"):
        check_state_fits(GOOD, {"basis": "smooth", "max_delta": 10.0})
