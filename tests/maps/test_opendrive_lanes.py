"""Lanes of OpenDRIVE maps: widths, neighbours, stop lines, lights and crossings."""

import math

import numpy as np
import pytest

from sb3_delta_waypoint.driving.signals import RED
from sb3_delta_waypoint.maps.opendrive import load_opendrive
from sb3_delta_waypoint.maps.opendrive_lanes import govern, lanes_of, load_lanes
from sb3_delta_waypoint.maps.signals import TRAFFIC_LIGHT, read_signals

pytest.importorskip("carla")

WIDTHS = {1: 3.5, -1: 3.5, -2: 3.0}
LIGHT = '<signal id="7" s="0" t="-6" orientation="+" type="1000001" subtype="-1"><validity fromLane="0" toLane="0"/></signal>'
GOVERNS = '<signalReference id="7" s="0.2" t="0" orientation="+"><validity fromLane="-1" toLane="-1"/></signalReference>'
STOP = '<signal id="8" s="19.9" t="5" orientation="-" type="206" subtype="-1"/>'
CROSSWALK = (
    '<object type="crosswalk" id="1" name="" s="30" t="-1.5" zOffset="0" orientation="none" hdg="0" length="3" width="12">'
    + "<outline>"
    + "".join(f'<cornerLocal u="{u}" v="{v}" z="0" height="0"/>' for u, v in ((-2, -6), (2, -6), (2, 6), (-2, 6), (-2, -6)))
    + "</outline></object>"
)


def road(number, x, length, before=None, after=None, junction=-1, extra=""):
    """A road along x, with one lane to the left and two to the right; it is linked to the roads before and after it."""
    link = "".join(
        f'<{kind} elementType="road" elementId="{other}" contactPoint="{contact}"/>'
        for kind, other, contact in (("predecessor", before, "end"), ("successor", after, "start"))
        if other is not None
    )

    def lane(number):
        links = '<predecessor id="{0}"/>' * (before is not None) + '<successor id="{0}"/>' * (after is not None)
        return (
            f'<lane id="{number}" type="driving"><link>{links.format(number)}</link>'
            f'<width sOffset="0" a="{WIDTHS[number]}" b="0" c="0" d="0"/></lane>'
        )

    return (
        f'<road name="" id="{number}" length="{length}" junction="{junction}"><link>{link}</link>'
        f'<planView><geometry s="0" x="{x}" y="0" hdg="0" length="{length}"><line/></geometry></planView>'
        "<lanes><laneOffset s='0' a='0' b='0' c='0' d='0'/><laneSection s='0'>"
        f"<left>{lane(1)}</left><center><lane id='0' type='none'/></center><right>{lane(-1)}{lane(-2)}</right>"
        f"</laneSection></lanes>{extra}</road>"
    )


@pytest.fixture
def write_map(tmp_path):
    """A function that writes a street of three roads along x, the middle one in a junction, and returns its path."""

    def write(first="", middle="", controllers=""):
        path = tmp_path / "map.xodr"
        roads = (
            road(1, 0, 60, after=2, extra=first) + road(2, 60, 20, 1, 3, junction=9, extra=middle) + road(3, 80, 60, before=2)
        )
        header = '<header revMajor="1" revMinor="4"><geoReference>+proj=tmerc</geoReference></header>'
        path.write_text(f'<OpenDRIVE>{header}{roads}<junction id="9" name="">{controllers}</junction></OpenDRIVE>')
        return path

    return write


def lane_at(lanes, y):
    """The segment whose lane starts or ends at this y."""
    (segment,) = np.flatnonzero(np.abs(lanes.network.points[lanes.network.offsets[:-1], 1] - y) < 0.01)
    return int(segment)


