"""The routes of scenarios on a CARLA map."""

from pathlib import Path
from typing import Any

import numpy as np

from sb3_delta_waypoint.carla_bridge.errors import NoRoutesError
from sb3_delta_waypoint.driving.scenarios import hash64, scenario_seed
from sb3_delta_waypoint.maps.carla_frame import pose_of
from sb3_delta_waypoint.maps.lane_graph import LaneGraph
from sb3_delta_waypoint.maps.route_file import load_routes
from sb3_delta_waypoint.maps.routes import Route, random_route

FURTHEST = 1e4
"""Largest distance by road to the goal of a random route [m]; the route is then cut off at the driven length."""


class MapRoutes:
    """
    The routes of a map, which are drawn between its spawn points or read from a file.

    :param road_map: ``carla.Map``
    :param routes: a file (see :func:`~.route_file.load_routes`), or None to draw routes
    :param length: length of drawn routes [m]
    :raises FileNotFoundError: if there is no such file
    :raises ValueError: if the file is malformed
    :raises NoRoutesError: if there is no route
    """

    def __init__(self, road_map: Any, routes: str | Path | None, length: float):
        self._length = length
        self._graph = LaneGraph(road_map)
        self._spawn_points = [(*pose_of(transform), transform.location.z) for transform in road_map.get_spawn_points()]
        self._fixed = None if routes is None else load_routes(routes, self._graph)
        if self._fixed is None:
            self.route(0, 0)

    @property
    def longest(self) -> float:
        """Length up to which routes are driven [m]."""
        return self._length if self._fixed is None else FURTHEST

    def route(self, base_seed: int, scenario: int, attempt: int = 0) -> Route:
        """
        Get the route of a scenario. Fixed routes are played in turn, beginning with one that depends on the base seed.

        :param base_seed: base seed of the scenarios
        :param scenario: number of the scenario
        :param attempt: 0; higher numbers draw other routes, in case the start is occupied
        :return: the route
        :raises NoRoutesError: if there is no route
        """
        if self._fixed is not None:
            return self._fixed[(base_seed + scenario) % len(self._fixed)]
        seed = int(hash64(np.uint64(scenario_seed(base_seed, scenario)), np.uint64(32 + attempt))) >> 1
        if not self._spawn_points:
            raise NoRoutesError("the map has no spawn points: give it some, or pass a file of routes")
        try:
            return random_route(self._graph, self._spawn_points, seed, self._length + 1.0, FURTHEST, f"scenario {scenario}")
        except ValueError as error:
            raise NoRoutesError(f"route_length={self._length:g} m: {error}") from None

    @property
    def fixed(self) -> bool:
        """Whether the routes come from a file."""
        return self._fixed is not None
