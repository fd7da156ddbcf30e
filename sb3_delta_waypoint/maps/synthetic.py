"""Synthetic towns by seed, generated as lanes, so that no map file is needed."""

import math
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sb3_delta_waypoint.driving.frames import wrap
from sb3_delta_waypoint.driving.lanes import Lanes, StopLine, make_lanes
from sb3_delta_waypoint.driving.network import from_segments, polyline_length, resample
from sb3_delta_waypoint.maps.crossings import Crossing, before_crossings, crossing_over

LANE_WIDTH = 3.5
BLOCK = 60.0, 110.0
"""Range of the distances between neighbouring streets [m]."""
JITTER = 5.0
"""Largest shift of a node along x and y [m]."""
SWING = 3.0, 6.0
"""Range of how far winding streets swing out [m]."""
TURN_ROOM = 9.0
"""Distance of a junction's lanes from the outermost lane that they turn into [m]; less the jitter, the least radius."""
BEND_ROOM = 25.0
"""Distance of the ends of streets from the nodes where a road bends [m]."""
STRAIGHT = math.radians(45.0)
"""Largest angle by which the way straight on may turn [rad]."""
SLIGHT = math.radians(1.0)
"""Turns below this are no arcs [rad]."""
LIMITS = 30.0 / 3.6, 40.0 / 3.6, 50.0 / 3.6
"""Speed limits [m/s]."""
CROSSING_ROOM = 3.0
"""Distance from a crossing at a junction to the ends of its streets [m]."""

Node = tuple[int, int]
Points = NDArray[np.float64]


class _Street(NamedTuple):
    """A street between two nodes: its middle line from the first to the second, and its lanes in each direction."""

    start: Node
    end: Node
    line: Points
    n_lanes: int
    limit: float
    main: bool


class _Arm(NamedTuple):
    """A street as seen from a node: the segments of its lanes in and out from the left, and its heading into the node."""

    street: _Street
    inward: list[int]
    outward: list[int]
    heading: float


def synthetic_lanes(seed: int) -> Lanes:
    """
    Generate a town: a bent grid of streets with one or two lanes in each direction, inside a ring road with rounded corners.

    Traffic keeps to the right, and nothing ends: every segment has a successor. Two thirds of the junctions have traffic
    lights, whose arms take turns, or stop signs on the minor road. At the others, who comes first drives first. The same seed
    gives the same town.

    :param seed: seed of the town, at least 0
    :return: the lanes, with a few kilometres of streets
    :raises ValueError: if the seed is negative
    """
    if seed < 0:
        raise ValueError(f"synthetic town {seed}: a seed is at least 0")
    rng = np.random.default_rng([seed, 0x70_77_6E])
    streets = _streets(rng)
    segments: list[tuple[Points, Points]] = []
    successors: list[list[int]] = []

    def add(line: Points, limit: float) -> int:
        segments.append(resample(line, np.full(len(line), limit)))
        successors.append([])
        return len(segments) - 1

    arms: dict[Node, list[_Arm]] = {}
    beside: list[tuple[int, int]] = []
    for street in streets:
        for node, line in ((street.end, street.line), (street.start, street.line[::-1])):
            side = [add(_shifted(line, -(k + 0.5) * LANE_WIDTH), street.limit) for k in range(street.n_lanes)]
            beside += zip(side[:-1], side[1:], strict=True)
            far = street.start if node == street.end else street.end
            arms.setdefault(node, []).append(_Arm(street, side, [], _heading(line[-2:])))
            arms.setdefault(far, []).append(_Arm(street, [], side, wrap(_heading(line[:2]) + math.pi)))
    junctions = {node: _joined(found) for node, found in sorted(arms.items())}

    in_junction: set[int] = set()
    for joined in junctions.values():
        for arm, other in product(joined, joined):
            if arm is not other:
                turns = [
                    (source, target, add(_turn(segments[source][0], segments[target][0]), arm.street.limit))
                    for source, target in _movements(arm, other, joined)
                ]
                for source, target, turn in turns:
                    successors[source].append(turn)
                    successors[turn].append(target)
                if len(joined) > 2:
                    in_junction.update(turn for *_, turn in turns)
                else:
                    beside += zip([turn for *_, turn in turns][:-1], [turn for *_, turn in turns][1:], strict=True)

    network = from_segments(segments, successors)
    left, right = np.full(len(network.points), -1), np.full(len(network.points), -1)
    for inner, outer in beside:
        for lane, other_lane, nearest in ((inner, outer, right), (outer, inner, left)):
            away = np.linalg.norm(segments[lane][0][:, None] - segments[other_lane][0], axis=2)
            first = network.offsets[lane]
            nearest[first : first + len(away)] = network.offsets[other_lane] + away.argmin(axis=1)
    inside = np.repeat(np.isin(np.arange(len(segments)), list(in_junction)), np.diff(network.offsets))
    lanes = make_lanes(network, LANE_WIDTH, left, right, inside)
    lines, lights = _rules(rng, junctions, lanes)
    crossings = _crossings(rng, streets, junctions, lanes)
    return make_lanes(network, LANE_WIDTH, left, right, inside, before_crossings(lanes, lines, crossings), lights, crossings)


