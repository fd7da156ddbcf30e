"""The leaderboard's route files."""

import math
from collections import Counter

import pytest

pytest.importorskip("carla")
pytest.importorskip("defusedxml")

from sb3_delta_waypoint.maps.route_xml import read_route_xml  # noqa: E402

OLD = """<?xml version='1.0'?><routes>
  <route id="3" town="Town01">
    <waypoint pitch="0" roll="0" x="1.5" y="2.5" yaw="90.0" z="0.0"/>
    <waypoint pitch="0" roll="0" x="10" y="-20" yaw="359.0" z="0.0"/>
    <weather id="Dawn" cloudiness="80.0" sun_altitude_angle="5"/>
  </route></routes>"""
NEW = """<routes>
  <route id="7" town="Town12">
    <weathers><weather route_percentage="100" wetness="20"/><weather route_percentage="0" wetness="5.0"/></weathers>
    <waypoints><position x="1" y="2" z="300"/><position x="3" y="4" z="300"/></waypoints>
    <scenarios><scenario name="Accident_1" type="Accident">
      <trigger_point x="5" y="6" z="300" yaw="-90"/><distance value="90"/><other_actor x="1"/><other_actor x="2"/>
    </scenario></scenarios>
  </route>
  <route id="8" town="Town13"><waypoints><position x="1" y="2"/><position x="3" y="4"/></waypoints></route></routes>"""


def read(tmp_path, text, town=None):
    path = tmp_path / "routes.xml"
    path.write_text(text)
    return read_route_xml(path, town)


def test_version_1(tmp_path):
    (route,) = read(tmp_path, OLD)
    assert (route.name, route.town, route.scenarios) == ("3", "Town01", ())
    # CARLA's frame is left-handed
    assert route.locations == (
        pytest.approx((1.5, -2.5, -math.pi / 2, 0.0)),
        pytest.approx((10.0, 20.0, math.radians(1.0), 0.0)),
    )
    assert route.weather == ((0.0, {"cloudiness": 80.0, "sun_altitude_angle": 5.0}),)


def test_version_2(tmp_path):
    first, second = read(tmp_path, NEW)
    assert first.locations == ((1.0, -2.0, None, 300.0), (3.0, -4.0, None, 300.0))
    assert second.locations == ((1.0, -2.0, None), (3.0, -4.0, None))
    assert first.weather == ((0.0, {"wetness": 5.0}), (100.0, {"wetness": 20.0}))
    (scenario,) = first.scenarios
    assert (scenario.name, scenario.type) == ("Accident_1", "Accident")
    assert scenario.trigger == pytest.approx((5.0, -6.0, math.pi / 2))
    assert scenario.parameters == (("distance", {"value": "90"}), ("other_actor", {"x": "1"}), ("other_actor", {"x": "2"}))
    assert second.weather == second.scenarios == ()
    assert read(tmp_path, NEW, "Town13") == [second]


def test_unknown_weather_is_ignored_with_a_warning(tmp_path):
    with pytest.warns(UserWarning, match="ignored snow"):
        (route,) = read(tmp_path, OLD.replace('cloudiness="80.0"', 'snow="1"'))
    assert route.weather == ((0.0, {"sun_altitude_angle": 5.0}),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not XML", "not readable as XML"),
        ("<OpenDRIVE/>", "root element is <OpenDRIVE>, not <routes>"),
        ("<routes/>", "there is no <route> in it"),
        (OLD.replace('id="3" ', ""), "route number 0: <route>: attribute 'id' is missing"),
        (OLD.replace('town="Town01"', ""), "route 3: <route>: attribute 'town' is missing"),
        (OLD.replace('x="1.5"', 'x="here"'), "route 3: <waypoint>: attribute 'x' is 'here', expected a finite number"),
        (OLD.replace('x="1.5"', 'x="inf"'), "route 3: <waypoint>: attribute 'x' is 'inf'"),
        (OLD.replace('yaw="90.0"', ""), "route 3: <waypoint>: attribute 'yaw' is missing"),
        (OLD.replace('cloudiness="80.0"', 'cloudiness="many"'), "route 3: <weather>: attribute 'cloudiness' is 'many'"),
        (NEW.replace('<position x="3" y="4" z="300"/>', ""), "route 7: there is one place only"),
        (NEW.replace("waypoints>", "points>"), "route 7: there must be either <waypoint> elements"),
        (NEW.replace('<trigger_point x="5" y="6" z="300" yaw="-90"/>', ""), "scenario 'Accident_1' has 0 <trigger_point>"),
        (NEW.replace('type="Accident"', ""), "route 7: <scenario>: attribute 'type' is missing"),
        (NEW.replace('id="8"', 'id="7"'), "route 7: there is another route of this id"),
        (OLD.replace('x="1.5"', f'x="{"9" * 99999}"'), r"attribute 'x' is '9{30,60}\.\.\.9{30,60}', expected a finite number"),
        (OLD.replace('id="3"', f'id="{"3" * 99999}"').replace("1.5", "x"), "route 3{100} … 3{100}: <waypoint>: attribute 'x'"),
        ("<!DOCTYPE routes [<!ENTITY a 'aaaa'>]>" + NEW, "not readable as XML .*DTD"),
    ],
)
def test_malformed_files(text, message, tmp_path):
    with pytest.raises(ValueError, match=message) as caught:
        read(tmp_path, text)
    assert "routes.xml" in str(caught.value)


def test_missing_file_and_missing_town(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere.xml"):
        read_route_xml(tmp_path / "nowhere.xml")
    with pytest.raises(ValueError, match="no route in Town99, only in Town12, Town13"):
        read(tmp_path, NEW, "Town99")


def test_real_files(shared_data):
    routes = read_route_xml(shared_data("longest6_routes.xml"))
    assert Counter(route.town for route in routes) == {f"Town0{number}": 6 for number in range(1, 7)}
    assert all(len(route.weather) == 1 and len(route.locations) >= 14 for route in routes)
    routes = read_route_xml(shared_data("leaderboard2_routes_devtest.xml"))
    assert [route.town for route in routes] == ["Town12"] * 2
    assert sum(len(route.locations) for route in routes) == 62 and sum(len(route.scenarios) for route in routes) == 119
    assert all([each.percentage for each in route.weather] == [0.0, 100.0] for route in routes)
