"""The contents of a server's world that an env controls: the car and its sensors, traffic, lights and weather."""

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from sb3_delta_waypoint.carla_bridge.connection import Session, short_name
from sb3_delta_waypoint.carla_bridge.ego import Collision, Ego
from sb3_delta_waypoint.carla_bridge.events import EventMonitor
from sb3_delta_waypoint.carla_bridge.lookout import Lookout
from sb3_delta_waypoint.carla_bridge.sensors import Camera, Cameras
from sb3_delta_waypoint.carla_bridge.signals import Signals
from sb3_delta_waypoint.carla_bridge.traffic import Traffic, TrafficOptions
from sb3_delta_waypoint.driving.frames import Pose
from sb3_delta_waypoint.driving.lanes import Lanes
from sb3_delta_waypoint.driving.measured_drive import NO_HAZARDS, MeasuredDrive, Measurement
from sb3_delta_waypoint.driving.score import Surroundings
from sb3_delta_waypoint.maps.opendrive_lanes import lanes_of
from sb3_delta_waypoint.rendering.scene import Scene


class Stage:
    """
    The parts of the world that stay from one episode to the next.

    :param session: a connected session
    :param blueprint: id of the car's blueprint
    :param cameras: cameras of the car, by name
    :param options: numbers of other road users; None for an empty town whose lights are green
    :param managed: whether CARLA's traffic manager drives the other vehicles, rather than the server
    :param blocked_time: seconds of standstill after which the car counts as blocked
    """

    def __init__(
        self,
        session: Session,
        blueprint: str,
        cameras: Mapping[str, Camera],
        options: TrafficOptions | None,
        managed: bool,
        blocked_time: float,
    ):
        self._session = session
        self._weather: Any = None
        self._lookout: Lookout | None = None
        self.signals = Signals(session, frozen=options is None)
        self.ego = ego = Ego(session, blueprint)
        self._cameras = Cameras(session, ego.id, ego.model.rear_axle, cameras)
        self.events = EventMonitor(session.map, ego.half_width, ego.model.wheelbase, ego.front, blocked_time)
        if options is not None:
            traffic = Traffic(session, options, managed)
            self._lookout = Lookout(traffic, self.signals, ego, self.events, _lanes(session.map))

    def begin(self, seed: int, start: Pose, route: np.ndarray, heights: np.ndarray, weather: Any) -> tuple[Measurement, Any]:
        """
        Begin an episode whose car has been placed, and tick once.

        :param seed: seed of the scenario
        :param start: pose of the start of the car's route
        :param route: records of :data:`~sb3_delta_waypoint.driving.records.ROUTE_POINT`
        :param heights: heights of these points [m]
        :param weather: ``carla.WeatherParameters``, or None for no change
        :return: the measurement of the car, and ``carla.WorldSnapshot``
        """
        if self._lookout is not None:
            # after the car has moved, which might have stood in the place of another road user
            self._lookout.begin(seed, start, route, heights)
        if weather is not None and weather != self._weather:
            with self._session.calls():
                self._session.world.set_weather(weather)
            self._weather = weather
        self.events.reset(self.signals.begin(route, heights))
        self.ego.begin(self._session.tick())
        return self.ego.measure()

    def look(self, drive: MeasuredDrive, snapshot: Any) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """
        Observe what is around the car.

        :param drive: the drive of the car, measured at this tick
        :param snapshot: ``carla.WorldSnapshot`` of the same tick
        :return: the observations other than state and route, and the hazards to which the expert yields, records of
            :data:`~sb3_delta_waypoint.driving.yielding.HAZARD`
        """
        found: dict[str, np.ndarray] = {}
        hazards = NO_HAZARDS
        if self._lookout is not None:
            found, hazards = self._lookout.look(drive, snapshot)
        return found | self._cameras.observe(snapshot.frame), hazards

    def surroundings(
        self, drive: MeasuredDrive, progress_before: float, collisions: Iterable[Collision]
    ) -> Surroundings | None:
        """
        What counts in the score of a step; see :meth:`~.lookout.Lookout.surroundings`.

        :param drive: the drive of the car, measured at the tick of the last :meth:`look`
        :param progress_before: arc length of the car before the step [m]
        :param collisions: collisions reported during the step
        :return: the surroundings of the car; None without traffic
        """
        return None if self._lookout is None else self._lookout.surroundings(drive, progress_before, collisions)

    def fill(self, scene: Scene, route: np.ndarray) -> Scene:
        """
        Add what is around the car to the scene of a picture; see :meth:`~.lookout.Lookout.fill`.

        :param scene: scene of the car and its route
        :param route: records of :data:`~sb3_delta_waypoint.driving.records.ROUTE_POINT`
        :return: the scene; without traffic it is the same
        """
        return scene if self._lookout is None else self._lookout.fill(scene, route)


def _lanes(road_map: Any) -> Lanes | None:
    """The lanes of a ``carla.Map``, or None with a warning if they cannot be read, although the map can be driven on."""
    try:
        return lanes_of(short_name(road_map.name), road_map.to_opendrive())
    except ValueError as error:
        warnings.warn(f"drivable area and lanes are scored as a strip about the route, since {error}", stacklevel=2)
        return None
