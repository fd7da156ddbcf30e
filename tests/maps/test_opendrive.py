"""OpenDRIVE maps: geometry, direction, connections and speed limits of the lanes, and what is refused."""

import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest

from sb3_delta_waypoint.driving.network import RoadNetwork, reachable_length, segment_lengths
from sb3_delta_waypoint.maps.opendrive import load_opendrive

WIDTH = 3.5
RADIUS = 20.0
ARC = RADIUS * math.pi / 2

LANES = """
  <laneSection s="{s}">
    <left><lane id="1" type="driving"><link>{left}</link><width sOffset="0" a="3.5" b="0" c="0" d="0"/></lane></left>
    <center><lane id="0" type="none"/></center>
    <right><lane id="-1" type="driving"><link>{right}</link><width sOffset="0" a="3.5" b="0" c="0" d="0"/></lane></right>
  </laneSection>"""


def lanes(s: float = 0.0, before: bool = False, after: bool = False) -> str:
    """A lane section with a lane in each direction, each linked to the lane of the same id before it, after it, or both."""
    link = {lane: f'<predecessor id="{lane}"/>' * before + f'<successor id="{lane}"/>' * after for lane in (1, -1)}
    return LANES.format(s=s, left=link[1], right=link[-1])


def road(name: int, plan: str, length: float, sections: str, link: str = "", kind: str = "", junction: int = -1) -> str:
    return (
        f'<road name="" id="{name}" length="{length}" junction="{junction}"><link>{link}</link>{kind}'
        f"<planView>{plan}</planView><lanes><laneOffset s='0' a='0' b='0' c='0' d='0'/>{sections}</lanes></road>"
    )


def line(x: float, y: float, heading: float, length: float) -> str:
    return f'<geometry s="0" x="{x}" y="{y}" hdg="{heading}" length="{length}"><line/></geometry>'


def arc(x: float, y: float, heading: float, length: float = ARC) -> str:
    return f'<geometry s="0" x="{x}" y="{y}" hdg="{heading}" length="{length}"><arc curvature="{1 / RADIUS}"/></geometry>'


def neighbours(before: int | None = None, after: int | None = None) -> str:
    predecessor = f'<predecessor elementType="road" elementId="{before}" contactPoint="end"/>' if before is not None else ""
    return predecessor + (
        f'<successor elementType="road" elementId="{after}" contactPoint="start"/>' if after is not None else ""
    )


LIMIT = '<type s="0" type="town"><speed max="36" unit="km/h"/></type>'
STRAIGHT = road(1, line(0, 0, 0, 50), 50, lanes(after=True), neighbours(after=2), LIMIT)


def bend(x: float = 50.0, y: float = 0.0, heading: float = 0.0) -> str:
    return road(2, arc(x, y, heading), ARC, lanes(before=True), neighbours(before=1))


@pytest.fixture
def write_map(tmp_path):
    """A function from roads and junctions in OpenDRIVE to the path of a map file."""

    def write(*parts: str, root: str = "<OpenDRIVE>") -> Path:
        path = tmp_path / "map.xodr"
        header = '<header revMajor="1" revMinor="4"><geoReference>+proj=tmerc</geoReference></header>'
        path.write_text(f"{root}{header}{''.join(parts)}</OpenDRIVE>")
        return path

    return write


def segment(network: RoadNetwork, number: int) -> np.ndarray:
    return network.points[network.offsets[number] : network.offsets[number + 1]]


def followers(network: RoadNetwork, number: int) -> list[int]:
    return network.successors[network.successor_offsets[number] : network.successor_offsets[number + 1]].tolist()


def turns(points: np.ndarray) -> np.ndarray:
    """Change of heading at each inner point of a polyline [rad]."""
    step = np.diff(points, axis=0)
    return np.diff(np.unwrap(np.arctan2(step[:, 1], step[:, 0])))


def starting_at(network: RoadNetwork, x: float, y: float) -> int:
    """The segment that starts there."""
    starts = network.points[network.offsets[:-1]]
    (found,) = np.flatnonzero(np.linalg.norm(starts - [x, y], axis=1) < 0.05)
    return int(found)


