"""Routes over CARLA's maps: planned, drawn by seed, led through places, in files."""

import math

import numpy as np
import pytest

from sb3_delta_waypoint.driving.network import polyline_length

carla = pytest.importorskip("carla")

from sb3_delta_waypoint.maps.lane_graph import LaneGraph  # noqa: E402
from sb3_delta_waypoint.maps.route_file import heights_along, load_routes, read_routes, write_routes  # noqa: E402
from sb3_delta_waypoint.maps.routes import plan_route, random_route, route_through  # noqa: E402
from tests.hills import hilly  # noqa: E402

LANE = 3.5


def two_lane_road(length=200.0, marking="broken", limits=((0.0, 10.0),), begins=(0.0,)):
    """
    A straight one-way road with two lanes along x, the left one at y = -1.75 m, the right one at y = -5.25 m, in lane sections
    that begin at the given places.
    """
    change = {"broken": "both", "solid": "none"}[marking]
    types = "".join(f'<type s="{s}" type="town"><speed max="{speed}" unit="m/s"/></type>' for s, speed in limits)
    sections = ""
    for begin in begins:
        sections += f'<laneSection s="{begin}"><center><lane id="0" type="none" level="false"/></center><right>'
        for lane in (-1, -2):
            before = f'<predecessor id="{lane}"/>' * (begin > 0.0)
            after = f'<successor id="{lane}"/>' * (begin < begins[-1])
            sections += (
                f'<lane id="{lane}" type="driving" level="false"><link>{before}{after}</link>'
                f'<width sOffset="0" a="{LANE}" b="0" c="0" d="0"/><roadMark sOffset="0" type="{marking}" weight="standard" '
                f'color="white" width="0.12" laneChange="{change}"/></lane>'
            )
        sections += "</right></laneSection>"
    text = f"""<?xml version="1.0"?><OpenDRIVE>
      <header revMajor="1" revMinor="4" name="" version="1"><geoReference>+lat_0=0 +lon_0=0</geoReference></header>
      <road name="" length="{length}" id="1" junction="-1">{types}
        <planView><geometry s="0" x="0" y="0" hdg="0" length="{length}"><line/></geometry></planView>
        <elevationProfile><elevation s="0" a="0" b="0" c="0" d="0"/></elevationProfile>
        <lanes><laneOffset s="0" a="0" b="0" c="0" d="0"/>{sections}</lanes>
      </road></OpenDRIVE>"""
    return LaneGraph(carla.Map("/Game/Maps/Test", text))


@pytest.fixture(scope="module")
def town(shared_data):
    """The lanes of a town, by its name."""
    graphs = {}

    def load(name):
        if name not in graphs:
            graphs[name] = LaneGraph(carla.Map(f"/Game/Carla/Maps/{name}", shared_data(f"{name}.xodr").read_text()))
        return graphs[name]

    return load


def spawn_points(graph):
    """One pose in the middle of each stretch, as a server's spawn points lie on lanes."""
    poses = []
    for points in graph.points[: graph.n_lane_stretches]:
        middle = len(points) // 2
        dx, dy = points[middle] - points[middle - 1]
        poses.append((*points[middle], math.atan2(dy, dx)))
    return poses


def assert_drivable(route):
    """About 1 m apart, no point twice, no sharper kink than the tightest junction turn has (R = 2.7 m), a limit everywhere."""
    steps = np.diff(route.points, axis=0)
    lengths = np.hypot(*steps.T)
    assert lengths.max() <= 1.01 and lengths.min() > 0.6
    turns = np.diff(np.unwrap(np.arctan2(steps[:, 1], steps[:, 0])))
    assert np.abs(turns).max() < 0.42
    assert route.points.dtype == route.speeds.dtype == np.float64
    assert route.speeds.shape == (len(route.points),) and np.isfinite(route.speeds).all() and route.speeds.min() > 0


@pytest.mark.parametrize("name", ["Town01", "Town02"])
def test_random_routes_are_drivable_and_repeatable(town, name):
    graph = town(name)
    poses = spawn_points(graph)
    lengths = []
    for seed in range(25):
        route = random_route(graph, poses, seed, 60.0, 250.0, name=str(seed))
        assert route.name == str(seed) and route.town == name
        assert 59.0 <= route.length <= 250.0
        assert_drivable(route)
        assert max(graph.locate(x, y)[0].offset for x, y in route.points) < 0.05
        again = random_route(graph, poses, seed, 60.0, 250.0)
        assert np.array_equal(again.points, route.points)
        lengths.append(route.length)
    assert len(set(lengths)) > 20


