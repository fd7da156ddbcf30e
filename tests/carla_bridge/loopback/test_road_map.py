"""The maps that the server serves, and those that a client sends, which must not take it down with them."""

import pytest

pytest.importorskip("carla")

from sb3_delta_waypoint.carla_bridge.loopback.road_map import RoadMap, sent_map  # noqa: E402
from sb3_delta_waypoint.maps import town  # noqa: E402
from tests.hills import hilly  # noqa: E402

STREET = (
    '<OpenDRIVE><header revMajor="1" revMinor="4" name="s"><geoReference>+proj=tmerc</geoReference></header>'
    '<road name="r" length="60" id="1" junction="-1"><link/>'
    '<planView><geometry s="0" x="0" y="0" hdg="0" length="60"><line/></geometry></planView>'
    '<elevationProfile/><lateralProfile/><lanes><laneOffset s="0" a="0" b="0" c="0" d="0"/><laneSection s="0">'
    '<center><lane id="0" type="none" level="false"/></center><right><lane id="-1" type="driving" level="false">'
    '<width sOffset="0" a="WIDTH" b="0" c="0" d="0"/></lane></right></laneSection></lanes>SIGNALS</road></OpenDRIVE>'
)
SIGNAL = (
    '<signals><signal s="5" t="-4" id="7" dynamic="no" orientation="+" type="1000001" subtype="-1" value="-1">'
    '<validity fromLane="{}" toLane="{}"/></signal></signals>'
)


def street(signals: str = "", width: float = 3.5) -> str:
    return STREET.replace("SIGNALS", signals).replace("WIDTH", str(width))


def test_a_signal_that_only_refers_to_another_is_refused_where_carla_would_crash():
    with pytest.raises(ValueError, match="street: carla.Map cannot read its signals: signal 11"):
        sent_map("street", street('<signals><signalReference s="5" t="1" id="77" orientation="+"/></signals>'))


def test_a_signal_for_millions_of_lanes_is_refused():
    with pytest.raises(ValueError, match="signal 7 is for the lanes -9999999 to 9999999"):
        sent_map("street", street(SIGNAL.format(-9999999, 9999999)))


def test_a_wide_lane_is_painted_as_far_as_the_picture_goes():
    road_map = sent_map("street", street(SIGNAL.format(-1, -1), width=100.0))
    assert len(road_map.signals) == 1
    assert road_map.ground.cells.max() > 0


def test_the_ground_is_flat_for_the_client_too():
    flat, hills = RoadMap("flat", town.town()), RoadMap("hills", hilly(town.town()))
    lanes = zip(flat.carla_map.generate_waypoints(10.0), hills.carla_map.generate_waypoints(10.0), strict=True)
    assert all(one.transform == other.transform for one, other in lanes)
    assert hills.carla_map.to_opendrive() == hills.text
