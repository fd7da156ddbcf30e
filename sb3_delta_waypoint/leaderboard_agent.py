"""
An agent for the CARLA leaderboard 2.x and for Bench2Drive that drives by a model file.

The evaluators load the agent from this file and pass it a configuration, which is the model here::

    python leaderboard_evaluator.py --agent=…/sb3_delta_waypoint/leaderboard_agent.py --agent-config=best_model.zip --track=MAP

To import it, their ``leaderboard`` and ``scenario_runner`` folders must be on ``PYTHONPATH``.

The agent is localised by GNSS, IMU and speedometer through a Kalman filter (:mod:`~.carla_bridge.localisation`), never by the
simulator's own pose. The leaderboard gives a sparse plan; the line between its places is found on the OpenDRIVE map, which the
track ``MAP`` allows. Bench2Drive gives a dense plan, and the track is ``SENSORS``. The agent reads some constants from the
simulation: the physics control of the vehicle (wheelbase, steering limit, engine) and the geographic reference of the map.

The policy sees neither traffic nor traffic lights, so that it cannot handle scenarios with them, which lowers its score.
"""

import math
from typing import Any

import numpy as np

try:
    import carla
    from leaderboard.autoagents.autonomous_agent import AutonomousAgent, Track  # type: ignore[import-not-found]
    from srunner.scenariomanager.carla_data_provider import CarlaDataProvider  # type: ignore[import-not-found]
except ImportError as error:
    raise ImportError(
        f"{error}: the leaderboard agent runs inside the CARLA leaderboard or Bench2Drive; put their folders leaderboard and "
        "scenario_runner on PYTHONPATH"
    ) from error

from sb3_delta_waypoint.carla_bridge.localisation import Localiser, Projection, projection_through, yaw_of_compass
from sb3_delta_waypoint.carla_bridge.vehicle_control import Driver, model_of
from sb3_delta_waypoint.contract import CONTROL_DT
from sb3_delta_waypoint.driving.frames import ahead_of, mirrored
from sb3_delta_waypoint.driving.measured_drive import MeasuredDrive, Measurement
from sb3_delta_waypoint.envs.configuration import driving_config
from sb3_delta_waypoint.envs.spaces import observation_space
from sb3_delta_waypoint.maps.carla_frame import place_of, pose_of
from sb3_delta_waypoint.maps.lane_graph import LaneGraph
from sb3_delta_waypoint.maps.routes import route_through
from sb3_delta_waypoint.policies.inference import WaypointPolicy

SPACES: dict[str, Any] = observation_space().spaces
"""Spaces of the observations that this agent can give, by name."""
BEYOND_GOAL = 20.0
"""Length of the straight extension of the line behind the goal [m], without which the car would stop short of the goal."""


def get_entry_point() -> str:
    """
    Name the agent's class, for the evaluators.

    :return: the name of the class
    """
    return "WaypointAgent"


