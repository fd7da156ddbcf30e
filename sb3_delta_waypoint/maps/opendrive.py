"""Reading of OpenDRIVE maps (``.xodr``) as road networks, offline, with CARLA's own map code."""

import importlib.util
import json
import math
import os
import subprocess
import sys
from collections import deque
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element, SubElement, tostring

import numpy as np
from numpy.typing import NDArray

from sb3_delta_waypoint.driving.network import (
    RoadNetwork,
    from_segments,
    polyline_length,
    resample,
)
from sb3_delta_waypoint.files import naming, read_xml
from sb3_delta_waypoint.maps import carla_lanes
from sb3_delta_waypoint.maps.carla_frame import points_of
from sb3_delta_waypoint.maps.lanes import LaneKey, meet, speed_limits, strip_namespaces
from sb3_delta_waypoint.messages import short_repr, short_text

MAX_SAMPLE_STEP = 10 * carla_lanes.SAMPLE_SPACING
"""Largest distance between the samples of an intact lane [m]; outer lanes of a bend have a somewhat larger one than others."""
MAX_LANES = 5e6
"""Largest accepted total length of roads and driving lanes [m]: ten times that of CARLA's large towns, 1 GB of samples."""
MAX_ID = 2**31 - 1
"""Largest id of a road or lane, which ``carla.Map`` stores in 32 bits."""
TIMEOUT = 120.0
"""Longest wait for ``carla.Map`` [s]; Town01 takes 0.1 s."""


class LaneSamples(NamedTuple):
    """
    The driving lanes of a map, sampled within each lane section, and the segments that they form.

    :param root: the map's XML
    :param keys: for each lane the ids of its road, lane section and lane
    :param s: for each lane the places of its samples along the road [m], in driving order
    :param points: for each lane its samples, float64 ``(N, 2)`` [m]
    :param speeds: for each lane the speed limits at its samples [m/s], ``inf`` where there is none
    :param widths: for each lane its widths at its samples [m]
    :param successors: for each lane the lanes that follow
    :param chains: for each segment its lanes, one after another
    :param crossings: outlines of pedestrian crossings, float64 ``(N, 2)`` [m]
    """

    root: Element
    keys: list[LaneKey]
    s: list[NDArray[np.float64]]
    points: list[NDArray[np.float64]]
    speeds: list[NDArray[np.float64]]
    widths: list[NDArray[np.float64]]
    successors: list[list[int]]
    chains: list[list[int]]
    crossings: list[NDArray[np.float64]]


def load_opendrive(path: str | Path) -> RoadNetwork:
    """
    Read the driving lanes of a map and their connections, also through junctions, but without lane changes.

    Lanes run in driving direction, in the package's right-handed frame (x as in the file and in CARLA, y as in the file and
    opposite to CARLA). Speeds are the limits of the roads (``<type><speed>``); a road without one, such as a junction's, has
    the limit of the road that leads to it. The same file gives the same network, to the last bit.

    :param path: the ``.xodr`` file
    :return: the network; its segments are stretches between forks, with points at most 1 m apart
    :raises FileNotFoundError: if there is no such file
    :raises ImportError: if ``carla`` or ``defusedxml`` is not installed
    :raises ValueError: if the file is not a readable OpenDRIVE map, or has no driving lane
    """
    return network_of(path, read_samples(path))


def read_samples(path: str | Path, crossings: bool = False) -> LaneSamples:
    """
    Read the driving lanes of a map as samples.

    :param path: the ``.xodr`` file
    :param crossings: whether to read pedestrian crossings, too
    :return: the samples
    :raises FileNotFoundError: if there is no such file
    :raises ImportError: if ``carla`` or ``defusedxml`` is not installed
    :raises ValueError: if the file is not a readable OpenDRIVE map, or has no driving lane
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such map file")
    with naming(path):
        lanes = _lanes(path, _parse(path), crossings)
    short = {lane for lane, line in enumerate(lanes.points) if polyline_length(line) < carla_lanes.SAMPLE_SPACING}
    if len(short) == len(lanes.points):
        raise ValueError(f"{path}: no drivable route; none of its {len(lanes.points)} driving lanes has any length")
    successors = _drivable_joints(lanes.points, _led_past(short, lanes.successors))
    _spread_limits(lanes.speeds, successors)
    chains = [chain for chain in _chains(successors) if chain[0] not in short]
    return lanes._replace(points=_closed_gaps(lanes.points, successors), successors=successors, chains=chains)


def network_of(path: str | Path, lanes: LaneSamples) -> RoadNetwork:
    """
    Make the road network of sampled lanes.

    :param path: the file that they are from, for messages
    :param lanes: the lanes
    :return: the network, a segment for each chain
    :raises ValueError: if it breaks a rule of :func:`~.network.validate_network`
    """
    segment_of_head = {chain[0]: number for number, chain in enumerate(lanes.chains)}
    try:
        return from_segments(
            [
                resample(np.concatenate([lanes.points[i] for i in chain]), np.concatenate([lanes.speeds[i] for i in chain]))
                for chain in lanes.chains
            ],
            [[segment_of_head[lane] for lane in lanes.successors[chain[-1]]] for chain in lanes.chains],
        )
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _parse(path: Path) -> Element:
    """The map's XML, checked just enough to tell that it is a map."""
    if missing := [name for name in ("carla", "defusedxml") if importlib.util.find_spec(name) is None]:
        raise ImportError(f"Reading {path} needs {' and '.join(missing)}: pip install sb3_delta_waypoint[carla]")
    root = read_xml(path, "OpenDRIVE")
    strip_namespaces(root)
    if root.tag != "OpenDRIVE":
        raise ValueError(f"{path} is not OpenDRIVE: its root element is <{short_text(root.tag)}>, not <OpenDRIVE>")
    if root.find("road/lanes/laneSection//lane[@type='driving']") is None:
        raise ValueError(f"{path}: no drivable route; the map has {len(root.findall('road'))} roads and no driving lane")
    return root


