"""Devices as people name them."""

import pytest
import torch

from sb3_delta_waypoint.devices import find_device


def test_devices_that_are_there():
    assert find_device("cpu") == torch.device("cpu")
    assert find_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize("name", ["cuda:77", "quantum", ""])
def test_a_device_that_is_not_there_is_named(name):
    with pytest.raises(ValueError, match=f"device {name} is not available here: .*; give --device cpu or auto"):
        find_device(name)