class WaypointAgent(AutonomousAgent):
    """An agent that drives by the plans of a planner (``.pt``) or of a refined model (``.zip``), one every 0.1 s."""

    def setup(self, path_to_conf_file: str) -> None:
        """
        Load the model and choose the track: ``SENSORS`` if the evaluator gives a dense plan (Bench2Drive), else ``MAP``.

        :param path_to_conf_file: the model file
        :raises FileNotFoundError: if there is no such file
        :raises ValueError: if it is not a model, or reads observations that the agent cannot give
        """
        import torch

        # networks this small gain nothing from a second thread
        torch.set_num_threads(1)
        self._policy = WaypointPolicy(path_to_conf_file)
        if unknown := [key for key in _reads(self._policy.module) if key not in SPACES]:
            raise ValueError(
                f"{path_to_conf_file} reads {', '.join(unknown)}; the leaderboard agent gives {' and '.join(SPACES)} only"
            )
        self.track = Track.SENSORS if self._dense_plan else Track.MAP
        self._drive: MeasuredDrive | None = None
        self._time = self._planned_at = -math.inf
        self._control = _standing()

    def sensors(self) -> list[dict[str, Any]]:
        """
        List the sensors of the agent.

        :return: their specifications, in the leaderboard's form
        """
        place = {"x": 0.0, "y": 0.0, "z": 0.0, "roll": 0.0, "pitch": 0.0, "yaw": 0.0}
        wanted: list[dict[str, Any]] = [
            {"type": "sensor.other.gnss", "id": "gnss", **place},
            {"type": "sensor.other.imu", "id": "imu", **place},
            {"type": "sensor.speedometer", "id": "speed"},
        ]
        if self.track == Track.MAP:
            wanted.append({"type": "sensor.opendrive_map", "id": "map", "reading_frequency": 1})
        return wanted

    def run_step(self, input_data: dict[str, tuple[int, Any]], timestamp: float) -> Any:
        """
        Compute the control for one tick.

        :param input_data: frame and data of each sensor, by its id
        :param timestamp: simulated time [s]
        :return: ``carla.VehicleControl``, which stays the same between two plans
        """
        if self._drive is None:
            vehicle = CarlaDataProvider.get_hero_actor()
            if vehicle is None or (self.track == Track.MAP and "map" not in input_data):
                return self._control
            self._set_out(vehicle, input_data)
        drive = self._drive
        assert drive is not None
        speed = max(float(input_data["speed"][1]["speed"] or 0.0), 0.0)
        _, _, _, _, _, turn, compass = input_data["imu"][1]
        yaw = yaw_of_compass(compass)
        x, y = self._project(*input_data["gnss"][1][:2])
        fix = ahead_of((x, y, yaw if math.isfinite(yaw) else self._localiser.yaw), self._driver.model.rear_axle)[:2]
        elapsed = timestamp - self._time if math.isfinite(self._time) else 0.0
        pose = self._localiser.update(fix, yaw, speed * elapsed)
        self._time = timestamp
        # tolerance of half a millisecond, since times are sums of ticks
        if timestamp - self._planned_at >= CONTROL_DT - 5e-4:
            self._control = self._plan(drive, Measurement(*pose, speed, mirrored(float(turn))))
            self._planned_at = timestamp
        return self._control

    def destroy(self) -> None:
        """Release the model and the route."""
        self._policy = self._drive = None  # type: ignore[assignment]

    @property
    def _dense_plan(self) -> list[Any]:
        """Bench2Drive's dense plan: latitudes and longitudes about every metre; empty on the leaderboard."""
        return getattr(self, "_plan_gps_HACK", None) or []

    def _set_out(self, vehicle: Any, input_data: dict[str, tuple[int, Any]]) -> None:
        """Find the line to drive along, and read the properties of the vehicle."""
        model = model_of(vehicle)
        plan = [transform for transform, _ in self._global_plan_world_coord]
        places = [pose_of(transform) for transform in plan]
        on_plan = projection_through(
            [(place["lat"], place["lon"]) for place, _ in self._global_plan], [(x, y) for x, y, _ in places]
        )
        if self._dense_plan:
            points = np.array([on_plan(place["lat"], place["lon"]) for place, _ in self._dense_plan])
            speeds = np.full(len(points), np.inf)
        else:
            lanes = LaneGraph(carla.Map("map", input_data["map"][1]["opendrive"]))
            locations = [(*place, transform.location.z) for place, transform in zip(places, plan, strict=True)]
            route = route_through(lanes, locations, "global plan")
            points, speeds = route.points, route.speeds
        last = points[-1] - points[np.linalg.norm(points - points[-1], axis=1) > 0.5][-1]
        points = np.vstack([points, points[-1] + BEYOND_GOAL * last / np.linalg.norm(last)])
        speeds = np.append(speeds, speeds[-1])

        config = driving_config(
            horizon_steps=self._policy.horizon_steps,
            plan_dt=self._policy.plan_dt,
            vehicle={"wheelbase": model.wheelbase, "max_steer": min(driving_config().vehicle.max_steer, model.max_steer)},
        )
        self._drive = MeasuredDrive(config)
        self._drive.begin(points, speeds, seed=0, scenario=0)
        self._drive.cars[0]["steer"] = 0.0
        self._driver = Driver(model)
        self._project = _sensor_projection() or on_plan
        # the evaluators put the car at the first place of the plan
        self._localiser = Localiser(ahead_of(places[0], model.rear_axle))

    def _plan(self, drive: MeasuredDrive, measurement: Measurement) -> Any:
        """Plan again, and turn the plan into pedals and steering wheel."""
        if math.isfinite(self._planned_at):
            drive.move(measurement)
            observation = drive.judge()[0]
        else:
            observation = drive.settle(measurement)
        # policies refuse observations outside their bounds, but a car far off its route must still drive
        within = {name: np.clip(values, SPACES[name].low, SPACES[name].high) for name, values in observation.items()}
        angle, acceleration = drive.command(self._policy(within))
        car = drive.cars[0]
        return self._driver.control(angle, acceleration, float(car["speed"]), float(car["acceleration"]))


def _reads(module: Any) -> list[str]:
    """Names of the observations that a policy or a planner reads."""
    space = getattr(module, "observation_space", None)
    return list(space.spaces) if space is not None else list(getattr(module, "observation_keys", SPACES))


def _sensor_projection() -> Projection | None:
    """
    The projection of the simulator's GNSS, or None if the client does not have it.

    The projection of CARLA 0.9.16 differs from that of the leaderboard's plans: latitudes grow southwards. Earlier clients do
    not have it, and their sensor follows the leaderboard's projection.
    """
    road_map = CarlaDataProvider.get_map()
    if not hasattr(road_map, "geolocation_to_transform"):
        return None

    def project(latitude: float, longitude: float) -> tuple[float, float]:
        return place_of(road_map.geolocation_to_transform(carla.GeoLocation(latitude, longitude, 0.0)))

    return project


def _standing() -> Any:
    """The control of a car that waits."""
    return carla.VehicleControl(throttle=0.0, steer=0.0, brake=1.0)