def _roads_only(root: Element, crossings: bool) -> Element:
    """The map without its signals and objects, on which ``carla.Map`` might crash; crossings may stay."""
    bare = Element(root.tag, root.attrib)
    for part in root:
        if part.tag == "road":
            road = SubElement(bare, part.tag, part.attrib)
            road.extend(child for child in part if child.tag not in ("signals", "objects"))
            crosswalks = part.findall("objects/object[@type='crosswalk']")
            if crossings and crosswalks:
                SubElement(road, "objects").extend(crosswalks)
        elif part.tag != "controller":
            bare.append(part)
    return bare


def _lanes(path: Path, root: Element, crossings: bool) -> LaneSamples:
    """The samples of each lane of each lane section."""
    sections: dict[str, list[dict[str, Any]]] = {}
    limits, total = {}, 0.0
    for road in root.findall("road"):
        try:
            name = str(_id(road))
            length = float(road.attrib["length"])
            begin = [float(section.attrib["s"]) for section in road.findall("lanes/laneSection")]
            lanes = [_driving_lanes(section) for section in road.findall("lanes/laneSection")]
            limits[name] = speed_limits(road)
            planned = sum(float(geometry.attrib["length"]) for geometry in road.findall("planView/geometry"))
        except (KeyError, ValueError) as error:
            where = f"{path}: road {short_repr(road.get('id'))}"
            raise ValueError(f"{where}: missing or unreadable attribute: {short_text(error)}") from None
        if not all(map(math.isfinite, (length, planned, *begin))):
            raise ValueError(f"{path}: road {name}: a length or place along it is not finite")
        if not begin or sorted({*begin, length}) != [*begin, length]:
            raise ValueError(
                f"{path}: road {name}: its lane sections begin at {short_repr(begin)} m, not one after another up to "
                f"{length} m"
            )
        if not abs(planned - length) <= 1.0 + 0.01 * planned:
            raise ValueError(f"{path}: road {name}: length is {length} m, but its planView adds up to {planned} m")
        sections[name] = [
            {"begin": first, "end": last, "lanes": ids}
            for first, last, ids in zip(begin, [*begin[1:], length], lanes, strict=True)
        ]
        # carla.Map samples roads without driving lanes, too
        total += length + sum((section["end"] - section["begin"]) * len(section["lanes"]) for section in sections[name])
    if total > MAX_LANES:
        raise ValueError(f"{path}: its roads and driving lanes are {total:g} m long; at most {MAX_LANES:g} m are sampled")

    request = {"text": tostring(_roads_only(root, crossings), encoding="unicode"), "sections": sections}
    sampled = _sample(path, request)
    keys = [(int(road), number, lane) for road in sections for number, s in enumerate(sections[road]) for lane in s["lanes"]]
    points, speeds = [], []
    for lane in sampled["lanes"]:
        begin, limit = limits[str(lane["road"])]
        points.append(points_of(lane["x"], lane["y"]))
        speeds.append(limit[np.searchsorted(begin, lane["s"], side="right")])
        steps = np.linalg.norm(np.diff(points[-1], axis=0), axis=1)
        if not steps.max() <= MAX_SAMPLE_STEP:
            raise ValueError(
                f"{path}: road {lane['road']}: a lane jumps by {steps.max():.1f} m at s = {lane['s'][steps.argmax()]:.1f} m; "
                "its geometry has a gap, or a number that is not finite"
            )
    return LaneSamples(
        root,
        keys,
        [np.array(lane["s"]) for lane in sampled["lanes"]],
        points,
        speeds,
        [np.array(lane["width"]) for lane in sampled["lanes"]],
        sampled["successors"],
        [],
        [points_of(*np.transpose(outline)) for outline in sampled["crossings"]],
    )


