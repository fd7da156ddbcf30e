"""When a line may be driven over."""

import pytest

pytest.importorskip("carla")

from sb3_delta_waypoint.carla_bridge.events import StopLine  # noqa: E402
from sb3_delta_waypoint.carla_bridge.signals import YELLOW_BRAKING, may_go  # noqa: E402

LIGHT, SIGN = StopLine(30.0, "7", False), StopLine(30.0, "8", True)


@pytest.mark.parametrize(("state", "free"), [("Red", False), ("Green", True), ("Off", True), ("Unknown", True)])
@pytest.mark.parametrize("stopped", [False, True])
def test_a_light(state, free, stopped):
    assert may_go(LIGHT, state, stopped, 5.0, 8.0) is free


def test_yellow_is_passed_by_those_who_would_have_to_brake_hard():
    enough = 8.0**2 / (2.0 * YELLOW_BRAKING)
    assert may_go(LIGHT, "Yellow", False, enough - 0.01, 8.0)
    assert not may_go(LIGHT, "Yellow", False, enough + 0.01, 8.0)
    assert may_go(LIGHT, "Yellow", False, -0.5, 1.0) and not may_go(LIGHT, "Yellow", True, 5.0, 0.0)


@pytest.mark.parametrize("state", ["Red", "Green"])
def test_a_stop_sign_asks_for_a_stop_and_nothing_else(state):
    assert not may_go(SIGN, state, False, 5.0, 8.0)
    assert may_go(SIGN, state, True, 5.0, 8.0)