def test_widths_neighbours_and_junctions(write_map):
    lanes = load_lanes(write_map())
    inner, outer, opposite = lane_at(lanes, -1.75), lane_at(lanes, -5.0), lane_at(lanes, 1.75)
    for segment, width in ((inner, 3.5), (outer, 3.0), (opposite, 3.5)):
        np.testing.assert_allclose(lanes.width[lanes.segment_of == segment], width, atol=1e-6)
    x = lanes.network.points[:, 0]
    np.testing.assert_array_equal(lanes.in_junction[np.abs(x - 70) < 9.4], True)
    np.testing.assert_array_equal(lanes.in_junction[np.abs(x - 70) > 10.6], False)
    here = np.flatnonzero((lanes.segment_of == inner) & ~lanes.in_junction)
    there = lanes.right[here]
    assert (lanes.segment_of[there] == outer).all() and (lanes.left[here] == -1).all()
    np.testing.assert_allclose(x[there], x[here], atol=0.6)
    assert (lanes.segment_of[lanes.left[(lanes.segment_of == outer) & ~lanes.in_junction]] == inner).all()
    assert (lanes.left[lanes.in_junction] == -1).all() and (lanes.right[lanes.in_junction] == -1).all()
    assert (lanes.left[lanes.segment_of == opposite] == -1).all() and (lanes.right[lanes.segment_of == opposite] == -1).all()
    assert len(lanes.lights) == len(lanes.crossings) == 0 and np.isinf(lanes.stop_at).all()


def test_a_light_governs_its_lane_before_the_junction_and_a_crossing_is_put_there(write_map):
    lanes = load_lanes(write_map(first=f"<signals>{LIGHT}</signals>", middle=f"<signals>{GOVERNS}</signals>"))
    inner, outer = lane_at(lanes, -1.75), lane_at(lanes, -5.0)
    assert lanes.lights.tolist() == [(0, 0, 1, -1)] and lanes.stop_light[inner] == 0 and not lanes.stop_sign.any()
    assert np.isinf(lanes.stop_at[outer])
    (crossing,) = lanes.crossings
    assert crossing["x"] == crossing["to_x"] == pytest.approx(56.5, abs=1.0)
    # 6.5 m of lanes to the right of the middle, 3.5 m to the left, and pavements
    assert (crossing["y"], crossing["to_y"]) == (pytest.approx(-8.0), pytest.approx(5.0))
    assert lanes.stop_at[inner] == pytest.approx(crossing["x"] - 2.5, abs=0.6)


def test_a_stop_sign_is_for_the_lanes_of_its_direction(write_map):
    lanes = load_lanes(write_map(middle=f"<signals>{STOP}</signals>"))
    assert np.flatnonzero(lanes.stop_sign).tolist() == [lane_at(lanes, 1.75)] and len(lanes.lights) == 0
    # it drives against x: 60 m to the junction, less the room for the crossing
    assert 50.0 < lanes.stop_at[lane_at(lanes, 1.75)] < 57.0


def test_the_crossings_of_the_map_are_used(write_map):
    lanes = load_lanes(write_map(first=f"<objects>{CROSSWALK}</objects>", middle=f"<signals>{STOP}</signals>"))
    (crossing,) = lanes.crossings
    assert crossing["x"] == pytest.approx(30.0) and crossing["to_x"] == pytest.approx(30.0)
    assert sorted([crossing["y"], crossing["to_y"]]) == pytest.approx([-7.5, 4.5])
    assert 58.9 < lanes.stop_at[lane_at(lanes, 1.75)] <= 60.0


def test_lights_of_a_junction_take_turns_by_controller(write_map):
    signals = LIGHT + LIGHT.replace('id="7"', 'id="11"')
    other = GOVERNS.replace('id="7"', 'id="11"').replace('"-1"', '"1"').replace('s="0.2"', 's="19.8"')
    path = write_map(
        first=f"<signals>{signals}</signals>",
        middle=f"<signals>{GOVERNS}{other}</signals>",
        controllers='<controller id="5" type="0" sequence="1"/><controller id="6" type="0" sequence="0"/>',
    )
    text = path.read_text()
    controllers = "".join(f'<controller id="{c}"><control signalId="{s}" type=""/></controller>' for c, s in ((5, 7), (6, 11)))
    path.write_text(text.replace("<road", f"{controllers}<road", 1))
    lanes = load_lanes(path)
    assert lanes.lights.tolist() == [(0, 1, 2, -1), (0, 0, 2, -1)]
    assert lanes.stop_light[lane_at(lanes, -1.75)] == 0 and lanes.stop_light[lane_at(lanes, 1.75)] == 1


@pytest.mark.parametrize(("attribute", "bad"), [('s="0.2"', 's="far"'), ('fromLane="-1"', "from"), ('s="0.2"', 's="inf"')])
def test_a_damaged_signal_is_named(write_map, attribute, bad):
    path = write_map(first=f"<signals>{LIGHT}</signals>", middle=f"<signals>{GOVERNS.replace(attribute, bad + ' ')}</signals>")
    if bad == "from":
        path.write_text(path.read_text().replace("from  ", ""))
    with pytest.raises(ValueError, match="map.xodr: road '2': signal '7': missing or unreadable attribute"):
        load_lanes(path)