def _driving_lanes(section: Element) -> list[int]:
    return sorted({_id(lane) for lane in section.iterfind("*/lane[@type='driving']")} - {0})


def _id(element: Element) -> int:
    number = int(element.attrib["id"])
    if abs(number) > MAX_ID:
        raise ValueError(f"id {short_repr(number)} has more than 32 bits")
    return number


def _sample(path: Path, request: dict[str, Any]) -> dict[str, Any]:
    """Sample the lanes in a separate process."""
    command = [sys.executable, "-P", carla_lanes.__file__, str(os.getpid())]
    try:
        answer = subprocess.run(command, input=json.dumps(request), capture_output=True, text=True, timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        raise ValueError(f"{path}: carla.Map did not finish reading it within {TIMEOUT} s") from None
    if answer.returncode < 0:
        raise ValueError(
            f"{path}: carla.Map crashed on it (signal {-answer.returncode}): "
            "a road without planView or lanes, a link to a road or lane that is not there, or more of it than "
            f"{carla_lanes.MAX_MEMORY >> 30} GB hold?"
        )
    if answer.returncode > 0:
        raise ValueError(f"{path}: carla.Map cannot read it: {short_text(answer.stderr) or answer.returncode}")
    result: dict[str, Any] = json.loads(answer.stdout)
    return result


def _led_past(short: set[int], successors: list[list[int]]) -> list[list[int]]:
    """Successors without slivers: lanes between lane sections that are too short to have a direction."""
    successors = [list(following) for following in successors]
    for sliver in sorted(short):
        beyond, successors[sliver] = successors[sliver], []
        for lane, following in enumerate(successors):
            if sliver in following:
                successors[lane] = sorted({*following, *beyond} - {sliver})
    return successors


def _drivable_joints(points: list[NDArray[np.float64]], successors: list[list[int]]) -> list[list[int]]:
    """The connections that a car can follow: ends that meet without a kink or a turn on the spot."""
    return [[other for other in following if meet(points[lane], points[other])] for lane, following in enumerate(successors)]


def _spread_limits(speeds: list[NDArray[np.float64]], successors: list[list[int]]) -> None:
    """Give a lane without any speed limit the limit of the lane that leads to it."""
    limited = deque(lane for lane, limit in enumerate(speeds) if np.isfinite(limit).any())
    while limited:
        lane = limited.popleft()
        for following in successors[lane]:
            if np.isinf(speeds[following]).all() and np.isfinite(speeds[lane][-1]):
                speeds[following][:] = speeds[lane][-1]
                limited.append(following)


def _closed_gaps(points: list[NDArray[np.float64]], successors: list[list[int]]) -> list[NDArray[np.float64]]:
    """
    Move the ends of joined lanes to one point, the mean of all ends there; the shift fades out along each lane.

    In CARLA's maps the gaps are less than a millimetre. In others they are decimetres, which would be a kink of 1 m length.
    """
    n_lanes = len(points)
    joint = np.arange(2 * n_lanes)  # label of the start (lane) and of the end (n_lanes + lane) of each lane
    for lane, others in enumerate(successors):
        for following in others:
            joint[joint == joint[following]] = joint[n_lanes + lane]
    ends = np.array([line[0] for line in points] + [line[-1] for line in points])
    count = np.bincount(joint)[joint]
    shift = np.column_stack([np.bincount(joint, ends[:, axis])[joint] / count for axis in range(2)]) - ends
    closed = []
    for lane, line in enumerate(points):
        along = np.linspace(0.0, 1.0, len(line))[:, None]
        closed.append(line + (1.0 - along) * shift[lane] + along * shift[n_lanes + lane])
    return closed


def _chains(successors: list[list[int]]) -> list[list[int]]:
    """Group the lanes into runs without forks, in which each lane is the only successor of the one before and vice versa."""
    n_predecessors = np.bincount([lane for following in successors for lane in following], minlength=len(successors))
    next_lane = {
        lane: following[0]
        for lane, following in enumerate(successors)
        if len(following) == 1 and n_predecessors[following[0]] == 1 and following[0] != lane
    }
    heads = sorted(set(range(len(successors))) - set(next_lane.values()))
    chains: list[list[int]] = []
    placed: set[int] = set()
    # a circle without forks has no head, so it starts at its first lane
    for head in [*heads, *range(len(successors))]:
        chain: list[int] = []
        lane: int | None = head
        while lane is not None and lane not in placed:
            placed.add(lane)
            chain.append(lane)
            lane = next_lane.get(lane)
        if chain:
            chains.append(chain)
    return chains
