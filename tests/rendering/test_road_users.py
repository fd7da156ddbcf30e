"""Other road users: by kind, where they are and which way they face, and those that were hit."""

import numpy as np
import pytest

from sb3_delta_waypoint.driving.frames import to_world
from sb3_delta_waypoint.driving.records import AGENT, CYCLIST, PEDESTRIAN, VEHICLE
from sb3_delta_waypoint.rendering.colours import (
    ASPHALT,
    BODY,
    CYCLIST_BODY,
    GLASS,
    GROUND,
    HIT,
    INK,
    PEDESTRIAN_BODY,
    STANDING_BODY,
    VEHICLE_BODY,
)
from sb3_delta_waypoint.rendering.scene import CarBox
from tests.rendering.pictures import colour_at, draw, holds, make_scene

COLOURS = {VEHICLE: VEHICLE_BODY, CYCLIST: CYCLIST_BODY, PEDESTRIAN: PEDESTRIAN_BODY}
PLACE = (118.0, 207.0)


def agent(kind=VEHICLE, speed=5.0, yaw=0.0, place=PLACE, size=(4.6, 1.9), present=True, collided=False):
    return np.array([(*place, yaw, speed, *size, kind, present, collided)], AGENT)


def road(image):
    """The picture above the legends at the bottom."""
    return image[:560]


@pytest.mark.parametrize(("kind", "size"), [(VEHICLE, (4.6, 1.9)), (CYCLIST, (1.8, 0.6)), (PEDESTRIAN, (0.5, 0.5))])
@pytest.mark.parametrize("yaw", [0.0, 2.0])
def test_each_kind_has_its_colour_and_is_named(kind, size, yaw):
    scene = make_scene(agents=agent(kind, yaw=yaw, size=size))
    image = draw(scene)
    assert colour_at(image, scene, PLACE) == COLOURS[kind]
    for other, colour in COLOURS.items():
        # in the legend, too
        assert holds(image[570:], colour) == holds(road(image), colour) == (other == kind)


def test_standing_vehicles_are_duller():
    scene = make_scene(agents=agent(speed=0.0))
    image = draw(scene)
    assert colour_at(image, scene, PLACE) == STANDING_BODY
    assert holds(image[570:], STANDING_BODY) and not holds(image, VEHICLE_BODY)


@pytest.mark.parametrize("yaw", [0.0, np.pi / 2, -2.5])
def test_a_vehicle_is_as_large_as_its_box_and_has_a_front(yaw):
    scene = make_scene(agents=agent(yaw=yaw, size=(8.0, 2.4)))
    image = draw(scene)
    at = lambda x, y: colour_at(image, scene, to_world(np.array([x, y]), (*PLACE, yaw)))  # noqa: E731
    assert at(-3.7, 0.9) == at(-3.7, -0.9) == at(1.0, 0.0) == VEHICLE_BODY
    assert at(4.3, 0.0) == at(-4.3, 0.0) == at(0.0, 1.5) == GROUND
    assert at(4.0 - 0.29 * 4.6, 0.0) == GLASS and at(-4.0 + 0.29 * 4.6, 0.0) == VEHICLE_BODY


@pytest.mark.parametrize(("kind", "reach"), [(CYCLIST, 0.75), (PEDESTRIAN, 0.6)])
def test_cyclists_and_pedestrians_show_which_way_they_face(kind, reach):
    scene = make_scene(agents=agent(kind, yaw=1.2, size=(1.8, 0.6) if kind == CYCLIST else (0.5, 0.5)))
    image = draw(scene)
    ahead, behind = (to_world(np.array([x, 0.35 if kind == CYCLIST else 0.0]), (*PLACE, 1.2)) for x in (reach, -reach))
    if kind == CYCLIST:
        ahead = to_world(np.array([0.45, 0.35]), (*PLACE, 1.2))
    assert colour_at(image, scene, ahead) == INK and colour_at(image, scene, behind) == GROUND


def test_nobody_is_drawn_who_is_absent_or_far_away():
    nobody = draw(make_scene())
    absent = agent(present=False, collided=True)
    np.testing.assert_array_equal(draw(make_scene(agents=absent, faults={0: True})), nobody)
    np.testing.assert_array_equal(draw(make_scene(agents=agent(place=(300.0, 200.0)))), nobody)
    np.testing.assert_array_equal(draw(make_scene(agents=np.zeros(0, AGENT))), nobody)


@pytest.mark.parametrize("at_fault", [True, False])
def test_who_was_hit_is_outlined_and_the_fault_is_said(at_fault):
    agents = np.concatenate([agent(), agent(place=(118.0, 213.0))])
    scene = make_scene(agents=agents, faults={0: at_fault})
    image = draw(scene)
    edge = (0.0, 0.95 + 0.2)
    assert colour_at(image, scene, np.add(PLACE, edge)) == HIT
    assert colour_at(image, scene, np.add((118.0, 213.0), edge)) == GROUND
    # the words are above the box: white on the strong colour, or dark on a pale panel
    words = image[140:180, 330:500]
    assert holds(words, HIT) == at_fault and holds(words, INK) != at_fault


def test_who_was_touched_is_outlined_without_words_where_the_fault_is_not_known():
    hit, known = (make_scene(agents=agent(collided=True), faults=faults) for faults in ({}, {0: True}))
    image, worded = draw(hit), draw(known)
    assert colour_at(image, hit, np.add(PLACE, (0.0, 1.15))) == HIT
    assert (worded == HIT).all(axis=2).sum() > (image == HIT).all(axis=2).sum() + 500


@pytest.mark.parametrize("place", [(118.0, 218.5), (93.0, 207.0), (151.5, 207.0)])
def test_words_stay_in_the_picture(place):
    middle = draw(make_scene(agents=agent(), faults={0: True}))
    there = draw(make_scene(agents=agent(place=place), faults={0: True}))
    label = lambda image: (image == HIT).all(axis=2).sum()  # noqa: E731
    assert label(there) > 0.6 * label(middle)


def test_the_car_is_as_large_as_its_box():
    scene = make_scene(box=CarBox(6.0, 2.4, 1.5))
    image = draw(scene)
    at = lambda x, y: colour_at(image, scene, to_world(np.array([x, y]), scene.pose))  # noqa: E731
    assert at(4.2, 0.0) == at(1.0, 1.0) == BODY and at(-1.4, 0.6) == BODY
    assert at(4.8, 0.0) not in (BODY, INK) and at(-1.8, 0.0) not in (BODY, INK)
    assert at(1.5, 1.4) == ASPHALT


def test_the_box_of_a_family_car_is_the_default():
    usual, boxed = make_scene(), make_scene(box=CarBox(1.64 * 2.8, 0.68 * 2.8, 0.3 * 2.8))
    assert (draw(usual) != draw(boxed)).any(axis=2).mean() < 0.001


def test_others_lie_under_the_plans():
    plan = np.stack([np.linspace(4, 14, 20), np.zeros(20)], axis=1).astype(np.float32)
    scene = make_scene(agents=agent(place=(119.0, 200.0)), plans={"expert": plan})
    assert colour_at(draw(scene), scene, (119.0, 200.0)) == (240, 228, 66)