def _streets(rng: np.random.Generator) -> list[_Street]:
    columns, rows = rng.integers(3, 5, 2).tolist()
    x = np.append(0.0, np.cumsum(rng.uniform(*BLOCK, columns - 1)))
    y = np.append(0.0, np.cumsum(rng.uniform(*BLOCK, rows - 1)))
    nodes = list(product(range(columns), range(rows)))
    place = {node: np.array([x[node[0]], y[node[1]]]) + rng.uniform(-JITTER, JITTER, 2) for node in nodes}
    # all streets on one line of the grid are alike, and so is the ring, so that straight on lane meets lane
    kinds = {
        line: (int(rng.integers(1, 3)), float(rng.choice(LIMITS)))
        for line in ["ring", *product("xy", range(1, max(columns, rows) - 1))]
    }
    found: list[tuple[Node, Node, tuple[int, float], bool]] = []
    for column, row in nodes:
        for across, other in (("y", (column + 1, row)), ("x", (column, row + 1))):
            if other in place:
                number, last = (row, rows - 1) if across == "y" else (column, columns - 1)
                ring = number in (0, last)
                found.append(((column, row), other, kinds["ring" if ring else (across, number)], ring))
    for _ in range(int(rng.integers(0, 3))):
        at = int(rng.integers(len(found)))
        without = found[:at] + found[at + 1 :]
        counts = [sum(node in street[:2] for street in without) for node in found[at][:2]]
        inner = [0 < node[0] < columns - 1 and 0 < node[1] < rows - 1 for node in found[at][:2]]
        if not found[at][3] and all(count >= (3 if is_inner else 2) for count, is_inner in zip(counts, inner, strict=True)):
            found = without
    rooms = {node: _room([street for street in found if node in street[:2]]) for node in nodes}
    angle = rng.uniform(-math.pi, math.pi)
    turned = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    streets = []
    for start, end, (n_lanes, limit), ring in found:
        step = place[end] - place[start]
        length = float(np.linalg.norm(step))
        part = np.linspace(rooms[start] / length, 1.0 - rooms[end] / length, 200)
        swing = rng.uniform(*SWING) * rng.choice([-1.0, 1.0]) if rng.random() < 0.35 and length > 75.0 else 0.0
        out = 0.5 * swing * (1.0 - np.cos(np.linspace(0.0, 2.0 * math.pi, 200)))
        line = place[start] + part[:, None] * step + out[:, None] * np.array([-step[1], step[0]]) / length
        streets.append(_Street(start, end, line @ turned, n_lanes, limit, ring))
    return streets


def _room(streets: list[tuple[Node, Node, tuple[int, float], bool]]) -> float:
    """Distance from a node to the ends of its streets."""
    if len(streets) == 2:
        return BEND_ROOM
    return (max(n_lanes for _, _, (n_lanes, _), _ in streets) - 0.5) * LANE_WIDTH + TURN_ROOM


def _joined(halves: list[_Arm]) -> list[_Arm]:
    """Arms of a node, of the halves that drive in and out, counter-clockwise."""
    into = {id(arm.street): arm for arm in halves if arm.inward}
    out = {id(arm.street): arm for arm in halves if arm.outward}
    return sorted((arm._replace(outward=out[key].outward) for key, arm in into.items()), key=lambda arm: arm.heading)


def _movements(arm: _Arm, other: _Arm, arms: list[_Arm]) -> list[tuple[int, int]]:
    """Pairs of lanes that lead from one arm into another: to the left from the left lane, to the right from the right lane."""

    def turn(target: _Arm) -> float:
        return wrap(target.heading + math.pi - arm.heading)

    if len(arms) == 2:
        return list(zip(arm.inward, other.outward, strict=True))
    if turn(other) > STRAIGHT:
        return [(arm.inward[0], other.outward[0])]
    if turn(other) < -STRAIGHT:
        return [(arm.inward[-1], other.outward[-1])]
    return list(zip(arm.inward, other.outward, strict=False))


