"""The road as lanes describe it: asphalt, markings, crossings, stop lines and their lights."""

import numpy as np
import pytest

from sb3_delta_waypoint.driving.lanes import StopLine, make_lanes
from sb3_delta_waypoint.driving.network import from_segments, resample
from sb3_delta_waypoint.rendering.colours import ASPHALT, GROUND, INK, KERB, LAMP_OFF, LAMPS, MARKING, ROUTE, SIGN
from sb3_delta_waypoint.rendering.scene import STOP_SIGN, stop_lines
from tests.rendering.pictures import colour_at, draw, holds, make_scene

WIDTH = 4.0
RIGHT, LEFT, AGAINST, JUNCTION = range(4)


@pytest.fixture(scope="module")
def lanes():
    """Two lanes to the east at y = 200 and 204 and one to the west at 208, up to x = 130; then a junction of one lane."""
    ends = (((80, 200), (130, 200)), ((80, 204), (130, 204)), ((130, 208), (80, 208)), ((130, 200), (150, 200)))
    segments = [resample(np.array(end, dtype=float), np.full(2, 10.0)) for end in ends]
    network = from_segments(segments, [(JUNCTION,), (), (), ()])
    of = np.repeat(np.arange(4), np.diff(network.offsets))
    n = int((of == RIGHT).sum())
    left, right = np.where(of == RIGHT, np.arange(len(of)) + n, -1), np.where(of == LEFT, np.arange(len(of)) - n, -1)
    return make_lanes(
        network,
        WIDTH,
        left,
        right,
        of == JUNCTION,
        stop_lines=[StopLine(RIGHT, 45.25, 0), StopLine(LEFT, 45.25, 0), StopLine(AGAINST, 10.0, -1)],
        lights=[(0, 0, 1)],
        crossings=[(115.0, 194.0, 115.0, 214.0)],
    )


@pytest.fixture(scope="module")
def drawn(lanes):
    scene = make_scene(lanes=lanes)
    return scene, draw(scene)


def test_lanes_are_asphalt_with_a_kerb_around_them(drawn):
    scene, image = drawn
    for y in (198.5, 201.5, 203.0, 205.0, 207.0, 209.0):
        assert colour_at(image, scene, (102.0, y)) == ASPHALT
    assert colour_at(image, scene, (102.0, 197.9)) == colour_at(image, scene, (102.0, 210.1)) == KERB
    assert colour_at(image, scene, (102.0, 197.0)) == colour_at(image, scene, (102.0, 211.0)) == GROUND


def test_the_route_is_a_band_on_the_asphalt(drawn):
    scene, image = drawn
    assert colour_at(image, scene, (125.0, 200.0)) == colour_at(image, scene, (125.0, 200.4)) == ROUTE
    assert colour_at(image, scene, (125.0, 201.0)) == ASPHALT


def test_lines_at_edges_and_between_directions_are_solid_and_those_between_neighbours_dashed(drawn):
    scene, image = drawn

    def share(y):
        return np.mean([colour_at(image, scene, (x, y)) == MARKING for x in np.arange(100.0, 112.0, 0.25)])

    for solid in (198.14, 205.86, 206.14, 209.86):
        assert share(solid) > 0.95
    assert 0.3 < share(202.0) < 0.7


def test_a_junction_has_no_lines(drawn):
    scene, image = drawn
    across = [colour_at(image, scene, (136.0, y)) for y in np.arange(197.7, 202.4, 0.1)]
    assert MARKING not in across and across.count(ASPHALT) > 30


def test_a_lane_far_from_the_car_is_not_drawn(lanes):
    scene = make_scene(lanes=lanes)
    far = scene._replace(pose=(1000.0, 1000.0, 0.0))
    assert not holds(draw(far), ASPHALT)


def test_a_crossing_is_striped_where_there_is_asphalt(drawn):
    scene, image = drawn

    def stripes(x):
        white = [colour_at(image, scene, (x, y)) == MARKING for y in np.arange(194.0, 214.0, 0.05)]
        assert not any(white[:75] + white[-75:])
        return np.count_nonzero(np.diff(np.array(white).astype(int)) == 1)

    # twelve metres of road, and its lines
    assert 11 <= stripes(115.0) <= 16
    assert stripes(118.0) <= 5


@pytest.mark.parametrize("state", range(3))
def test_stop_lines_have_the_colour_of_their_light_which_stands_at_the_right(lanes, state):
    lines = stop_lines(lanes, np.array([state]))
    scene = make_scene(lanes=lanes, stop_lines=lines)
    image = draw(scene)
    for y in (199.0, 201.0, 203.0, 205.0):
        assert colour_at(image, scene, (125.25, y)) == LAMPS[state]
    lamps = [colour_at(image, scene, (125.25 + ahead, 197.1)) for ahead in (0.6, 0.0, -0.6)]
    assert lamps == [LAMPS[lamp] if lamp == state else LAMP_OFF for lamp in range(3)]
    assert colour_at(image, scene, (125.25 + 0.93, 197.1)) == INK
    # none in the middle of the road
    assert lines["post"].tolist() == [True, False, True]
    assert not holds(draw(make_scene(lanes=lanes)), LAMPS[state])


def test_a_stop_sign_stands_at_a_white_line(lanes):
    lines = stop_lines(lanes, np.array([2]))
    assert lines["state"].tolist() == [2, 2, STOP_SIGN]
    scene = make_scene(lanes=lanes, stop_lines=lines)
    image = draw(scene)
    assert colour_at(image, scene, (120.0, 207.0)) == MARKING
    assert colour_at(image, scene, (120.0, 210.9)) == SIGN


def test_stop_lines_lie_on_their_lanes(lanes):
    lines = stop_lines(lanes, np.array([0]))
    np.testing.assert_allclose([lines["x"], lines["y"]], [[125.25, 125.25, 120.0], [200.0, 204.0, 208.0]])
    np.testing.assert_allclose(np.abs(lines["yaw"]), [0.0, 0.0, np.pi])
    assert lines["width"].tolist() == [WIDTH] * 3


@pytest.mark.parametrize("n", [0, 2])
def test_another_number_of_lights_is_refused(lanes, n):
    with pytest.raises(ValueError, match=f"{n} states for 1 lights"):
        stop_lines(lanes, np.zeros(n, int))


def test_the_goal_is_drawn_on_lanes(lanes):
    scene = make_scene(lanes=lanes)
    goal = scene._replace(pose=(150.0, 200.0, 0.0))
    assert {colour_at(draw(goal), goal, (159.75, y)) for y in np.arange(198.25, 202.0, 0.5)} == {INK, MARKING}
