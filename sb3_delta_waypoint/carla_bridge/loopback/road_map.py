"""The maps that the server can load."""

from collections.abc import Sequence
from functools import cached_property
from tempfile import TemporaryDirectory
from pathlib import Path
from typing import Any

from sb3_delta_waypoint.carla_bridge.loopback import town
from sb3_delta_waypoint.driving.network import RoadNetwork
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
    :param text: OpenDRIVE; must be a map that ``carla.Map`` can read, since it crashes on others (:func:`read_map` checks)
    """

    def __init__(self, name: str, text: str):
        import carla

        self.name = name
        self.text = text
        self.carla_map = carla.Map(name, text)

    @cached_property
    def network(self) -> RoadNetwork:
        """
        The lanes and how they join; read when it is asked for first.

        :raises ValueError: if it is not a map that can be driven on
        """
        return check_map(self.text)

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


def default_map() -> RoadMap:
    """The small town of :mod:`~.town`."""
    return RoadMap(town.NAME, town.town())


def check_map(text: str) -> RoadNetwork:
    """
    Read a map in a process of its own, since ``carla.Map`` crashes on a damaged one.

    :param text: OpenDRIVE
    :return: its lanes
    :raises ValueError: if it is not a map that can be driven on
    """
    with TemporaryDirectory() as folder:
        path = Path(folder, "map.xodr")
        path.write_text(text)
        return load_opendrive(path)


def read_map(path: str | Path) -> RoadMap:
    """
    :param path: an OpenDRIVE file; the map is named after it
    :return: the map
    :raises FileNotFoundError: if there is no such file
    :raises ValueError: if it is not a map that can be driven on
    """
    path = Path(path)
    load_opendrive(path)
    return RoadMap(path.stem, path.read_text())


def read_maps(paths: Sequence[str | Path]) -> dict[str, RoadMap]:
    """
    :param paths: OpenDRIVE files
    :return: maps by name, in this order; the default map where there are no files
    """
    maps = [read_map(path) for path in paths] or [default_map()]
    return {road_map.name: road_map for road_map in maps}
