"""The car and the other road users."""

from typing import NamedTuple

import numpy as np

from sb3_delta_waypoint.driving.frames import Pose, to_world
from sb3_delta_waypoint.driving.records import AGENT, CYCLIST, PEDESTRIAN, VEHICLE, Record
from sb3_delta_waypoint.rendering.canvas import Canvas, rounded_box
from sb3_delta_waypoint.rendering.colours import (
    BODY,
    CYCLIST_BODY,
    GLASS,
    HIT,
    INK,
    PEDESTRIAN_BODY,
    STANDING_BODY,
    VEHICLE_BODY,
    Colour,
)
from sb3_delta_waypoint.rendering.scene import Scene
from sb3_delta_waypoint.rendering.view import View

STANDING = 0.1
"""Speed below which a vehicle is parked or stands [m/s]."""
RIM = 0.12
"""Width of the dark rim of a road user [m]."""
OUTLINE = 0.35
"""Width of the outline of a road user that was hit [m]."""
SMALLEST = 7.0
"""Least half of a cyclist's or a pedestrian's size, in pixels."""
FAMILY_CAR = (1.64, 0.68, 0.3)
"""Length, width, and overhang behind the rear axle of a family car, in wheelbases."""


class Look(NamedTuple):
    """How a kind of road user looks."""

    label: str
    colour: Colour
    kind: float
    length: float
    """Length of the sample in the legend in pixels."""
    width: float


LOOKS = (
    Look("vehicle", VEHICLE_BODY, VEHICLE, 40.0, 18.0),
    Look("standing", STANDING_BODY, VEHICLE, 40.0, 18.0),
    Look("cyclist", CYCLIST_BODY, CYCLIST, 28.0, 14.0),
    Look("pedestrian", PEDESTRIAN_BODY, PEDESTRIAN, 14.0, 14.0),
)


def look_of(agent: Record) -> Look:
    """How a road user looks, a record of :data:`~.records.AGENT`."""
    if agent["kind"] == PEDESTRIAN:
        return LOOKS[3]
    if agent["kind"] == CYCLIST:
        return LOOKS[2]
    return LOOKS[int(agent["speed"] < STANDING)]


def agents_in(view: View, scene: Scene) -> list[int]:
    """Rows of the road users that the picture shows."""
    if scene.agents is None:
        return []
    agents = scene.agents
    inside = view.near(np.stack([agents["x"], agents["y"]], axis=-1), 0.5 * float(agents["length"].max(initial=0.0)))
    return [int(row) for row in np.flatnonzero(agents["present"] & inside)]


def was_hit(scene: Scene, row: int) -> bool:
    """Whether the car has hit the road user in this row."""
    return row in scene.faults or bool(scene.agents is not None and scene.agents[row]["collided"])


def draw_agent(canvas: Canvas, view: View, agent: Record, look: Look, hit: bool = False) -> None:
    """
    Draw a road user.

    :param canvas: what to draw on
    :param view: the part of the world that the picture shows
    :param agent: record of :data:`~.records.AGENT`
    :param look: how it looks
    :param hit: whether the car has hit it
    """
    pose = (float(agent["x"]), float(agent["y"]), float(agent["yaw"]))
    length, width = float(agent["length"]), float(agent["width"])
    if look.kind != VEHICLE:
        least = 2.0 * SMALLEST / view.scale
        length, width = max(length, least), max(width, least)
    if hit:
        _fill(canvas, view, pose, _box(length + 2 * OUTLINE, width + 2 * OUTLINE, 0.5), HIT)
    if look.kind == PEDESTRIAN:
        _draw_pedestrian(canvas, view, pose, max(length, width), look.colour)
    elif look.kind == CYCLIST:
        _draw_cyclist(canvas, view, pose, length, width, look.colour)
    else:
        _draw_vehicle(canvas, view, pose, length, width, look.colour)


