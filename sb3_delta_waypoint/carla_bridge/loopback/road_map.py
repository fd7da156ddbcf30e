"""The maps that the server can load."""

from collections.abc import Callable, Sequence
from functools import cache, cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sb3_delta_waypoint.carla_bridge.loopback import town
from sb3_delta_waypoint.carla_bridge.loopback.ground import Ground, paint_ground
from sb3_delta_waypoint.carla_bridge.loopback.lights import Signal, governed_points, read_signals
from sb3_delta_waypoint.carla_bridge.loopback.traffic import lane_conflicts
from sb3_delta_waypoint.driving.network import RoadNetwork
from sb3_delta_waypoint.files import read_text
from sb3_delta_waypoint.maps.opendrive import load_opendrive

SPAWN_SPACING = 30.0
"""Distance between spawn points along a lane [m]."""
SPAWN_MARGIN = 6.0
"""Spawn points keep this distance from the ends of a lane [m]."""
SPAWN_HEIGHT = 0.3
"""Height of the spawn points above the ground [m]; vehicles settle at once."""


class RoadMap:
    """
    A road map as the server serves it. The ground is flat: elevations are ignored.

    :param name: what the client calls it
    :param text: OpenDRIVE; must be a map that ``carla.Map`` can read, since it crashes on others (:func:`sent_map` checks)
    """

    def __init__(self, name: str, text: str):
        import carla

        self.name = name
        self.text = text
        self.carla_map = carla.Map(name, text)

    @cached_property
    def network(self) -> RoadNetwork:
        """The lanes and how they join, in the package's frame; read when it is asked for first."""
        return _checked_lanes(self.text, self.name)

    @cached_property
    def conflicts(self) -> NDArray[np.bool_]:
        """Which segments of the network cross or merge."""
        return lane_conflicts(self.network)

    @cached_property
    def signals(self) -> list[Signal]:
        """Its traffic lights."""
        return read_signals(self.text, self.carla_map)

    @cached_property
    def governed(self) -> NDArray[np.int64]:
        """For each point of the network the number of the light that stops cars there, or -1."""
        return governed_points(self.network, self.signals)

    @cached_property
    def ground(self) -> Ground:
        """What a camera sees of it."""
        return paint_ground(self.carla_map)

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


def sent_map(name: str, text: str) -> RoadMap:
    """
    A map that a client sent.

    :param name: what to call it
    :param text: OpenDRIVE
    :return: the map
    :raises ValueError: if it is not a map that can be driven on
    """
    network = _checked_lanes(text, name)
    road_map = RoadMap(name, text)
    road_map.network = network
    return road_map


def _checked_lanes(text: str, name: str) -> RoadNetwork:
    # in a process of its own, since carla.Map crashes on a damaged map
    with TemporaryDirectory() as folder:
        path = Path(folder, f"{name}.xodr")
        path.write_text(text)
        try:
            return load_opendrive(path)
        except ValueError as error:
            raise ValueError(str(error).replace(f"{folder}/", "")) from None


def map_readers(paths: Sequence[str | Path]) -> dict[str, Callable[[], RoadMap]]:
    """
    :param paths: OpenDRIVE files; the maps are named after them
    :return: for each name what reads the map, in this order; the default map where there are no files
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