def test_a_route_starts_and_ends_at_its_places_and_keeps_to_the_right_lane(town):
    graph = town("Town01")
    poses = spawn_points(graph)
    route = plan_route(graph, poses[3], poses[40])
    assert math.dist(route.points[0], poses[3][:2]) < 1e-6 and math.dist(route.points[-1], poses[40][:2]) < 1e-6
    # where a road runs north, a car that is turned by half belongs on the lane beside, 4 m away
    x, y, yaw = 92.412, -276.3, math.pi / 2
    there, back = plan_route(graph, (x, y, yaw), poses[3]), plan_route(graph, (x, y, yaw + math.pi), poses[3])
    assert math.dist(there.points[0], (x, y)) < 0.01 and math.dist(back.points[0], (x, y)) == pytest.approx(4.0, abs=0.1)
    with pytest.raises(ValueError, match="place 0 at .* is not on the road: no driving lane in its direction"):
        plan_route(graph, (x, y, yaw + math.pi / 2), poses[3])


def test_all_of_a_town_can_be_reached(town):
    graph = town("Town02")
    poses = spawn_points(graph)
    for goal in poses[::5]:
        assert_drivable(plan_route(graph, poses[0], goal) if goal is not poses[0] else plan_route(graph, poses[1], goal))


def test_a_goal_just_behind_the_start_is_a_way_round_the_block(town):
    graph = town("Town01")
    stretch = max(range(graph.n_lane_stretches), key=graph.length)
    (behind, _), (ahead, _) = (graph.between(stretch, at, at + 1.0) for at in (5.0, 25.0))
    route = route_through(graph, [ahead[0, :2], behind[0, :2]])
    assert route.length > 100.0 and math.dist(route.points[-1], behind[0, :2]) < 1e-6
    assert_drivable(route)


@pytest.mark.parametrize("name", ["Town01", "Town02"])
def test_longest6(town, name, shared_data):
    graph = town(name)
    routes = load_routes(shared_data("longest6_routes.xml"), graph)
    assert len(routes) == 6
    for route in routes:
        assert route.town == name and 650.0 < route.length < 1250.0 and len(route.weather) == 1
        assert_drivable(route)


def test_places_are_passed_in_their_order(town, shared_data):
    from sb3_delta_waypoint.maps.route_xml import read_route_xml

    for description in read_route_xml(shared_data("longest6_routes.xml"), "Town02"):
        route = description.plan(town("Town02"))
        nearest = []
        for place in description.locations:
            away = np.hypot(*(route.points - place[:2]).T)
            assert away.min() < 1.0
            nearest.append(int(away.argmin()))
        # some of these routes pass a place twice
        assert np.mean(np.diff(nearest) > 0) > 0.85
        # the headings in the file only confirm what the shortest way through the places is
        without = route_through(town("Town02"), [place[:2] for place in description.locations])
        assert np.array_equal(without.points, route.points)


def test_the_nearest_lane_is_not_always_meant():
    """Where the only way leads through the lane further away, that one is taken: here, on from the goal's lane."""
    graph = two_lane_road(marking="solid")
    # 1.8 m beside the left lane, 1.7 m beside the right one, between two places on the left one
    route = route_through(graph, [(10.0, -1.75), (100.0, -3.55), (190.0, -1.75)])
    assert np.abs(route.points[:, 1] + 1.75).max() < 1e-3


def test_a_lane_change_is_smooth():
    graph = two_lane_road()
    route = plan_route(graph, (5.0, -1.75), (195.0, -5.25))
    assert_drivable(route)
    y = route.points[:, 1]
    assert y[0] == pytest.approx(-1.75, abs=1e-3) and y[-1] == pytest.approx(-5.25, abs=1e-3)
    assert (np.diff(y) < 1e-6).all()
    headings = np.arctan2(*np.diff(route.points, axis=0).T[::-1])
    assert np.abs(headings).max() < 0.35 and np.abs(np.diff(headings)).max() < 0.06
    assert polyline_length(route.points) < 191.0


def test_no_lane_change_over_a_solid_line():
    graph = two_lane_road(marking="solid")
    assert plan_route(graph, (5.0, -1.75), (195.0, -1.75)).length == pytest.approx(190.0)
    with pytest.raises(ValueError, match=r"no way from place 0 at \(5.00, -1.75\) to place 1 at \(195.00, -8.00\) in Test"):
        # only the right lane is within reach of the goal
        plan_route(graph, (5.0, -1.75), (195.0, -8.0, 0.0))


