"""The maps that the server can load."""

import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import cache, cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sb3_delta_waypoint.carla_bridge.loopback.ground_strips import ground_strips
from sb3_delta_waypoint.driving.lanes import Lanes
from sb3_delta_waypoint.driving.network import RoadNetwork
from sb3_delta_waypoint.files import read_text
from sb3_delta_waypoint.maps import town
from sb3_delta_waypoint.maps.opendrive import load_opendrive
from sb3_delta_waypoint.maps.opendrive_lanes import govern, lanes_of
from sb3_delta_waypoint.maps.signals import TRAFFIC_LIGHT, Signal, junctions_of_signals, read_signals
from sb3_delta_waypoint.rendering.ground import Ground, paint_ground

SPAWN_SPACING = 30.0
"""Distance between spawn points along a lane [m]."""
SPAWN_MARGIN = 6.0
"""Spawn points keep this distance from the ends of a lane [m]."""
SPAWN_HEIGHT = 0.3
"""Height of the spawn points above the ground [m]; vehicles settle at once."""
PROBE = """
import sys, carla
road_map = carla.Map("map", sys.stdin.read())
for landmark in road_map.get_all_landmarks():
    for first, last in landmark.get_lane_validities():
        if abs(last - first) > 100:
            sys.exit(f"signal {landmark.id} is for the lanes {first} to {last}")
        for lane in range(min(first, last), max(first, last) + 1):
            lane and road_map.get_waypoint_xodr(landmark.road_id, lane, landmark.s)
road_map.generate_waypoints(1.0)
"""
"""Script of the server's uses of a map that crash on a damaged one."""
PROBE_TIMEOUT = 60.0
"""Longest time that this script may take [s]; Town01 takes 0.2 s."""


ELEVATION = re.compile(r"<elevation\b[^>]*>")


class RoadMap:
    """
    A road map of the server. The ground is flat, since elevations are removed.

    :param name: name of the map for the client
    :param text: OpenDRIVE text that ``carla.Map`` can read, since it crashes on others (:func:`sent_map` checks this)
    """

    def __init__(self, name: str, text: str):
        import carla

        self.name = name
        self.text = ELEVATION.sub(_without_height, text)
        self.carla_map = carla.Map(name, self.text)

    @cached_property
    def network(self) -> RoadNetwork:
        """The lanes and how they join, in the package's frame; read at first use."""
        return _checked_lanes(self.text, self.name)

    @cached_property
    def lanes(self) -> Lanes:
        """The lanes that vehicles on autopilot follow; their lights are the map's signals, in their order."""
        return govern(lanes_of(self.name, self.text), self.signals)

    @cached_property
    def signals(self) -> list[Signal]:
        """The traffic lights of the map."""
        return read_signals(self.carla_map, TRAFFIC_LIGHT)

    @cached_property
    def junctions(self) -> list[str]:
        """Junction of each light, whose lights take turns; a light without a junction is alone."""
        junctions = junctions_of_signals(self.text)
        return [junctions.get(signal.name, f"none ({signal.name})") for signal in self.signals]

    @cached_property
    def ground(self) -> Ground:
        """The ground for camera images."""
        return paint_ground(ground_strips(self.carla_map))

    @cached_property
    def spawn_points(self) -> list[list[list[float]]]:
        """Transforms along all driving lanes outside of junctions, in the order of the roads."""
        lanes: dict[tuple[int, int, int], list[Any]] = {}
        for waypoint in self.carla_map.generate_waypoints(1.0):
            if not waypoint.is_junction:
                lanes.setdefault((waypoint.road_id, waypoint.section_id, waypoint.lane_id), []).append(waypoint)
        points = []
        for key in sorted(lanes):
            lane = sorted(lanes[key], key=lambda waypoint: waypoint.s)
            first, last = lane[0].s + SPAWN_MARGIN, lane[-1].s - SPAWN_MARGIN
            for waypoint in lane:
                if first <= waypoint.s <= last:
                    first = waypoint.s + SPAWN_SPACING
                    place, yaw = waypoint.transform.location, waypoint.transform.rotation.yaw
                    points.append([[place.x, place.y, SPAWN_HEIGHT], [0.0, (yaw + 180.0) % 360.0 - 180.0, 0.0]])
        return points


def _without_height(elevation: re.Match[str]) -> str:
    return re.sub(r"""\b([abcd])\s*=\s*(["'])[^"']*\2""", r"\1=\g<2>0\2", elevation[0])


def sent_map(name: str, text: str) -> RoadMap:
    """
    Make a map from the text that a client sent.

    :param name: name of the map
    :param text: OpenDRIVE text
    :return: the map
    :raises ValueError: if it is not a map, or has no driving lane
    """
    network = _checked_lanes(text, name)
    _probe(text, name)
    road_map = RoadMap(name, text)
    road_map.network = network
    return road_map


def _checked_lanes(text: str, name: str) -> RoadNetwork:
    # in a separate process, since carla.Map crashes on a damaged map
    with TemporaryDirectory() as folder:
        path = Path(folder, f"{name}.xodr")
        path.write_text(text)
        try:
            return load_opendrive(path)
        except ValueError as error:
            raise ValueError(str(error).replace(f"{folder}/", "")) from None


def _probe(text: str, name: str) -> None:
    # the lanes are read without signals; carla.Map crashes on damaged signals, too
    try:
        command = [sys.executable, "-P", "-c", PROBE]
        probed = subprocess.run(command, input=text, capture_output=True, text=True, timeout=PROBE_TIMEOUT)
    except subprocess.TimeoutExpired:
        raise ValueError(f"{name}: carla.Map did not finish reading its signals within {PROBE_TIMEOUT} s") from None
    if probed.returncode != 0:
        crashed = probed.returncode < 0
        reason = f"signal {-probed.returncode}" if crashed else probed.stderr.strip().rpartition("\n")[2]
        raise ValueError(f"{name}: carla.Map cannot read its signals: {reason}")


def map_readers(paths: Sequence[str | Path]) -> dict[str, Callable[[], RoadMap]]:
    """
    Make functions that read maps.

    :param paths: OpenDRIVE files, after which the maps are named
    :return: a function for each name, in the order of the files; the default map if there are no files
    :raises FileNotFoundError: if there is no such file
    """
    if not paths:
        return {town.NAME: lambda: RoadMap(town.NAME, town.town())}
    if missing := [str(path) for path in paths if not Path(path).is_file()]:
        raise FileNotFoundError(f"{missing[0]}: there is no such map file")
    return {Path(path).stem: partial(_read, Path(path)) for path in paths}


@cache
def _read(path: Path) -> RoadMap:
    return sent_map(path.stem, read_text(path, "map file"))
