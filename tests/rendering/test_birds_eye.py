"""Pictures: what is where, that nothing leaks from one to the next, and the window."""

import sys

import numpy as np
import pygame
import pytest
from gymnasium.error import DependencyNotInstalled

from sb3_delta_waypoint.driving.frames import to_world
from sb3_delta_waypoint.rendering.birds_eye import Renderer
from sb3_delta_waypoint.rendering.colours import ASPHALT, BODY, GROUND, INK, MARKING, ROAD, TRAIL
from sb3_delta_waypoint.rendering.plan_lines import OTHER_PLAN, PLAN_STYLES
from sb3_delta_waypoint.rendering.view import PIXELS_PER_METRE, View
from tests.rendering.pictures import colour_at, draw, make_scene

NORTH = np.pi / 2
SFT, EXPERT, FINAL = (PLAN_STYLES[name].colour for name in ("sft", "expert", "final"))


def ahead(left=0.0, first=4.0, last=14.0):
    """A plan straight ahead, ``left`` metres to the left."""
    return np.stack([np.linspace(first, last, 20), np.full(20, left)], axis=1).astype(np.float32)


def where(image, colour):
    """Rows and columns that have a colour, below the panels at the top."""
    rows, columns = np.nonzero((image[120:] == colour).all(axis=2))
    return rows + 120, columns


def test_picture_is_an_array_of_the_size_asked_for_and_needs_no_display():
    pygame.display.quit()
    image = draw(make_scene())
    assert image.dtype == np.uint8 and image.shape == (640, 960, 3)
    assert draw(make_scene(), size=(400, 300)).shape == (300, 400, 3)
    assert not pygame.display.get_init()


@pytest.mark.parametrize("yaw", [0.0, 0.7, NORTH, -2.5])
def test_car_stands_on_asphalt_that_ends_where_the_corridor_ends(yaw):
    scene = make_scene(yaw)
    image = draw(scene)
    assert colour_at(image, scene, to_world(np.array([1.3, 0.0]), scene.pose)) == BODY
    for left in (-1.7, 1.7):
        assert colour_at(image, scene, to_world(np.array([8.0, left]), scene.pose)) == ASPHALT
    for left in (-2.4, 2.4):
        assert colour_at(image, scene, to_world(np.array([8.0, left]), scene.pose)) == GROUND


def test_corridor_is_as_wide_as_the_rules_say():
    scene = make_scene(off_route_distance=5.0)
    image = draw(scene)
    assert colour_at(image, scene, (120.0, 204.7)) == ASPHALT
    assert colour_at(image, scene, (120.0, 205.4)) == GROUND


def test_north_is_up_and_the_ego_frame_has_y_to_the_left():
    for yaw in (0.0, NORTH):
        scene = make_scene(yaw, plans={"final": ahead(left=3.0)})
        rows, columns = where(draw(scene), FINAL)
        car_column, car_row = View.of(scene, (960, 640)).pixels(np.array(scene.pose[:2]))
        if yaw == 0.0:
            assert rows.max() < car_row and columns.min() > car_column
        else:
            assert rows.max() < car_row and columns.max() < car_column


def test_scale_bar_is_true():
    image = draw(make_scene(plans={"expert": ahead(first=6.0, last=16.0)}))
    bar = (image[560:, :400] == INK).all(axis=2).sum(axis=1).max()
    width = PLAN_STYLES["expert"].line
    expert = np.ptp(where(image, EXPERT)[1])
    assert bar == pytest.approx(10 * PIXELS_PER_METRE, abs=3)
    assert expert - width == pytest.approx(bar, abs=4)


def test_at_twice_the_scale_everything_is_twice_as_wide():
    scene = make_scene(plans={"final": ahead(first=4.0, last=8.0)})
    near, far = (draw(scene, pixels_per_metre=scale) for scale in (2 * PIXELS_PER_METRE, PIXELS_PER_METRE))
    for colour in (ASPHALT, FINAL):
        rows, columns = (np.ptp(where(near, colour)[axis]) / np.ptp(where(far, colour)[axis]) for axis in (0, 1))
        assert (rows if colour == ASPHALT else columns) == pytest.approx(2.0, abs=0.15)
    bars = [(image[560:] == INK).all(axis=2).sum(axis=1).max() for image in (near, far)]
    assert bars[0] == pytest.approx(2 * bars[1], abs=4)


