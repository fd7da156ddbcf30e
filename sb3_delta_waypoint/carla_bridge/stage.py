"""What an env puts into the world of a server: the car with its sensors, other road users, lights, weather."""

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


class Stage:
    """
    Everything that stays in the world from one episode to the next.

    :param session: a connected session
    :param blueprint: id of the car's blueprint
    :param cameras: of the car, by name
    :param options: numbers of other road users; None for an empty town whose lights are green
    :param managed: whether CARLA's traffic manager drives the others, or else the server itself does
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
        Begin an episode whose car is in its place, and tick once.

        :param seed: of the scenario
        :param start: of the car's route
        :param route: records of :data:`~sb3_delta_waypoint.driving.records.ROUTE_POINT`
        :param heights: of these points [m]
        :param weather: ``carla.WeatherParameters``, or None to leave it as it is
        :return: where the car is, and ``carla.WorldSnapshot``
        """
        if self._surroundings is not None:
            # after the car, which might stand where somebody is put
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
        :param drive: the car, measured
        :param snapshot: ``carla.WorldSnapshot`` of the same tick
        :return: what is observed besides state and route; and what the expert yields to, records of
            :data:`~sb3_delta_waypoint.driving.yielding.HAZARD`
        """
        found: dict[str, np.ndarray] = {}
        hazards = NO_HAZARDS
        if self._surroundings is not None:
            found, hazards = self._surroundings.look(drive, snapshot)
        return found | self._cameras.observe(snapshot.frame), hazards