def _turn(before: Points, after: Points) -> Points:
    """A smooth line from the end of one lane to the start of another: an arc between straights, or gently curved."""
    start, end = before[-1], after[0]
    one, two = _unit(before[-1] - before[-2]), _unit(after[1] - after[0])
    turn = math.atan2(one[0] * two[1] - one[1] * two[0], one @ two)
    part = np.linspace(0.0, 1.0, 60)[:, None]
    # distances to and from the corner at which the straights meet
    to_corner, from_corner = np.linalg.solve(np.column_stack([one, two]), end - start) if abs(turn) > SLIGHT else (0.0, 0.0)
    if (reach := min(to_corner, from_corner)) > 0.2 * np.linalg.norm(end - start):
        corner = start + to_corner * one
        radius = reach / math.tan(0.5 * abs(turn))
        begin = corner - reach * one
        side = math.copysign(1.0, turn) * np.array([-one[1], one[0]])
        angle = part * abs(turn)
        arc = begin + radius * (np.sin(angle) * one + (1.0 - np.cos(angle)) * side)
        return np.concatenate([start[None], arc, end[None]])
    handle = np.linalg.norm(end - start) / 3.0
    a, b, c, d = start, start + handle * one, end - handle * two, end
    bezier: Points = (1 - part) ** 3 * a + 3 * (1 - part) ** 2 * part * b + 3 * (1 - part) * part**2 * c + part**3 * d
    return bezier


def _shifted(line: Points, left: float) -> Points:
    """A line beside another, so far to its left."""
    tangents = np.gradient(line, axis=0)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    return line + left * np.column_stack([-tangents[:, 1], tangents[:, 0]])


def _rules(
    rng: np.random.Generator, junctions: dict[Node, list[_Arm]], lanes: Lanes
) -> tuple[list[StopLine], list[tuple[int, int, int]]]:
    lines: list[StopLine] = []
    lights: list[tuple[int, int, int]] = []
    n_junctions = 0
    for arms in junctions.values():
        rule = int(rng.integers(3)) if len(arms) > 2 else 2
        if rule == 0:
            for number, arm in enumerate(arms):
                lights.append((n_junctions, number, len(arms)))
                lines += [StopLine(lane, float(lanes.length[lane]), len(lights) - 1) for lane in arm.inward]
            n_junctions += 1
        elif rule == 1:
            for arm in _minor(arms):
                lines += [StopLine(lane, float(lanes.length[lane]), -1) for lane in arm.inward]
    return lines, lights


def _minor(arms: list[_Arm]) -> list[_Arm]:
    """The arms of the minor road: what leads into the ring or ends at another road, else the narrower, slower one."""
    through = [(arm, other) for arm in arms for other in arms if abs(wrap(arm.heading - other.heading + math.pi)) < STRAIGHT]
    main = max(through, key=lambda pair: (pair[0].street.main, len(arms) == 3, pair[0].street.n_lanes, pair[0].street.limit))
    return [arm for arm in arms if all(arm is not other for other in main)]


def _crossings(
    rng: np.random.Generator, streets: list[_Street], junctions: dict[Node, list[_Arm]], lanes: Lanes
) -> list[Crossing]:
    places: list[tuple[int, float]] = []
    for arms in junctions.values():
        if len(arms) > 2 and rng.random() < 0.5:
            places += [(arm.inward[0], float(lanes.length[arm.inward[0]]) - CROSSING_ROOM) for arm in arms]
    inward = {id(arm.street): arm.inward[0] for arms in junctions.values() for arm in arms}
    for street in streets:
        if polyline_length(street.line) > 50.0 and rng.random() < 0.3:
            places.append((inward[id(street)], 0.5 * float(lanes.length[inward[id(street)]])))
    return [
        crossing_over(lanes, int(lanes.network.offsets[lane]) + round(along / lanes.spacing[lane])) for lane, along in places
    ]


def _heading(line: Points) -> float:
    return math.atan2(line[-1, 1] - line[0, 1], line[-1, 0] - line[0, 0])


def _unit(step: Points) -> Points:
    unit: Points = step / np.linalg.norm(step)
    return unit
