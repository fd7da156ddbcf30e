"""Files of fixed routes: lines to drive along as JSON, and the leaderboard's XML, planned on a map."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sb3_delta_waypoint.driving.network import from_paths
from sb3_delta_waypoint.files import naming, read_json, write_json
from sb3_delta_waypoint.maps.lane_graph import LaneGraph
from sb3_delta_waypoint.maps.route_xml import read_route_xml
from sb3_delta_waypoint.maps.routes import Route
from sb3_delta_waypoint.messages import short_text

SHAPE = '{"routes": [{"name": "…", "town": "…" or null, "points": [[x, y], …], "speeds": [m/s or null for none, …]}, …]}'
"""Contents of a JSON file of routes; metres, right-handed frame (y opposite to CARLA's)."""


def load_routes(path: str | Path, road_map: LaneGraph) -> list[Route]:
    """
    Load the routes of a file that are in the town of a map: an ``.xml`` of a leaderboard or Bench2Drive, or a ``.json``.

    :param path: the file
    :param road_map: the lanes
    :return: the routes in the town of the map
    :raises FileNotFoundError: if there is no such file
    :raises ValueError: naming the file and the route, if it is malformed, or if no route is in this town
    """
    path = Path(path)
    if path.suffix.lower() == ".xml":
        descriptions = read_route_xml(path, road_map.town)
        try:
            return [description.plan(road_map) for description in descriptions]
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
    routes = read_routes(path)
    chosen = [route for route in routes if route.town in (None, road_map.town)]
    if not chosen:
        towns = short_text(", ".join(sorted({str(r.town) for r in routes})))
        raise ValueError(f"{path}: no route in {road_map.town}, only in {towns}")
    return [route._replace(heights=heights_along(road_map, route.points)) for route in chosen]


def heights_along(road_map: LaneGraph, line: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Heights of a line, taken from the nearest lanes of its direction. Where lanes are above one another, the level is kept.

    :param road_map: the lanes
    :param line: ``(N, 2)`` [m]
    :return: ``(N,)`` [m]; points off the lanes have the height of their neighbours, or 0 if no point is on a lane
    """
    steps = np.diff(line, axis=0, append=2.0 * line[-1:] - line[-2:-1])
    known: dict[int, float] = {}
    z: float | None = None
    for number, ((x, y), (dx, dy)) in enumerate(zip(line.tolist(), steps.tolist(), strict=True)):
        if places := road_map.locate(x, y, math.atan2(dy, dx), z=z):
            known[number] = z = road_map.height(places[0])
    return np.interp(np.arange(len(line)), list(known) or [0], list(known.values()) or [0.0])


def write_routes(path: str | Path, routes: Sequence[Route]) -> Path:
    """
    Write routes as JSON, atomically, without their weather and scenarios.

    :param path: the file
    :param routes: the routes
    :return: the path
    """
    shown = [
        {"name": route.name, "town": route.town, "points": route.points.round(4), "speeds": route.speeds} for route in routes
    ]
    return write_json(path, {"routes": shown})


def read_routes(path: str | Path) -> list[Route]:
    """
    Read routes from JSON: a file of :func:`write_routes`, or one of the same form (:data:`SHAPE`), in which ``speeds`` are
    optional.

    :param path: the file
    :return: the routes, their points equally spaced by at most 1 m, without heights
    :raises FileNotFoundError: if there is no such file
    :raises ValueError: naming the file and the route that is malformed
    """
    path = Path(path)
    content = read_json(path, "route file")
    if not isinstance(content, dict) or not isinstance(content.get("routes"), list) or not content["routes"]:
        raise ValueError(f"{path}: not a file of routes; expected {SHAPE}")
    routes = []
    for number, route in enumerate(content["routes"]):
        try:
            with naming(path):
                routes.append(_route(route))
        except (TypeError, ValueError, KeyError) as error:
            problem = f"field {error} is missing" if isinstance(error, KeyError) else short_text(error)
            raise ValueError(f"{path}: route {number}: {problem}; expected {SHAPE}") from None
    return routes


def _route(route: dict[str, Any]) -> Route:
    points = np.array(route["points"], dtype=np.float64)
    speeds = [math.inf if speed is None else speed for speed in route.get("speeds", [None] * len(points))]
    network = from_paths([(points, np.array(speeds, dtype=np.float64))])
    town = route.get("town")
    return Route(str(route["name"]), None if town is None else str(town), network.points, network.speeds)