class TestHandWrittenMap:
    """A straight of 50 m along x, then a quarter turn to the left, one lane in each direction."""

    @pytest.fixture(autouse=True)
    def needs_carla(self):
        pytest.importorskip("carla")

    def test_lanes_lie_where_the_file_says_and_run_in_driving_direction(self, write_map):
        network = load_opendrive(write_map(STRAIGHT, bend()))
        assert network.n_segments == 2
        for start, end, side in (
            ((0.0, -WIDTH / 2), (50 + RADIUS + WIDTH / 2, RADIUS), -1),
            ((50 + RADIUS - WIDTH / 2, RADIUS), (0.0, WIDTH / 2), 1),
        ):
            points = segment(network, starting_at(network, *start))
            np.testing.assert_allclose(points[-1], end, atol=5e-3)
            on_straight = points[:, 0] < 50
            np.testing.assert_allclose(points[on_straight, 1], side * WIDTH / 2, atol=2e-3)
            from_centre = np.linalg.norm(points[~on_straight] - [50, RADIUS], axis=1)
            np.testing.assert_allclose(from_centre, RADIUS - side * WIDTH / 2, atol=5e-3)

    def test_points_are_a_metre_apart_and_the_bend_has_its_curvature(self, write_map):
        network = load_opendrive(write_map(STRAIGHT, bend()))
        points = segment(network, starting_at(network, 0.0, -WIDTH / 2))
        steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
        assert steps.min() > 0.9 and steps.max() <= 1.0
        curvature = turns(points) / steps[1:]
        np.testing.assert_allclose(curvature[:48], 0.0, atol=1e-3)
        np.testing.assert_allclose(curvature[52:], 1 / (RADIUS + WIDTH / 2), atol=2e-3)
        assert curvature.min() > -1e-3 and curvature.max() < 1 / RADIUS

    @pytest.mark.parametrize("length", [1.2, 50])
    def test_a_dead_end_has_no_successor(self, write_map, length):
        network = load_opendrive(write_map(road(1, line(0, 0, 0, length), length, lanes())))
        assert network.n_segments == 2
        assert len(network.successors) == 0
        np.testing.assert_allclose(reachable_length(network, 1000.0), length, atol=0.01)

    def test_the_limit_holds_on_its_road_and_on_roads_after_it_that_have_none(self, write_map):
        network = load_opendrive(write_map(STRAIGHT, bend()))
        with_the_road, against_it = (starting_at(network, 0.0, -1.75), starting_at(network, 68.25, RADIUS))
        assert set(network.speeds[network.offsets[with_the_road] : network.offsets[with_the_road + 1]]) == {10.0}
        speeds = network.speeds[network.offsets[against_it] : network.offsets[against_it + 1]]
        x = segment(network, against_it)[:, 0]
        assert set(speeds[x < 49]) == {10.0} and set(speeds[x > 51]) == {np.inf}

    @pytest.mark.parametrize(
        ("limit", "speed"), [('max="25" unit="mph"', 11.176), ('max="9"', 9.0), ('max="no limit"', np.inf)]
    )
    def test_limits_come_in_any_unit(self, write_map, limit, speed):
        kind = f'<type s="0" type="town"/><type s="25" type="town"><speed {limit}/></type>'
        network = load_opendrive(write_map(road(1, line(0, 0, 0, 50), 50, lanes(), kind=kind)))
        right = network.speeds[network.offsets[starting_at(network, 0.0, -1.75)] :][:51]
        np.testing.assert_allclose(right[:25], np.inf)
        np.testing.assert_allclose(right[26:], speed)

    def test_lanes_that_miss_each_other_by_decimetres_are_joined_without_a_kink(self, write_map):
        network = load_opendrive(write_map(STRAIGHT, bend(x=50.2, y=0.6)))
        assert network.n_segments == 2
        assert np.abs(turns(segment(network, starting_at(network, 0.0, -1.75)))).max() < 0.09

    @pytest.mark.parametrize("place", [(50.0, 3.0, 0.0), (48.25, -1.75, math.pi / 2), (50.0, -3.5, math.pi)])
    def test_lanes_that_a_car_cannot_follow_are_not_connected(self, write_map, place):
        network = load_opendrive(write_map(STRAIGHT, bend(*place)))
        assert network.n_segments == 4
        assert len(network.successors) == 0

    def test_lane_sections_leave_no_trace(self, write_map):
        plain = load_opendrive(write_map(STRAIGHT, bend()))
        sections = lanes(0, after=True) + "".join(lanes(at, True, True) for at in (20, 20.05, 20.4, 20.401, 49.9995))
        cut = road(1, line(0, 0, 0, 50), 50, sections, neighbours(after=2), LIMIT)
        network = load_opendrive(write_map(cut, bend()))
        np.testing.assert_array_equal(network.offsets, plain.offsets)
        np.testing.assert_allclose(network.points, plain.points, atol=2e-3)

    def test_a_junction_gives_a_choice(self, write_map):
        to_junction = '<successor elementType="junction" elementId="9"/>'
        one_way = lanes(before=True).replace('id="1" type="driving"', 'id="1" type="none"')
        network = load_opendrive(
            write_map(
                road(1, line(0, 0, 0, 50), 50, lanes(), to_junction, LIMIT),
                road(10, line(50, 0, 0, 30), 30, one_way, neighbours(before=1), junction=9),
                road(11, arc(50, 0, 0), ARC, one_way, neighbours(before=1), junction=9),
                '<junction id="9" name="">',
                *(
                    f'<connection id="{number}" incomingRoad="1" connectingRoad="{number}" contactPoint="start">'
                    '<laneLink from="-1" to="-1"/></connection>'
                    for number in (10, 11)
                ),
                "</junction>",
            )
        )
        ahead = followers(network, starting_at(network, 0.0, -1.75))
        ends = sorted(segment(network, number)[-1].round(2).tolist() for number in ahead)
        np.testing.assert_allclose(ends, [[50 + RADIUS + 1.75, RADIUS], [80.0, -1.75]], atol=0.01)
        for number in ahead:
            np.testing.assert_array_equal(segment(network, number)[0], segment(network, starting_at(network, 0.0, -1.75))[-1])

    def test_a_circle_is_endless(self, write_map):
        half = RADIUS * math.pi
        both = lanes(before=True, after=True)
        network = load_opendrive(
            write_map(
                road(1, arc(0, -RADIUS, 0, half), half, both, neighbours(2, 2)),
                road(2, arc(0, RADIUS, math.pi, half), half, both, neighbours(1, 1)),
            )
        )
        assert [followers(network, number) for number in range(network.n_segments)] == [[0], [1]]
        np.testing.assert_allclose(sorted(segment_lengths(network)), 2 * np.pi * np.array([18.25, 21.75]), atol=0.1)
        np.testing.assert_allclose(reachable_length(network, 1000.0), 1000.0)

    def test_the_same_file_gives_the_same_network(self, write_map):
        path = write_map(STRAIGHT, bend())
        for first, second in zip(load_opendrive(path), load_opendrive(str(path)), strict=True):
            np.testing.assert_array_equal(first, second)

    def test_an_xml_namespace_makes_no_difference(self, write_map):
        plain = load_opendrive(write_map(STRAIGHT))
        network = load_opendrive(write_map(STRAIGHT, root='<OpenDRIVE xmlns="http://www.opendrive.org">'))
        np.testing.assert_array_equal(network.points, plain.points)

    @pytest.mark.parametrize(
        ("parts", "message"),
        [
            ([], "no drivable route; the map has 0 roads and no driving lane"),
            ([STRAIGHT.replace("driving", "sidewalk")], "no drivable route; the map has 1 roads and no driving lane"),
            ([STRAIGHT.replace('length="50"', 'length="1e9"', 1)], "road 1: length is .* but its planView adds up to 50"),
            ([STRAIGHT.replace('id="1"', 'id="A1"', 1)], "road 'A1': .*invalid literal"),
            ([STRAIGHT.replace(' length="50"', "", 1)], "road '1': missing or unreadable attribute: 'length'"),
            ([STRAIGHT.replace('unit="km/h"', 'unit="knots"')], "road '1': .*knots"),
            ([STRAIGHT.replace('laneSection s="0.0"', 'laneSection s="60"')], "road 1: its lane sections"),
            ([STRAIGHT.replace('x="0"', 'x="nan"')], "not finite"),
            ([STRAIGHT.replace('c="0"', 'c="1"')], "road 1: a lane jumps by .* its geometry has a gap"),
            ([STRAIGHT.replace('"50"', '"1e12"')], "its roads and driving lanes are 3e\\+12 m long; at most 5e\\+06 m are"),
            ([STRAIGHT.replace('"50"', '"inf"')], "road 1: a length or place along it is not finite"),
            ([STRAIGHT.replace('id="1"', 'id="99999999999"', 1)], "road '99999999999': .* more than 32 bits"),
            ([STRAIGHT.replace('id="1"', f'id="{"1" * 9999}"', 1)], "road '1111.{80}"),
            ([STRAIGHT + "<userData>" * 5000 + "</userData>" * 5000], "is nested too deeply"),
            # carla.Map itself dies of a link to a lane that is not there
            ([STRAIGHT, bend().replace('id="-1" type', 'id="-2" type')], "carla.Map"),
        ],
    )
    def test_a_map_that_cannot_be_driven_is_refused_with_the_reason(self, write_map, parts, message):
        path = write_map(*parts)
        with pytest.raises(ValueError, match=message) as caught:
            load_opendrive(path)
        assert str(path) in str(caught.value)

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "not readable as XML"),
            (bytes(range(256)) * 4, "not readable as XML"),
            (b"<OpenDRIVE><road id='1' length='50'><lanes>", "not readable as XML"),
            (b"<osm version='0.6'/>", "root element is <osm>"),
            (b"<!DOCTYPE a [<!ENTITY b 'c'>]><OpenDRIVE>&b;</OpenDRIVE>", "not readable as XML"),
        ],
    )
    def test_what_is_not_opendrive_is_refused(self, tmp_path, content, message):
        path = tmp_path / "map.xodr"
        path.write_bytes(content)
        with pytest.raises(ValueError, match=f"map.xodr is not OpenDRIVE: .*{message}"):
            load_opendrive(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere.xodr"):
        load_opendrive(tmp_path / "nowhere.xodr")
    with pytest.raises(FileNotFoundError, match=tmp_path.name):
        load_opendrive(tmp_path)


def test_without_carla_the_extra_is_named(write_map, monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "carla" else find_spec(name, *rest))
    with pytest.raises(ImportError, match=r"needs carla: pip install sb3_delta_waypoint\[carla\]"):
        load_opendrive(write_map(STRAIGHT))


@pytest.fixture(params=["Town01.xodr", "Town02.xodr"])
def town(request, shared_data):
    pytest.importorskip("carla")
    return shared_data(request.param)


class TestTowns:
    """CARLA's Town01 and Town02: closed towns with right-hand traffic and right-angled junctions."""

    def test_every_lane_metre_is_there_once(self, town):
        import carla

        network = load_opendrive(town)
        road_map = carla.Map("town", town.read_text())
        n_metres = len(road_map.generate_waypoints(1.0))
        assert segment_lengths(network).sum() == pytest.approx(n_metres, rel=0.03)
        middle = np.array(
            [segment(network, number)[len(segment(network, number)) // 2] for number in range(network.n_segments)]
        )
        distance = np.linalg.norm(middle[:, None] - middle, axis=-1) + 1e9 * np.eye(len(middle))
        assert distance.min() > 0.02  # crossing turns come close, copies would coincide

    def test_points_lie_on_lane_centres_and_face_the_driving_direction(self, town):
        import carla

        network = load_opendrive(town)
        road_map = carla.Map("town", town.read_text())
        compared = 0
        for number in range(network.n_segments):
            points = segment(network, number)
            for index in range(2, len(points) - 2, 5):
                x, y = points[index]
                waypoint = road_map.get_waypoint(carla.Location(float(x), float(-y)))
                centre = waypoint.transform.location
                ahead = points[index + 1] - points[index - 1]
                lateral = (ahead[0] * (-centre.y - y) - ahead[1] * (centre.x - x)) / np.linalg.norm(ahead)
                assert abs(lateral) < 0.03
                if not waypoint.is_junction:
                    error = math.atan2(ahead[1], ahead[0]) + math.radians(waypoint.transform.rotation.yaw)
                    assert abs(math.remainder(error, 2 * math.pi)) < 0.1
                    compared += 1
        assert compared > 200

    def test_driving_never_ends_and_junctions_give_choices(self, town):
        network = load_opendrive(town)
        np.testing.assert_allclose(reachable_length(network, 2000.0), 2000.0)
        choices = np.diff(network.successor_offsets)
        assert choices.min() == 1 and choices.max() == 2 and (choices == 2).sum() >= 24
        assert np.bincount(network.successors, minlength=network.n_segments).min() == 1

    def test_a_drive_has_no_jump_and_no_kink(self, town):
        network = load_opendrive(town)
        sharpest = 0.0
        for number in range(network.n_segments):
            for following in followers(network, number):
                drive = np.concatenate([segment(network, number), segment(network, following)[1:]])
                steps = np.linalg.norm(np.diff(drive, axis=0), axis=1)
                assert steps.min() > 0.9 and steps.max() <= 1.0
                sharpest = max(sharpest, float(np.abs(turns(drive) / steps[1:]).max()))
        # the tightest turns of the files have radii of 4.5 m (Town01) and 2.7 m (Town02)
        assert 0.15 < sharpest < (0.24 if town.name == "Town01.xodr" else 0.37)

    def test_the_limit_of_25_mph_holds_in_junctions_too(self, town):
        np.testing.assert_allclose(load_opendrive(town).speeds, 11.176)
