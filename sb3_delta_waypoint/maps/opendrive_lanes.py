"""Reading of OpenDRIVE maps (``.xodr``) as lanes with widths, neighbours, stop lines, traffic lights and crossings."""

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from sb3_delta_waypoint.driving.lanes import DERIVED, LIGHT, Lanes, StopLine, indexed, make_lanes
from sb3_delta_waypoint.driving.network import RoadNetwork, polyline_length
from sb3_delta_waypoint.maps.crossings import Crossing, before_crossings, crossing_over, middle_line
from sb3_delta_waypoint.maps.opendrive import LaneSamples, network_of, read_samples
from sb3_delta_waypoint.maps.signals import STOP_SIGN, TRAFFIC_LIGHT, Signal, governed_points
from sb3_delta_waypoint.messages import short_repr, short_text

MIN_WIDTH = 0.5
"""Least width of a lane [m], where a lane opens from nothing."""
CROSSING_BEFORE_JUNCTION = 3.0
"""Distance of crossings that no map gives from the stop line [m]."""
SAME_CROSSING = 6.0
"""Crossings whose middles are nearer to each other than this are one [m]."""


class _Signal(NamedTuple):
    """A traffic light or stop sign as it stands on one road: its id, whether it is a light, and the lanes there."""

    name: str
    is_light: bool
    road: int
    s: float
    lanes: list[tuple[float, float]]
    """Ranges of ids of the lanes that it governs."""


class _Places(NamedTuple):
    """
    Where samples and points of the network lie.

    :param point_of: for each lane the nearest point of the network to each sample, empty for slivers
    :param lane: int64 ``(P,)``, lane of each point
    :param sample: int64 ``(P,)``, nearest sample of this lane
    """

    point_of: list[NDArray[np.int64]]
    lane: NDArray[np.int64]
    sample: NDArray[np.int64]


def load_lanes(path: str | Path) -> Lanes:
    """
    Read the driving lanes of a map with all that others on the road and the rules of driving need.

    The network is that of :func:`~.opendrive.load_opendrive`. Lanes have neighbours where they lie side by side on a road,
    outside of junctions, and run the same way. A stop line lies where its light or stop sign has it, but at the latest where
    the junction begins. The lights of a junction take turns in the order of the junction's controllers; the lights of one
    controller share a turn. Crossings are the map's (``<object type="crosswalk">``). Where a map has none, as CARLA's Town01
    and Town02, they are placed across the roads that lead to stop lines, 3 m before these. Stop lines then move back before
    the crossings, so that nobody waits on one.

    :param path: the ``.xodr`` file
    :return: the lanes
    :raises FileNotFoundError: if there is no such file
    :raises ImportError: if ``carla`` or ``defusedxml`` is not installed
    :raises ValueError: if the file is not a readable OpenDRIVE map, or has no driving lane
    """
    samples = read_samples(path, crossings=True)
    network = network_of(path, samples)
    places = _places(samples, network)
    junction_of_road = {int(road.attrib["id"]): road.get("junction", "-1") for road in samples.root.findall("road")}
    junction_of_lane = [junction_of_road[road] for road, _, _ in samples.keys]
    in_junction = np.array([junction not in ("-1", "") for junction in junction_of_lane])[places.lane]
    widths = np.array([samples.widths[lane][k] for lane, k in zip(places.lane, places.sample, strict=True)])
    left, right = _neighbours(samples, places, in_junction)
    lanes = make_lanes(network, np.maximum(widths, MIN_WIDTH), left, right, in_junction)

    signals = list(_signals(path, samples.root))
    lines: list[StopLine] = []
    junction_of_light: dict[str, str] = {}
    for signal in signals:
        points = _governed(signal, samples, places)
        if signal.is_light and points:
            junction_of_light.setdefault(signal.name, junction_of_lane[places.lane[points[0]]])
        light = list(junction_of_light).index(signal.name) if signal.is_light and points else -1
        for point in points:
            lines += [StopLine(segment, along, light) for segment, along in before_junction(lanes, point)]
    crossings = [line for outline in samples.crossings if (line := middle_line(lanes, outline))]
    if not crossings:
        crossings = _crossings_at(lanes, lines)
    return make_lanes(
        network,
        lanes.width,
        left,
        right,
        in_junction,
        before_crossings(lanes, lines, crossings),
        _turns(path, samples.root, junction_of_light),
        crossings,
    )