def test_no_lane_change_without_room():
    roomy, tight = (two_lane_road(begins=range(0, 200, section)) for section in (25, 12))
    for graph in (roomy, tight):
        assert plan_route(graph, (5.0, -1.75), (195.0, -1.75)).length == pytest.approx(190.0, abs=0.01)
    assert_drivable(plan_route(roomy, (5.0, -1.75), (195.0, -5.25)))
    with pytest.raises(ValueError, match="no way from place 0"):
        plan_route(tight, (5.0, -1.75), (195.0, -5.25))
    # of several places, the one in the middle is visited if there is room to, and passed by if not
    visited, passed = (route_through(graph, [(5.0, -1.75), (100.0, -5.25), (195.0, -1.75)]) for graph in (roomy, tight))
    assert np.hypot(*(visited.points - (100.0, -5.25)).T).min() < 0.5
    assert_drivable(visited)
    assert np.abs(passed.points[:, 1] + 1.75).max() < 1e-3


def test_slivers_between_lane_sections_are_led_past():
    graph = two_lane_road(begins=(0.0, 100.0, 100.1))
    route = plan_route(graph, (5.0, -1.75), (195.0, -1.75))
    assert route.length == pytest.approx(190.0, abs=0.01)
    assert_drivable(route)


def test_a_place_just_behind_the_one_before_it_counts_as_reached():
    graph = two_lane_road()
    route = route_through(graph, [(10.0, -1.75), (50.0, -1.75), (49.0, -1.75), (100.0, -1.75)])
    assert route.length == pytest.approx(90.0) and (np.diff(route.points[:, 0]) > 0.9).all()
    for goal in (15.0, 10.0):  # further behind: there is no way round
        with pytest.raises(ValueError, match="no way from place 0"):
            plan_route(graph, (20.0, -1.75), (goal, -1.75))


def test_speed_limits_change_along_the_road():
    route = plan_route(two_lane_road(limits=((0.0, 10.0), (100.0, 20.0))), (5.0, -1.75), (195.0, -1.75))
    assert set(route.speeds[route.points[:, 0] < 99.0]) == {10.0}
    assert set(route.speeds[route.points[:, 0] > 101.0]) == {20.0}
    assert np.isinf(plan_route(two_lane_road(limits=()), (5.0, -1.75), (195.0, -1.75)).speeds).all()


def test_places_that_cannot_be_used():
    graph = two_lane_road()
    with pytest.raises(ValueError, match=r"place 1 at \(50.00, 30.00\) is not on the road: no driving lane within 5 m"):
        plan_route(graph, (5.0, -1.75), (50.0, 30.0))
    with pytest.raises(ValueError, match="place 0 at .* is not on the road"):
        plan_route(graph, (math.nan, -1.75), (50.0, -1.75))
    with pytest.raises(ValueError, match="no way from place 0"):
        plan_route(graph, (100.0, -1.75), (50.0, -1.75))
    with pytest.raises(ValueError, match="has 1 places; it needs at least 2"):
        route_through(graph, [(5.0, -1.75)])
    with pytest.raises(ValueError, match="0.30 m long"):
        plan_route(graph, (5.0, -1.75), (5.3, -1.75))


def test_random_route_without_candidates():
    graph = two_lane_road()
    poses = [(5.0, -1.75, 0.0), (100.0, -1.75, 0.0), (1000.0, 0.0, 0.0)]
    assert random_route(graph, poses, 0, 50.0, 100.0).length == pytest.approx(95.0)
    with pytest.raises(ValueError, match="none of the 3 spawn points, 2 of them on the road, is 200 to 300 m by road"):
        random_route(graph, poses, 0, 200.0, 300.0)
    with pytest.raises(ValueError, match="none of the 0 spawn points"):
        random_route(graph, [], 0)


