"""
A small town as OpenDRIVE text, a grid of two by two blocks with rounded corners.

It has nine nodes: four corners (bends), four T junctions and one crossing. Two of the outer streets swing out and back. Each
road has one lane in each direction and pavements. The speed limit is 30 km/h in the middle, 50 km/h on the outer streets and
40 km/h on the winding ones.
"""

import math
from typing import NamedTuple

NAME = "LoopbackTown"
BLOCK_X, BLOCK_Y = 160.0, 130.0
"""Distance between nodes [m]."""
BEND_RADIUS = 25.0
"""Radius of the corners [m]."""
JUNCTION_RADIUS = 12.0
"""Distance from the middle of a junction to the ends of its roads [m]."""
LANE_WIDTH = 3.5
PAVEMENT_WIDTH = 2.0
SWING_RADIUS, SWING_ANGLE = 45.0, math.radians(25)
"""Radius [m] and angle [rad] of each of the four arcs of a winding street."""
ORIGIN = (49.0, 8.0)
"""Latitude and longitude of the map's origin [degrees]."""

Node = tuple[int, int]


class Street(NamedTuple):
    """A road between two nodes, driven from the first to the second on the right-hand lane."""

    road: int
    start: Node
    end: Node
    heading: float
    limit: float
    winding: bool


STREETS = [
    *(
        Street(1 + 2 * row + column, (column, row), (column + 1, row), 0.0, limit, winding)
        for row, column, limit, winding in (
            (0, 0, 50, False),
            (0, 1, 40, True),
            (1, 0, 30, False),
            (1, 1, 30, False),
            (2, 0, 40, True),
            (2, 1, 50, False),
        )
    ),
    *(
        Street(7 + 2 * column + row, (column, row), (column, row + 1), math.pi / 2, 30.0 if column == 1 else 50.0, False)
        for column in range(3)
        for row in range(2)
    ),
]


def town() -> str:
    """
    Make the OpenDRIVE text of the town.

    :return: the map in OpenDRIVE 1.4, the same text each time
    """
    roads = [_street(street) for street in STREETS]
    junctions = []
    next_road = 100
    for node in ((column, row) for column in range(3) for row in range(3)):
        arms = _arms(node)
        if len(arms) == 2:
            roads.append(_bend(next_road, node, arms))
            next_road += 1
            continue
        connections: list[str] = []
        for incoming in arms:
            for outgoing in arms:
                if incoming is not outgoing:
                    roads.append(_connecting_road(next_road, _junction(node), node, incoming, outgoing))
                    connections.append(
                        f'<connection id="{len(connections)}" incomingRoad="{incoming.road}" connectingRoad="{next_road}" '
                        f'contactPoint="start"><laneLink from="{incoming.lane_in}" to="-1"/></connection>'
                    )
                    next_road += 1
        junctions.append(f'<junction id="{_junction(node)}" name="">{"".join(connections)}</junction>')
    reference = f"+proj=tmerc +lat_0={ORIGIN[0]} +lon_0={ORIGIN[1]} +k=1 +x_0=0 +y_0=0 +datum=WGS84 +units=m"
    header = (
        f'<header revMajor="1" revMinor="4" name="{NAME}" north="0" south="0" east="0" west="0">'
        f"<geoReference><![CDATA[{reference}]]></geoReference></header>"
    )
    return '<?xml version="1.0"?>\n<OpenDRIVE>' + "\n".join([header, *roads, *junctions]) + "\n</OpenDRIVE>\n"


class Arm(NamedTuple):
    """A road as seen from a node: its direction, the end at the node, and its lanes in and out."""

    road: int
    heading: float
    """Heading from the node into the road [rad]."""
    contact: str

    @property
    def lane_in(self) -> int:
        return -1 if self.contact == "end" else 1

    @property
    def lane_out(self) -> int:
        return -self.lane_in


def _arms(node: Node) -> list[Arm]:
    return [Arm(street.road, street.heading, "start") for street in STREETS if street.start == node] + [
        Arm(street.road, street.heading + math.pi, "end") for street in STREETS if street.end == node
    ]


def _place(node: Node) -> tuple[float, float]:
    return (node[0] - 1) * BLOCK_X, (node[1] - 1) * BLOCK_Y


def _clearance(node: Node) -> float:
    return BEND_RADIUS if len(_arms(node)) == 2 else JUNCTION_RADIUS


class _Plan:
    """A reference line, drawn piece by piece."""

    def __init__(self, x: float, y: float, heading: float):
        self.x, self.y, self.heading, self.s = x, y, heading, 0.0
        self.pieces: list[str] = []

    def draw(self, length: float, curvature: float = 0.0) -> None:
        shape = f'<arc curvature="{curvature!r}"/>' if curvature else "<line/>"
        self.pieces.append(
            f'<geometry s="{self.s!r}" x="{self.x!r}" y="{self.y!r}" hdg="{self.heading!r}" length="{length!r}">'
            f"{shape}</geometry>"
        )
        turn = curvature * length
        chord = length if turn == 0.0 else 2.0 / curvature * math.sin(turn / 2.0)
        self.x += chord * math.cos(self.heading + turn / 2.0)
        self.y += chord * math.sin(self.heading + turn / 2.0)
        self.heading += turn
        self.s += length


def _leave(node: Node, heading: float) -> tuple[float, float]:
    x, y = _place(node)
    reach = _clearance(node)
    return x + reach * math.cos(heading), y + reach * math.sin(heading)


