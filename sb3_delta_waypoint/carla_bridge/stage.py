"""The contents of a server's world that an env controls: the car and its sensors, traffic, lights and weather."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from sb3_delta_waypoint.carla_bridge.connection import Session
from sb3_delta_waypoint.carla_bridge.ego import Ego
from sb3_delta_waypoint.carla_bridge.events import EventMonitor
from sb3_delta_waypoint.carla_bridge.sensors import Camera, Cameras
from sb3_delta_waypoint.carla_bridge.signals import Signals
from sb3_delta_waypoint.carla_bridge.surroundings import Surroundings
from sb3_delta_waypoint.carla_bridge.traffic import Traffic, TrafficOptions
from sb3_delta_waypoint.driving.frames import Pose
from sb3_delta_waypoint.driving.measured_drive import NO_HAZARDS, MeasuredDrive, Measurement
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
        self._surroundings: Surroundings | None = None
        self.signals = Signals(session, frozen=options is None)
        self.ego = ego = Ego(session, blueprint)
        self._cameras = Cameras(session, ego.id, ego.model.rear_axle, cameras)
        self.events = EventMonitor(session.map, ego.half_width, ego.model.wheelbase, ego.front, blocked_time)
        if options is not None:
            self._surroundings = Surroundings(Traffic(session, options, managed), self.signals, ego, self.events)

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
        if self._surroundings is not None:
            # after the car has moved, which might have stood in the place of another road user
            self._surroundings.begin(seed, start, route, heights)
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
        if self._surroundings is not None:
            found, hazards = self._surroundings.look(drive, snapshot)
        return found | self._cameras.observe(snapshot.frame), hazards

    def fill(self, scene: Scene, route: np.ndarray) -> Scene:
        """
        Add what is around the car to the scene of a picture; see :meth:`~.surroundings.Surroundings.fill`.

        :param scene: scene of the car and its route
        :param route: records of :data:`~sb3_delta_waypoint.driving.records.ROUTE_POINT`
        :return: the scene; without traffic it is the same
        """
        return scene if self._surroundings is None else self._surroundings.fill(scene, route)