@pytest.mark.parametrize("yaw", np.linspace(-3, 3, 7))
def test_car_is_in_view_with_more_room_ahead_of_it_than_behind(yaw):
    scene = make_scene(yaw)
    x = np.arange(-60.0, 60.0)
    pixels = View.of(scene, (960, 640)).pixels(to_world(np.stack([x, np.zeros(120)], axis=1), scene.pose))
    seen = x[((pixels > 0) & (pixels < (960, 640))).all(axis=1)]
    assert seen.min() < -7 and seen.max() > 25
    assert seen.max() > 1.5 * -seen.min()


def test_goal_is_a_chequered_line_across_the_end_of_the_route():
    scene = make_scene(0.5)
    near_goal = scene._replace(pose=(*scene.route[50].tolist(), 0.5))
    image = draw(near_goal)
    squares = to_world(np.array([[-0.25, left] for left in np.arange(-1.75, 2.0, 0.5)]), (*scene.route[-1].tolist(), 0.5))
    colours = [colour_at(image, near_goal, square) for square in squares]
    assert colours == [INK, MARKING] * 4 or colours == [MARKING, INK] * 4
    assert colour_at(image, near_goal, to_world(np.array([0.5, 0.0]), (*scene.route[-1].tolist(), 0.5))) == ASPHALT


def test_goal_line_stands_across_a_route_whose_last_point_repeats():
    scene = make_scene(0.5)
    scene = scene._replace(pose=(*scene.route[50].tolist(), 0.5))
    repeated = scene._replace(route=np.concatenate([scene.route, scene.route[-1:].repeat(3, axis=0)]))
    np.testing.assert_array_equal(draw(repeated), draw(scene))


def test_centre_line_is_dashed():
    scene = make_scene()
    row = draw(scene)[round(View.of(scene, (960, 640)).pixels(np.array(scene.pose[:2]))[1])]
    beyond_car = (row[600:] == MARKING).all(axis=1)
    assert 0.3 < beyond_car.mean() < 0.7
    assert np.count_nonzero(np.diff(beyond_car.astype(int))) >= 10


def test_trail_is_where_the_car_has_been():
    scene = make_scene(trail=np.array([[102.0, 203.5], [106.0, 203.5], [110.0, 200.0]]))
    image = draw(scene)
    assert colour_at(image, scene, (104.0, 203.5)) == TRAIL
    assert colour_at(image, scene, (113.0, 203.5)) == GROUND
    assert len(where(draw(make_scene()), TRAIL)[0]) == 0


def test_each_plan_has_its_colour_on_the_road_and_off_it():
    scene = make_scene(plans={"sft": ahead(3.0), "expert": ahead(0.0), "final": ahead(-1.0), "mpc": ahead(-3.0)})
    image = draw(scene)
    for colour, left in ((SFT, 3.0), (EXPERT, 0.0), (FINAL, -1.0), (OTHER_PLAN.colour, -3.0)):
        rows, columns = where(image, colour)
        row = View.of(scene, (960, 640)).pixels(to_world(np.array([8.0, left]), scene.pose))[1]
        assert len(rows) > 50 and abs(rows - row).max() <= 6
        assert np.ptp(columns) >= 9.9 * PIXELS_PER_METRE


def test_later_plans_lie_on_top_and_leave_the_earlier_ones_visible():
    image = draw(make_scene(plans={"expert": ahead(), "sft": ahead(), "final": ahead()}))
    assert all(len(where(image, colour)[0]) > 50 for colour in (EXPERT, SFT, FINAL))
    middle = round(np.mean(where(image, FINAL)[0]))
    assert (image[middle] == FINAL).all(axis=1).sum() > (image[middle] == EXPERT).all(axis=1).sum()


def test_legend_names_the_plans_that_are_drawn_and_no_others():
    def in_legend(plans):
        corner = draw(make_scene(plans=plans))[:120, 700:]
        return [bool((corner == colour).all(axis=2).any()) for colour in (SFT, EXPERT, FINAL)]

    assert in_legend({"sft": ahead(), "final": ahead()}) == [True, False, True]
    assert in_legend({"expert": ahead()}) == [False, True, False]
    corner = draw(make_scene())[:120, 700:]
    assert (corner == GROUND).all()


def test_legend_names_the_driven_path_once_there_is_one():
    begun, later = (make_scene(trail=np.array([[110.0, 200.0]] * length)) for length in (1, 2))
    assert (draw(begun)[:120, 700:] == GROUND).all()
    assert (draw(later)[:120, 700:] == TRAIL).all(axis=2).any()