def test_routes_in_files(tmp_path):
    graph = two_lane_road(limits=((0.0, 10.0), (100.0, 20.0)))
    routes = [
        plan_route(graph, (5.0, -1.75), (195.0, -5.25), "change"),
        plan_route(two_lane_road(limits=()), (5, -2), (60, -2), "b"),
    ]
    path = write_routes(tmp_path / "routes.json", routes)
    for written, read in zip(routes, read_routes(path), strict=True):
        assert read.name == written.name and read.town == "Test"
        assert read.points == pytest.approx(written.points, abs=1e-3)
        assert (read.speeds != written.speeds).sum() <= 2  # where a limit begins
    assert [route.name for route in load_routes(path, graph)] == ["change", "b"]
    elsewhere = write_routes(tmp_path / "elsewhere.json", [routes[0]._replace(town="Town09")])
    with pytest.raises(ValueError, match="elsewhere.json: no route in Test, only in Town09"):
        load_routes(elsewhere, graph)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not valid JSON"),
        ('{"routes": []}', "not a file of routes; expected"),
        ('{"routes": [{"name": "a"}]}', "route 0: field 'points' is missing"),
        ('{"routes": [{"name": "a", "points": [[0, 0], [1, NaN]]}]}', "route 0: path 0, point 1: .* not a finite position"),
        ('{"routes": [{"name": "a", "points": [[0, 0], [9, 0]], "speeds": [1]}]}', "route 0: path 0: points must be"),
        ('{"routes": [{"name": "a", "points": [["x", 0], [9, 0]]}]}', "route 0: could not convert"),
        ('{"routes": [3]}', "route 0: .*; expected"),
        ("[" * 100_000, "nested too deeply"),
        (
            '{"routes": [{"name": "a", "points": [[0, 0], [1e12, 0]]}]}',
            "point 1: .* not a finite position, at most 1e\\+09 m away",
        ),
        ('{"routes": [{"name": "a", "points": [[0, 0], [9e8, 0]]}]}', r"path 0 is 9e\+08 m long; at most 1e\+06 m"),
        (f'{{"routes": [{{"name": "a", "points": [[0, 0], [1{"0" * 400}, 0]]}}]}}', "holds a number that is too large"),
        (f'{{"routes": [{{"name": "a", "points": "{"x" * 99999}"}}]}}', "route 0: .{,300}; expected"),
    ],
)
def test_malformed_route_files(content, message, tmp_path):
    (tmp_path / "routes.json").write_text(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_routes(tmp_path / "routes.json")
    assert "routes.json" in str(caught.value)
    with pytest.raises(FileNotFoundError, match="nowhere.json"):
        read_routes(tmp_path / "nowhere.json")


@pytest.fixture(scope="module")
def hilly_map(shared_data):
    return carla.Map("/Game/Carla/Maps/Town01", hilly(shared_data("Town01.xodr").read_text()))


def test_routes_have_the_heights_of_their_lanes(hilly_map, town):
    graph = LaneGraph(hilly_map)
    for seed in range(5):
        route = random_route(graph, spawn_points(graph), seed, 100.0, 400.0)
        flat = random_route(town("Town01"), spawn_points(town("Town01")), seed, 100.0, 400.0)
        assert np.array_equal(route.points, flat.points), "hills do not change where the lanes run"
        assert np.abs(flat.heights).max() == 0.0 and np.ptp(route.heights) > 5.0
        for (x, y), z in zip(route.points, route.heights, strict=True):
            lane = hilly_map.get_waypoint(carla.Location(x, -y, z)).transform.location
            assert math.dist((lane.x, -lane.y, lane.z), (x, y, z)) < 0.5
        assert heights_along(graph, route.points) == pytest.approx(route.heights, abs=0.2)
        assert route.height_at(np.arange(50)) == pytest.approx(route.heights[:50], abs=0.3)


def bridge(low=0.0, high=6.0):
    """Two one-way roads that run eastwards above one another."""
    road = """<road name="" length="100" id="{id}" junction="-1">
        <planView><geometry s="0" x="0" y="0" hdg="0" length="100"><line/></geometry></planView>
        <elevationProfile><elevation s="0" a="{z}" b="0" c="0" d="0"/></elevationProfile>
        <lanes><laneSection s="0"><center><lane id="0" type="none" level="false"/></center>
        <right><lane id="-1" type="driving" level="false"><link/><width sOffset="0" a="3.5" b="0" c="0" d="0"/></lane></right>
        </laneSection></lanes></road>"""
    roads = road.format(id=1, z=low) + road.format(id=2, z=high)
    return LaneGraph(carla.Map("Bridge", f'<OpenDRIVE><header revMajor="1" revMinor="4"/>{roads}</OpenDRIVE>'))


@pytest.mark.parametrize("z", [0.0, 6.0])
@pytest.mark.parametrize("yaw", [None, 0.0])
def test_places_with_a_height_mean_the_lane_of_their_level(z, yaw):
    route = route_through(bridge(), [(10.0, -1.75, yaw, z + 0.4), (90.0, -1.75, yaw, z + 0.4)])
    assert route.heights == pytest.approx(np.full(len(route.points), z))


def test_a_line_keeps_to_the_level_that_it_is_on():
    graph = bridge(low=6.0, high=0.0)
    line = np.column_stack([np.arange(10.0, 90.0), np.full(80, -1.75)])
    assert np.ptp(heights_along(graph, line)) == 0.0
    assert heights_along(graph, line + [0.0, 50.0]) == pytest.approx(np.zeros(80)), "off the road"


def test_routes_of_a_file_get_the_heights_of_the_map(hilly_map, tmp_path):
    graph = LaneGraph(hilly_map)
    route = random_route(graph, spawn_points(graph), 1, 100.0, 400.0, "one")
    (read,) = load_routes(write_routes(tmp_path / "routes.json", [route]), graph)
    assert read.heights == pytest.approx(
        np.interp(np.linspace(0, 1, len(read.points)), np.linspace(0, 1, len(route.points)), route.heights), abs=0.2
    )