def _draw_vehicle(canvas: Canvas, view: View, pose: Pose, length: float, width: float, colour: Colour) -> None:
    front, half = 0.5 * length, 0.5 * width
    _fill(canvas, view, pose, _box(length, width, 0.4), INK)
    _fill(canvas, view, pose, _box(length - 2 * RIM, width - 2 * RIM, 0.35), colour)
    # the cab of a lorry is as long as a car's front
    unit = min(length, 4.6)
    screen = np.array([[-0.36, -0.72], [-0.22, -0.84], [-0.22, 0.84], [-0.36, 0.72]]) * (unit, half) + (front, 0.0)
    _fill(canvas, view, pose, screen, GLASS)
    for side in (-0.62, 0.62):
        lamp = rounded_box(-0.05 * unit, -0.015 * unit, 0.17 * half, 0.01) + (front - 0.5 * RIM, side * half)
        _fill(canvas, view, pose, lamp, BODY)


def _draw_cyclist(canvas: Canvas, view: View, pose: Pose, length: float, width: float, colour: Colour) -> None:
    front, half = 0.5 * length, 0.5 * width
    _fill(canvas, view, pose, rounded_box(-front, front, 0.12 * length, 0.1 * length), INK)
    bar = rounded_box(0.2 * length, 0.2 * length + 0.18, half, 0.05)
    _fill(canvas, view, pose, bar, INK)
    middle = view.pixels(np.array([pose[:2]]))
    canvas.dots(middle, 0.5 * width * view.scale, INK)
    canvas.dots(middle, (0.5 * width - RIM) * view.scale, colour)


def _draw_pedestrian(canvas: Canvas, view: View, pose: Pose, size: float, colour: Colour) -> None:
    half = 0.5 * size
    nose = np.array([[0.5, -0.85], [1.75, 0.0], [0.5, 0.85]]) * half
    _fill(canvas, view, pose, nose, INK)
    middle = view.pixels(np.array([pose[:2]]))
    canvas.dots(middle, half * view.scale, INK)
    canvas.dots(middle, (half - RIM) * view.scale, colour)


def _box(length: float, width: float, radius: float) -> np.ndarray:
    """Outline ``(K, 2)`` of a box around the origin."""
    return rounded_box(-0.5 * length, 0.5 * length, 0.5 * width, min(radius, 0.4 * width, 0.4 * length))


def _fill(canvas: Canvas, view: View, pose: Pose, outline: np.ndarray, colour: Colour) -> None:
    canvas.polygons(view.pixels(to_world(outline, pose))[None], colour)


def draw_car(canvas: Canvas, view: View, scene: Scene) -> None:
    """Draw the car; its parts are given in wheelbases from the rear axle, in the proportions of a family car."""
    stretch, shift = np.ones(2), np.zeros(2)
    if scene.box is not None:
        length, width, rear = np.array(scene.box) / scene.wheelbase
        stretch = np.array([length / FAMILY_CAR[0], width / FAMILY_CAR[1]])
        shift = np.array([FAMILY_CAR[2] * stretch[0] - rear, 0.0])

    def part(outline: np.ndarray, colour: Colour) -> None:
        canvas.polygons(view.pixels(to_world(outline * scene.wheelbase, scene.pose))[None], colour)

    def body(outline: np.ndarray, colour: Colour) -> None:
        part(outline * stretch + shift, colour)

    body(rounded_box(-0.3, 1.34, 0.34, 0.12), INK)
    body(rounded_box(-0.27, 1.31, 0.31, 0.10), BODY)
    body(np.array([[0.62, -0.21], [0.84, -0.26], [0.84, 0.26], [0.62, 0.21]]), GLASS)
    body(np.array([[-0.17, -0.24], [-0.02, -0.2], [-0.02, 0.2], [-0.17, 0.24]]), GLASS)
    wheel = rounded_box(-0.13, 0.13, 0.05, 0.02)
    for axle, turned in ((0.0, 0.0), (1.0, scene.steer)):
        for side in (-0.27, 0.27):
            part(to_world(wheel, (axle, side * stretch[1], turned)), INK)


def sample_of(look: Look, view: View, pixel: tuple[float, float]) -> Record:
    """
    A road user for the legend.

    :param look: how it looks
    :param view: the part of the world that the picture shows
    :param pixel: where its middle is to appear
    :return: record of :data:`~.records.AGENT`
    """
    sample = np.zeros((), AGENT)
    sample["x"], sample["y"] = view.world(np.array(pixel))
    sample["length"], sample["width"], sample["kind"] = look.length / view.scale, look.width / view.scale, look.kind
    return sample[()]