def _street(street: Street) -> str:
    plan = _Plan(*_leave(street.start, street.heading), street.heading)
    block = BLOCK_X if street.heading == 0.0 else BLOCK_Y
    length = block - _clearance(street.start) - _clearance(street.end)
    if street.winding:
        straight = (length - 4 * SWING_RADIUS * math.sin(SWING_ANGLE)) / 2
        # outwards, so that it stays clear of the blocks
        side = -1.0 if street.start[1] == 0 else 1.0
        plan.draw(straight)
        for sign in (1.0, -1.0, -1.0, 1.0):
            plan.draw(SWING_RADIUS * SWING_ANGLE, sign * side / SWING_RADIUS)
        plan.draw(straight)
    else:
        plan.draw(length)
    ends = {"predecessor": street.start, "successor": street.end}
    link, follows = "", {}
    for kind, node in ends.items():
        arms = _arms(node)
        if len(arms) > 2:
            link += f'<{kind} elementType="junction" elementId="{_junction(node)}"/>'
        else:
            # the bend starts at the first arm and ends at the second
            own = [arm.road for arm in arms].index(street.road)
            contact = ("start", "end")[own]
            link += f'<{kind} elementType="road" elementId="{_bend_road(node)}" contactPoint="{contact}"/>'
            follows[kind] = -1 if (kind == "predecessor") == (contact == "start") else 1
    return _road(street.road, plan, link, _lanes(follows, pavement=True), limit=street.limit)


def _bend(road: int, node: Node, arms: list[Arm]) -> str:
    first, second = arms
    plan = _Plan(*_leave(node, first.heading), first.heading + math.pi)
    turn = math.remainder(second.heading - first.heading - math.pi, 2 * math.pi)
    plan.draw(BEND_RADIUS * abs(turn), math.copysign(1 / BEND_RADIUS, turn))
    link = (
        f'<predecessor elementType="road" elementId="{first.road}" contactPoint="{first.contact}"/>'
        f'<successor elementType="road" elementId="{second.road}" contactPoint="{second.contact}"/>'
    )
    follows = {
        "predecessor": 1 if first.contact == "end" else -1,
        "successor": 1 if second.contact == "start" else -1,
    }
    return _road(road, plan, link, _lanes(follows, pavement=True), limit=50.0)


def _connecting_road(road: int, junction: int, node: Node, incoming: Arm, outgoing: Arm) -> str:
    plan = _Plan(*_leave(node, incoming.heading), incoming.heading + math.pi)
    turn = math.remainder(outgoing.heading - incoming.heading - math.pi, 2 * math.pi)
    if abs(turn) < 1e-6:
        plan.draw(2 * JUNCTION_RADIUS)
    else:
        plan.draw(JUNCTION_RADIUS * abs(turn), math.copysign(1 / JUNCTION_RADIUS, turn))
    link = (
        f'<predecessor elementType="road" elementId="{incoming.road}" contactPoint="{incoming.contact}"/>'
        f'<successor elementType="road" elementId="{outgoing.road}" contactPoint="{outgoing.contact}"/>'
    )
    lane = _lane(
        -1, "driving", LANE_WIDTH, "none", f'<predecessor id="{incoming.lane_in}"/><successor id="{outgoing.lane_out}"/>'
    )
    lanes = f"<laneSection s='0'><center>{_lane(0, 'none', 0.0, 'none')}</center><right>{lane}</right></laneSection>"
    return _road(road, plan, link, lanes, junction=junction)


def _junction(node: Node) -> int:
    # the client takes a number that a road has as well for that road
    return 1000 + node[0] * 3 + node[1]


def _bend_road(node: Node) -> int:
    """The number that :func:`town` gives to the bend at a corner, found by counting the roads in the same order."""
    count = 100
    for other in ((column, row) for column in range(3) for row in range(3)):
        if other == node:
            return count
        arms = len(_arms(other))
        count += 1 if arms == 2 else arms * (arms - 1)
    raise ValueError(f"{node} is not a node")


def _lanes(follows: dict[str, int], pavement: bool) -> str:
    """Lanes of a road, one in each direction; a value of ``follows`` is 1 if the neighbour keeps their signs, -1 if not."""

    def link(lane: int) -> str:
        return "".join(f'<{kind} id="{sign * lane}"/>' for kind, sign in follows.items())

    sides = {
        "left": [(2, "sidewalk", PAVEMENT_WIDTH, "none"), (1, "driving", LANE_WIDTH, "solid")],
        "right": [(-1, "driving", LANE_WIDTH, "solid"), (-2, "sidewalk", PAVEMENT_WIDTH, "none")],
    }
    left, right = ("".join(_lane(*lane, link(lane[0])) for lane in sides[side]) for side in ("left", "right"))
    return (
        f'<laneSection s="0"><left>{left}</left><center>{_lane(0, "none", 0.0, "broken")}</center>'
        f"<right>{right}</right></laneSection>"
    )


def _lane(lane: int, kind: str, width: float, mark: str, link: str = "") -> str:
    shape = "" if lane == 0 else f'<width sOffset="0" a="{width}" b="0" c="0" d="0"/>'
    return (
        f'<lane id="{lane}" type="{kind}" level="false"><link>{link}</link>{shape}'
        f'<roadMark sOffset="0" type="{mark}" weight="standard" color="standard" width="0.15" laneChange="none"/></lane>'
    )


def _road(road: int, plan: _Plan, link: str, lanes: str, junction: int = -1, limit: float | None = None) -> str:
    kind = "" if limit is None else f'<type s="0" type="town"><speed max="{limit}" unit="km/h"/></type>'
    return (
        f'<road name="Road {road}" length="{plan.s!r}" id="{road}" junction="{junction}"><link>{link}</link>{kind}'
        f"<planView>{''.join(plan.pieces)}</planView>"
        '<elevationProfile><elevation s="0" a="0" b="0" c="0" d="0"/></elevationProfile><lateralProfile/>'
        f'<lanes><laneOffset s="0" a="0" b="0" c="0" d="0"/>{lanes}</lanes></road>'
    )
