"""Plans, drawn as lines with a mark at each waypoint."""

from typing import NamedTuple

import numpy as np

from sb3_delta_waypoint.rendering.canvas import Canvas, pieces_of
from sb3_delta_waypoint.rendering.colours import MARKING, TRAIL, Colour


class PlanStyle(NamedTuple):
    """Style of a plan: a line with a mark at each waypoint. The marks differ, so that plans are told apart without colour."""

    label: str
    colour: Colour
    line: float
    """Width of the line in pixels."""
    outer: float
    """Radius of the marks in pixels."""
    inner: float
    """Radius of the white inside of a hollow mark in pixels."""


PLAN_STYLES = {
    "sft": PlanStyle("planner (SFT)", (213, 94, 0), 2.0, 5.0, 2.8),
    "expert": PlanStyle("expert", (240, 228, 66), 9.0, 0.0, 0.0),
    "final": PlanStyle("final plan", (0, 114, 178), 2.5, 3.5, 0.0),
}
"""Styles by name of the plan: vermilion, yellow and blue of Okabe and Ito, "Color Universal Design" (2008), which
colour-blind readers can tell apart."""
OTHER_PLAN = PlanStyle("", (204, 121, 167), 2.5, 3.5, 0.0)
"""Style of any other plan; the legend shows its name."""
DRIVEN = PlanStyle("driven path", TRAIL, 3.0, 0.0, 0.0)


def draw_plan(canvas: Canvas, waypoints: np.ndarray, style: PlanStyle) -> None:
    """Draw a plan through waypoints ``(H, 2)`` in pixels."""
    canvas.band(pieces_of(waypoints), style.line, style.colour)
    canvas.dots(waypoints, style.outer, style.colour)
    canvas.dots(waypoints, style.inner, MARKING)


def style_of(name: str) -> PlanStyle:
    """Style of the plan of this name."""
    return PLAN_STYLES.get(name, OTHER_PLAN._replace(label=name))
