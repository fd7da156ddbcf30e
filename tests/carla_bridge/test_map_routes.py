"""Where the routes of an env come from."""

import pytest

pytest.importorskip("carla")

# ruff: noqa: E402 (the imports below need it)

from sb3_delta_waypoint.carla_bridge.errors import NoRoutesError


def test_a_map_without_room_for_routes_is_refused(make):
    with pytest.raises(NoRoutesError, match="route_length=9000") as caught:
        make(route_length=9000)
    assert isinstance(caught.value, ValueError)
