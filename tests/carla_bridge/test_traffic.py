"""Other road users in the observation."""

import math

import numpy as np
import pytest

pytest.importorskip("carla")

from sb3_delta_waypoint.carla_bridge.traffic import TrafficOptions, traffic_options  # noqa: E402
from sb3_delta_waypoint.contract import OBSERVED_AGENTS  # noqa: E402
from sb3_delta_waypoint.driving.observation import observe_agents  # noqa: E402
from sb3_delta_waypoint.driving.records import (  # noqa: E402
    AGENT,
    CAR,  # noqa: E402
    PEDESTRIAN,
    VEHICLE,
)

YAW = 2.5


def seen(*relative: tuple[float, ...]) -> dict[str, np.ndarray]:
    """What a car somewhere sees of agents at these places relative to it: x, y, yaw, speed, length, width, kind."""
    car = np.zeros(1, CAR)[0]
    car["x"], car["y"], car["yaw"] = 40.0, -70.0, YAW
    turn = complex(math.cos(YAW), math.sin(YAW))
    agents = []
    for x, y, yaw, *rest in relative:
        place = complex(40.0, -70.0) + complex(x, y) * turn
        agents.append((place.real, place.imag, yaw + YAW, *rest))
    return observe_agents(np.array([(*agent, True, False) for agent in agents], AGENT), car)


def test_each_column_of_one_agent():
    row = (20.0, -3.5, 0.7, 6.0, 4.5, 1.9, VEHICLE)
    observed = seen(row)
    np.testing.assert_allclose(observed["agents"][0], row, atol=1e-5)
    assert (observed["agents"][1:] == 0.0).all()
    assert observed["agents_valid"].tolist() == [1.0] + [0.0] * (OBSERVED_AGENTS - 1)
    walker = (5.0, 4.0, -2.9, 1.4, 0.4, 0.5, PEDESTRIAN)
    np.testing.assert_allclose(seen(walker)["agents"][0], walker, atol=1e-5)


def test_headings_are_within_half_a_turn():
    assert seen((1.0, 0.0, 4.0, 0.0, 1.0, 1.0, 0.0))["agents"][0, 2] == pytest.approx(4.0 - 2.0 * math.pi, abs=1e-5)


def test_the_nearest_come_first_and_the_farthest_are_left_out():
    distances = [30.0, 10.0, -20.0, *np.linspace(40.0, 60.0, 20)]
    observed = seen(*[(x, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0) for x in distances])
    nearest = sorted(distances, key=abs)[:OBSERVED_AGENTS]
    np.testing.assert_allclose(observed["agents"][:, 0], nearest, atol=1e-4)
    assert observed["agents_valid"].all()


def test_out_of_range_is_not_observed():
    observed = seen((101.0, 0.0, 0.0, 1.0, 4.0, 2.0, 0.0), (0.0, -99.0, 0.0, 1.0, 4.0, 2.0, 0.0))
    assert observed["agents_valid"].sum() == 1.0
    np.testing.assert_allclose(observed["agents"][0, :2], [0.0, -99.0], atol=1e-4)
    assert seen()["agents_valid"].sum() == 0.0


def test_options_take_behaviours_that_the_loopback_server_has():
    assert traffic_options(None) is None
    assert traffic_options({"vehicles": 3}) == TrafficOptions(vehicles=3)
    assert traffic_options({"behaviour": "idm"}).behaviour == {"idm": 1.0}
    assert traffic_options({"behaviour": {"idm": 1, "cautious": 3}}).behaviour == {"idm": 0.25, "cautious": 0.75}
    for bad, message in (
        ({"behaviour": "replay"}, "'replay' exists in TrafficWaypoint-v0 only; accepted are idm, mixed, cautious, aggressive"),
        ({"behaviour": "polite"}, "'polite' is unknown"),
        ({"parked": 3}, "'parked' is unknown"),
        ({"vehicles": -1}, "vehicles"),
    ):
        with pytest.raises(ValueError, match=message):
            traffic_options(bad)