def test_text_is_written_at_the_top_left():
    assert (draw(make_scene())[:120, :400] == GROUND).all()
    one = draw(make_scene(text=("step 34   6.8 m/s",)))[:120, :400]
    three = draw(make_scene(text=("step 34   6.8 m/s", "reward 3.2", "goal reached")))[:120, :400]
    assert (one < 120).any() and (three < 120).sum() > 1.5 * (one < 120).sum()


def test_roads_of_the_network_lie_under_the_route():
    crossing = np.array([[[125.0, 180.0 + y], [125.0, 181.0 + y]] for y in range(40)])
    scene = make_scene(roads=crossing)
    image = draw(scene)
    assert colour_at(image, scene, (126.0, 210.0)) == ROAD
    assert colour_at(image, scene, (126.0, 201.0)) == ASPHALT
    assert colour_at(image, scene, (128.0, 210.0)) == GROUND


def test_front_wheels_turn_to_the_left_with_a_positive_angle():
    straight, turned = draw(make_scene()), draw(make_scene(steer=0.5))
    rows, columns = np.nonzero((straight != turned).any(axis=2))
    car_column, car_row = View.of(make_scene(), (960, 640)).pixels(np.array([110.0, 200.0]))
    front_axle = car_column + 2.8 * PIXELS_PER_METRE
    assert columns.min() > car_column + 1.5 * PIXELS_PER_METRE and columns.max() < front_axle + PIXELS_PER_METRE
    # the car drives to the right: the front of a wheel that is turned to the left lies higher
    left_wheel = (turned == INK).all(axis=2)[round(car_row - 1.2 * 16) : round(car_row - 0.2 * 16)]
    wheel_rows, wheel_columns = np.nonzero(left_wheel[:, round(front_axle) - 6 : round(front_axle) + 7])
    assert np.corrcoef(wheel_rows, wheel_columns)[0, 1] < -0.3


def test_what_is_far_away_does_no_harm():
    scene = make_scene()
    far = scene._replace(pose=(1e6, -1e6, 0.0), plans={"final": ahead(last=100.0)}, trail=scene.route)
    image = draw(far)
    assert colour_at(image, far, to_world(np.array([1.3, 0.0]), far.pose)) == BODY
    assert len(where(image, ASPHALT)[0]) == 0


def test_nothing_leaks_from_one_picture_to_the_next():
    renderer = Renderer("rgb_array", fps=10)
    rich = make_scene(0.3, plans={"final": ahead()}, trail=make_scene(0.3).route[:10], text=("step 1",), steer=0.2)
    first = renderer.draw(rich)
    kept = first.copy()
    renderer.draw(make_scene(-1.0))
    np.testing.assert_array_equal(first, kept)
    first[:] = 0
    np.testing.assert_array_equal(renderer.draw(rich), kept)
    np.testing.assert_array_equal(draw(rich), kept)


def test_drawing_changes_no_scene():
    scene = make_scene(plans={"final": ahead()}, trail=make_scene().route[:10], roads=np.ones((3, 2, 2)))
    arrays = [scene.route, scene.trail, scene.roads, scene.plans["final"]]
    copies = [array.copy() for array in arrays]
    draw(scene)
    for array, copy in zip(arrays, copies, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_another_env_that_quits_pygame_does_no_harm():
    renderer, scene = Renderer("rgb_array", fps=10), make_scene(text=("step 34",))
    before = renderer.draw(scene)
    pygame.quit()
    np.testing.assert_array_equal(renderer.draw(scene), before)


def test_window_shows_the_picture(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    scene = make_scene(plans={"final": ahead()}, text=("step 34",))
    renderer = Renderer("human", fps=1000)
    renderer.show(scene)
    shown = pygame.surfarray.array3d(pygame.display.get_surface()).swapaxes(0, 1)
    np.testing.assert_array_equal(shown, draw(scene))
    renderer.close()
    assert not pygame.display.get_init()
    renderer.close()
    with pytest.raises(RuntimeError, match="closed"):
        renderer.show(scene)


def test_closing_a_renderer_without_a_window_leaves_the_window_of_another_open(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    window, picture = Renderer("human", fps=1000), Renderer("rgb_array", fps=1000)
    picture.close()
    picture.close()
    window.show(make_scene())
    window.close()
    with pytest.raises(RuntimeError, match="'human'"):
        picture.show(make_scene())


def test_missing_pygame_is_named_with_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "pygame", None)
    with pytest.raises(DependencyNotInstalled, match="pip install pygame-ce"):
        Renderer("rgb_array", fps=10)