def test_a_damaged_controller_is_named(write_map):
    path = write_map(
        first=f"<signals>{LIGHT}</signals>",
        middle=f"<signals>{GOVERNS}</signals>",
        controllers='<controller id="5" type="0" sequence="last"/>',
    )
    with pytest.raises(ValueError, match="map.xodr: junction '9': controller '5': unreadable sequence: .*'last'"):
        load_lanes(path)


def test_a_map_without_a_driving_lane_is_refused(write_map):
    path = write_map()
    path.write_text(path.read_text().replace('"driving"', '"parking"'))
    with pytest.raises(ValueError, match="no driving lane"):
        load_lanes(path)


@pytest.fixture(scope="module", params=["Town01.xodr", "Town02.xodr"])
def town(request, shared_data):
    path = shared_data(request.param)
    return load_lanes(path), path


def test_the_network_of_a_town_is_the_same_to_the_last_bit(town):
    lanes, path = town
    for array, expected in zip(lanes.network, load_opendrive(path), strict=True):
        np.testing.assert_array_equal(array, expected)
    assert set(np.unique(lanes.width)) == {4.0} and (lanes.left == -1).all()


def test_cars_stop_before_each_junction_of_a_town(town):
    lanes, _ = town
    network = lanes.network
    leads = np.repeat(np.arange(network.n_segments), np.diff(network.successor_offsets))
    into = np.unique(
        leads[lanes.in_junction[network.offsets[network.successors]] & ~lanes.in_junction[network.offsets[leads]]]
    )
    assert np.flatnonzero(np.isfinite(lanes.stop_at)).tolist() == into.tolist()
    assert (lanes.length[into] - lanes.stop_at[into] < 6.5).all() and (lanes.stop_at[into] < lanes.length[into]).all()
    assert sorted(lanes.stop_light[into]) == list(range(len(lanes.lights)))
    for junction in np.unique(lanes.lights["junction"]):
        lights = lanes.lights[lanes.lights["junction"] == junction]
        assert sorted(lights["turn"]) == [0, 1, 2] and (lights["turns"] == 3).all()
        entries = np.flatnonzero(np.isin(lanes.stop_light, np.flatnonzero(lanes.lights["junction"] == junction)))
        ends = network.points[network.offsets[entries + 1] - 1]
        assert np.hypot(*(ends - ends.mean(axis=0)).T).max() < 25.0, "lights of one junction stand around it"


def test_a_town_without_crossings_gets_them_before_its_junctions(town):
    lanes, _ = town
    assert len(lanes.crossings) == len(lanes.lights)
    for crossing in lanes.crossings:
        assert math.dist((crossing["x"], crossing["y"]), (crossing["to_x"], crossing["to_y"])) == pytest.approx(11.0, abs=0.3)


def test_the_lanes_of_a_text_are_read_once_and_are_those_of_its_file(write_map):
    path = write_map(middle=f"<signals>{STOP}</signals>")
    lanes, text = load_lanes(path), path.read_text()
    read = lanes_of("street", text)
    assert read is lanes_of("street", text)
    np.testing.assert_array_equal(read.network.points, lanes.network.points)
    np.testing.assert_array_equal(read.stop_at, lanes.stop_at)
    with pytest.raises(ValueError, match="^street.xodr"):
        lanes_of("street", "<OpenDRIVE/>")


def test_a_simulator_s_lights_stop_cars_where_the_map_s_do(write_map):
    carla = pytest.importorskip("carla")
    path = write_map(first=f"<signals>{LIGHT}</signals>", middle=f"<signals>{GOVERNS}{STOP}</signals>")
    lanes = load_lanes(path)
    signals = read_signals(carla.Map("street", path.read_text()), TRAFFIC_LIGHT)
    governed = govern(lanes, signals)
    np.testing.assert_array_equal(governed.stop_light, lanes.stop_light)
    np.testing.assert_array_equal(governed.stop_at, lanes.stop_at)
    np.testing.assert_array_equal(governed.stop_sign, lanes.stop_sign)
    assert governed.lights["held"].tolist() == [RED]
    without = govern(lanes, [])
    assert (without.stop_light == -1).all() and np.isfinite(without.stop_at).tolist() == lanes.stop_sign.tolist()