@lru_cache(maxsize=4)
def lanes_of(name: str, text: str) -> Lanes:
    """
    Read the lanes of a map that is no file, such as that of a server, as :func:`load_lanes` does, once per process.

    :param name: name of the map, for messages
    :param text: OpenDRIVE text
    :return: the lanes
    :raises ImportError: if ``carla`` or ``defusedxml`` is not installed
    :raises ValueError: if it is not a readable OpenDRIVE map, or has no driving lane
    """
    with TemporaryDirectory() as folder:
        path = Path(folder, f"{name}.xodr")
        path.write_text(text, encoding="utf-8")
        try:
            return load_lanes(path)
        except ValueError as error:
            raise ValueError(str(error).replace(f"{folder}/", "")) from None


def govern(lanes: Lanes, signals: Sequence[Signal]) -> Lanes:
    """
    Give lanes the lights of a simulator, whose states it sets.

    :param lanes: the lanes of its map
    :param signals: its traffic lights
    :return: the lanes with these lights, held at red, in the place of their own; stop signs stay
    """
    governed = governed_points(lanes.network, list(signals))
    stop_light, stop_at = np.full_like(lanes.stop_light, -1), np.where(lanes.stop_sign, lanes.stop_at, np.inf)
    for point in np.flatnonzero(governed >= 0):
        for segment, along in before_junction(lanes, int(point)):
            stop_light[segment] = governed[point]
            # the map's own line lies before the crossing
            stop_at[segment] = min(along, lanes.stop_at[segment])
    lights = np.zeros(len(signals), LIGHT)
    arrays = {name: array for name, array in lanes._asdict().items() if name not in DERIVED}
    arrays |= {"stop_at": stop_at, "stop_light": stop_light, "stop_sign": lanes.stop_sign & (stop_light < 0), "lights": lights}
    return indexed(**arrays)


def _places(samples: LaneSamples, network: RoadNetwork) -> _Places:
    point_of: list[NDArray[np.int64]] = [np.empty(0, np.int64)] * len(samples.keys)
    lane_of, sample_of = np.empty(len(network.points), np.int64), np.empty(len(network.points), np.int64)
    for segment, chain in enumerate(samples.chains):
        first, end = network.offsets[segment], network.offsets[segment + 1]
        line = np.concatenate([samples.points[lane] for lane in chain])
        along = np.append(0.0, np.cumsum(np.hypot(*np.diff(line, axis=0).T)))
        spacing = polyline_length(line) / (end - first - 1)
        nearest = first + np.round(along / spacing).astype(np.int64)
        counts = [len(samples.points[lane]) for lane in chain]
        for lane, points in zip(chain, np.split(nearest, np.cumsum(counts)[:-1]), strict=True):
            point_of[lane] = points
        at = np.clip(np.searchsorted(along, np.arange(end - first) * spacing), 1, len(along) - 1)
        at -= np.arange(end - first) * spacing - along[at - 1] < along[at] - np.arange(end - first) * spacing
        lane_of[first:end] = np.repeat(chain, counts)[at]
        sample_of[first:end] = np.concatenate([np.arange(count) for count in counts])[at]
    return _Places(point_of, lane_of, sample_of)


