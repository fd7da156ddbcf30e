"""The surface of the road as lanes describe it: asphalt, markings, crossings and stop lines."""

import numpy as np

from sb3_delta_waypoint.driving.frames import to_world
from sb3_delta_waypoint.driving.lanes import Lanes
from sb3_delta_waypoint.rendering.canvas import Canvas, pieces_of, rounded_box
from sb3_delta_waypoint.rendering.colours import ASPHALT, INK, KERB, LAMP_OFF, LAMPS, MARKING, ROUTE, SIGN
from sb3_delta_waypoint.rendering.scene import STOP_SIGN, Scene
from sb3_delta_waypoint.rendering.view import View

KERB_WIDTH = 0.2
"""Width of the kerb around the asphalt [m]."""
JUNCTION_MARGIN = 0.5
"""The asphalt of a junction is wider than its lanes, which closes the gaps between turning lanes [m]."""
TAPER = 3.0
"""Length over which it becomes so [m]."""
MARKING_WIDTH = 0.14
"""Width of the lines on the asphalt [m]."""
DASH = 3.0
"""Length of the dashes between lanes, and of the gaps between them [m]."""
ROUTE_WIDTH = 1.2
"""Width of the band that marks the route [m]."""
STRIPE, STRIPE_SPACING, CROSSING_WIDTH = 0.5, 1.0, 3.0
"""Width of the stripes of a crossing, distance between them, and their length [m]."""
LINE_WIDTH = 0.45
"""Width of a stop line [m]."""
REACH = 12.0
"""What lies this far outside the picture is drawn, since it may reach into it [m]."""


def draw_lanes(canvas: Canvas, view: View, lanes: Lanes) -> None:
    """Draw the asphalt of the lanes near the car, and the markings on it."""
    network = lanes.network
    # pieces from point to point, within segments and from the end of one to its successors
    inside = np.delete(np.arange(len(network.points) - 1), network.offsets[1:-1] - 1)
    ends = np.repeat(network.offsets[1:] - 1, np.diff(network.successor_offsets))
    first = np.concatenate([inside, ends])
    last = np.concatenate([inside + 1, network.offsets[network.successors]])
    near = view.near(network.points[first], REACH)
    first, last = first[near], last[near]
    from_end = np.minimum(lanes.along, lanes.length[lanes.segment_of] - lanes.along)
    half = 0.5 * lanes.width + JUNCTION_MARGIN * lanes.in_junction * np.minimum(from_end / TAPER, 1.0)
    for margin, colour in ((KERB_WIDTH, KERB), (0.0, ASPHALT)):
        left, right = (_beside(lanes, side * (half + margin)) for side in (1.0, -1.0))
        corners = np.stack([left[first], left[last], right[last], right[first]], axis=1)
        canvas.polygons(view.pixels(corners), colour)

    marked = ~(lanes.in_junction[first] | lanes.in_junction[last])
    first, last = first[marked], last[marked]
    dashed = lanes.left[first] >= 0
    dashes = dashed & (np.floor(lanes.along[first] / DASH) % 2 == 0)
    inset = 0.5 * lanes.width - MARKING_WIDTH
    for edge, drawn in (
        (_beside(lanes, 0.5 * lanes.width), dashes),
        (_beside(lanes, inset), ~dashed),
        (_beside(lanes, -inset), lanes.right[first] < 0),
    ):
        pieces = np.stack([edge[first[drawn]], edge[last[drawn]]], axis=1)
        canvas.band(view.pixels(pieces), max(MARKING_WIDTH * view.scale, 1.0), MARKING, round_ends=False)


def _beside(lanes: Lanes, left: np.ndarray) -> np.ndarray:
    """The places ``(P, 2)`` so far to the left of the points of lanes [m]."""
    return lanes.network.points + left[:, None] * (lanes.tangents[:, ::-1] * (-1.0, 1.0))


def draw_route_band(canvas: Canvas, view: View, scene: Scene) -> None:
    """Mark the route by a band on the asphalt."""
    canvas.band(pieces_of(view.pixels(scene.route)), ROUTE_WIDTH * view.scale, ROUTE)


def draw_crossings(canvas: Canvas, view: View, lanes: Lanes) -> None:
    """Draw the stripes of the crossings, where there is asphalt."""
    crossings = lanes.crossings
    begin = np.stack([crossings["x"], crossings["y"]], axis=-1)
    end = np.stack([crossings["to_x"], crossings["to_y"]], axis=-1)
    near = view.near(lanes.network.points, REACH)
    points, tangents, half = lanes.network.points[near], lanes.tangents[near], 0.5 * lanes.width[near]
    stripe = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * (0.5 * STRIPE, 0.5 * CROSSING_WIDTH)
    for k in np.flatnonzero(view.near(0.5 * (begin + end), 2 * REACH)):
        along = end[k] - begin[k]
        length = float(np.hypot(*along))
        n = int(length / STRIPE_SPACING)
        places = begin[k] + along * (np.arange(1, n + 1) / (n + 1))[:, None]
        apart = places[:, None] - points
        ahead = np.abs((apart * tangents).sum(axis=-1))
        aside = np.abs(apart[..., 0] * tangents[:, 1] - apart[..., 1] * tangents[:, 0])
        paved = ((ahead < 1.0) & (aside < half)).any(axis=1)
        yaw = float(np.arctan2(along[1], along[0]))
        for x, y in places[paved]:
            canvas.polygons(view.pixels(to_world(stripe, (x, y, yaw)))[None], MARKING)


def draw_stop_lines(canvas: Canvas, view: View, lines: np.ndarray) -> None:
    """Draw stop lines in the colour of their light, with the light or the sign at the right of the lane."""
    seen = lines[view.near(np.stack([lines["x"], lines["y"]], axis=-1), REACH)]
    turn = np.linspace(0.0, 2.0 * np.pi, 9)[:-1] + np.pi / 8
    octagon = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    for line in seen:
        pose = (float(line["x"]), float(line["y"]), float(line["yaw"]))
        half, state = 0.5 * float(line["width"]), int(line["state"])

        def part(outline: np.ndarray, colour: tuple[int, int, int], pose: tuple[float, float, float] = pose) -> None:
            canvas.polygons(view.pixels(to_world(outline, pose))[None], colour)

        bar = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * (0.5 * LINE_WIDTH, half - 0.1)
        part(bar, MARKING if state == STOP_SIGN else LAMPS[state])
        beside = np.array([0.0, -half - 0.9])
        if not line["post"]:
            continue
        if state == STOP_SIGN:
            part(0.85 * octagon + beside, MARKING)
            part(0.7 * octagon + beside, SIGN)
        else:
            part(rounded_box(-1.0, 1.0, 0.42, 0.3) + beside, INK)
            for lamp, ahead in enumerate((0.6, 0.0, -0.6)):
                lit = to_world(np.array([[ahead, 0.0]]) + beside, pose)
                canvas.dots(view.pixels(lit), 0.25 * view.scale, LAMPS[lamp] if lamp == state else LAMP_OFF)
