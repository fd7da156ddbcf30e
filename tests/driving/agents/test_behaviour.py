"""The panel of behaviours, and the options of the traffic."""

import numpy as np
import pytest

from sb3_delta_waypoint.driving.agents.behaviour import BEHAVIOURS, TrafficOptions, traffic_options


def test_the_panel_is_that_of_the_metrics():
    idm, mixed, aggressive = (BEHAVIOURS[name] for name in ("idm", "mixed", "aggressive"))
    assert (idm.headway, idm.gap, idm.acceleration, idm.braking, idm.pace) == (
        (1.5,) * 2,
        (2,) * 2,
        (1.5,) * 2,
        (2,) * 2,
        (1,) * 2,
    )
    assert (mixed.headway, mixed.gap, mixed.pace) == ((1.2, 1.9), (1.5, 2.5), (0.85, 1.1))
    assert (mixed.acceleration, mixed.braking) == ((1.2, 1.8), (1.7, 2.3))
    assert BEHAVIOURS["cautious"].headway == (2.2, 2.2) and aggressive.headway == (0.8, 0.8)
    assert [name for name, one in BEHAVIOURS.items() if one.changes_lanes] == ["aggressive"]
    assert [name for name, one in BEHAVIOURS.items() if one.deaf] == ["replay"]
    assert [name for name, one in BEHAVIOURS.items() if one.inserted] == ["inserted"]
    assert BEHAVIOURS["replay"]._replace(deaf=False) == BEHAVIOURS["inserted"]._replace(inserted=False) == mixed


def test_shares_add_up():
    assert traffic_options(None) == TrafficOptions()
    assert traffic_options({"behaviour": "idm"}).behaviour == {"idm": 1.0}
    assert traffic_options({"behaviour": {"idm": 3, "replay": 1}, "parked": 0}).behaviour == {"idm": 0.75, "replay": 0.25}
    assert traffic_options(TrafficOptions(vehicles=2)).vehicles == 2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"cars": 3}, r"'cars' is unknown; accepted are vehicles, pedestrians, parked, behaviour"),
        ({"vehicles": -1}, r"vehicles=-1"),
        ({"pedestrians": 1000}, r"pedestrians=1000"),
        ({"parked": 2.5}, r"parked=2\.5"),
        ({"vehicles": np.nan}, r"vehicles=nan"),
        ({"vehicles": "many"}, r"vehicles='many'"),
        ({"behaviour": "rude"}, r"'rude' is unknown; accepted are replay, idm, mixed, cautious, aggressive, inserted"),
        ({"behaviour": {"idm": 0.0, "mixed": 0}}, r"all weights are 0"),
        ({"behaviour": {"idm": -1.0}}, r"idm: the weight -1\.0 must be a number of at least 0"),
        ({"behaviour": {"idm": np.nan}}, r"idm: the weight nan"),
        ({"behaviour": {}}, r"expected a name, or a mapping of names to weights"),
        ({"behaviour": 3}, r"expected a name, or a mapping of names to weights"),
        (7, r"traffic=7: expected a mapping"),
    ],
)
def test_bad_options_are_named(given, message):
    with pytest.raises(ValueError, match=message):
        traffic_options(given)