def _neighbours(
    samples: LaneSamples, places: _Places, in_junction: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Nearest points of the lanes on the left and on the right that run the same way."""
    number = {key: lane for lane, key in enumerate(samples.keys)}
    left, right = np.full(len(places.lane), -1), np.full(len(places.lane), -1)
    for point in np.flatnonzero(~in_junction):
        lane, sample = places.lane[point], places.sample[point]
        road, section, lane_id = samples.keys[lane]
        line = samples.points[lane]
        step = line[min(sample + 1, len(line) - 1)] - line[max(sample - 1, 0)]
        for beside in (lane_id - 1, lane_id + 1):
            other = number.get((road, section, beside)) if beside * lane_id > 0 else None
            # lanes of one section are sampled at the same places along the road
            if other is not None and len(places.point_of[other]) == len(line):
                over = samples.points[other][sample] - line[sample]
                (left if step[0] * over[1] > step[1] * over[0] else right)[point] = places.point_of[other][sample]
    return left, right


def _signals(path: str | Path, root: Element) -> Iterator[_Signal]:
    """Lights and stop signs on each road on which they stand or to which they refer."""
    kind = {signal.get("id"): signal.get("type") for signal in root.iterfind("road/signals/signal")}
    for road in root.findall("road"):
        for tag in ("signal", "signalReference"):
            for signal in road.findall(f"signals/{tag}"):
                name = signal.get("id")
                if kind.get(name) not in (TRAFFIC_LIGHT, STOP_SIGN):
                    continue
                try:
                    ids = [(float(v.attrib["fromLane"]), float(v.attrib["toLane"])) for v in signal.findall("validity")]
                    # without a validity, a signal is for all lanes of its direction (ASAM OpenDRIVE 1.4, 5.3.8.1.1)
                    direction = {"+": (-math.inf, -1.0), "-": (1.0, math.inf)}.get(signal.get("orientation", ""))
                    ids = ids or [direction or (-math.inf, math.inf)]
                    s = float(signal.attrib["s"])
                    if not math.isfinite(s):
                        raise ValueError(f"s={s}")
                    lanes = [(min(pair), max(pair)) for pair in ids]
                    yield _Signal(str(name), kind[name] == TRAFFIC_LIGHT, int(road.attrib["id"]), s, lanes)
                except (KeyError, ValueError) as error:
                    where = f"{path}: road {short_repr(road.get('id'))}: signal {short_repr(name)}"
                    raise ValueError(f"{where}: missing or unreadable attribute: {short_text(error)}") from None


def _governed(signal: _Signal, samples: LaneSamples, places: _Places) -> list[int]:
    """The point of each governed lane that is nearest to the signal along the road."""
    nearest: dict[int, tuple[float, int]] = {}
    for lane, (road, _, lane_id) in enumerate(samples.keys):
        governs = road == signal.road and any(low <= lane_id <= high for low, high in signal.lanes)
        if governs and len(places.point_of[lane]):
            away = np.abs(samples.s[lane] - signal.s)
            sample = int(away.argmin())
            point = int(places.point_of[lane][sample])
            nearest[lane_id] = min(nearest.get(lane_id, (math.inf, -1)), (float(away[sample]), point))
    return [point for _, point in nearest.values()]


def before_junction(lanes: Lanes, point: int) -> list[tuple[int, float]]:
    """
    Find the stop lines for a point at which a signal stands: where it lies, or where cars enter its junction.

    :param lanes: the lanes
    :param point: the point
    :return: segments and arc lengths [m]
    """
    network, segment = lanes.network, int(lanes.segment_of[point])
    while lanes.in_junction[point] and point > network.offsets[segment]:
        point -= 1
    if not lanes.in_junction[point]:
        return [(segment, float(lanes.along[point]))]
    before = np.repeat(np.arange(network.n_segments), np.diff(network.successor_offsets))[network.successors == segment]
    return [
        (int(other), float(lanes.length[other])) for other in before if not lanes.in_junction[network.offsets[other + 1] - 1]
    ]


def _crossings_at(lanes: Lanes, lines: list[StopLine]) -> list[Crossing]:
    crossings: list[Crossing] = []
    for line in lines:
        if line.along >= 2.0 * CROSSING_BEFORE_JUNCTION:
            back = round((line.along - CROSSING_BEFORE_JUNCTION) / lanes.spacing[line.segment])
            crossing = crossing_over(lanes, int(lanes.network.offsets[line.segment]) + back)
            middle = 0.5 * (crossing[0] + crossing[2]), 0.5 * (crossing[1] + crossing[3])
            if all(math.dist(middle, (0.5 * (x + u), 0.5 * (y + v))) > SAME_CROSSING for x, y, u, v in crossings):
                crossings.append(crossing)
    return crossings


def _turns(path: str | Path, root: Element, junction_of_light: dict[str, str]) -> list[tuple[int, int, int]]:
    """Junction, turn and number of turns of each light."""
    # by controller: its junction and its place in the junction's sequence
    controlled: dict[str | None, tuple[str, float, int]] = {}
    for junction in root.iter("junction"):
        for number, entry in enumerate(junction.findall("controller")):
            try:
                sequence = float(entry.get("sequence") or 0)
            except ValueError as error:
                where = f"{path}: junction {short_repr(junction.get('id'))}: controller {short_repr(entry.get('id'))}"
                raise ValueError(f"{where}: unreadable sequence: {short_text(error)}") from None
            controlled[entry.get("id")] = str(junction.get("id")), sequence, number
    of_signal: dict[str | None, tuple[str, float, int]] = {
        control.get("signalId"): controlled[controller.get("id")]
        for controller in root.findall("controller")
        for control in controller.findall("control")
        if controller.get("id") in controlled
    }
    # a light without a controller takes a turn of its own where its lane leads, or is alone
    places = []
    for number, (light, its_junction) in enumerate(junction_of_light.items()):
        alone = its_junction if its_junction not in ("-1", "") else f"light {light}"
        places.append(of_signal.get(light, (alone, math.inf, number)))
    junctions = list(dict.fromkeys(junction for junction, *_ in places))
    phases = {junction: sorted({place for place in places if place[0] == junction}) for junction in junctions}
    return [(junctions.index(place[0]), phases[place[0]].index(place), len(phases[place[0]])) for place in places]
