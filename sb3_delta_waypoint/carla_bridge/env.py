"""``CarlaWaypoint-v0``: one car in CARLA, or in the loopback server that stands in for it."""

import multiprocessing.util
import os
import signal
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from sb3_delta_waypoint.carla_bridge.arguments import check_env_arguments
from sb3_delta_waypoint.carla_bridge.connection import Session
from sb3_delta_waypoint.carla_bridge.errors import CarlaError, SpawnPointOccupiedError
from sb3_delta_waypoint.carla_bridge.loopback import LoopbackServer
from sb3_delta_waypoint.carla_bridge.map_routes import MapRoutes
from sb3_delta_waypoint.carla_bridge.sensors import Camera, camera_spaces, cameras_of
from sb3_delta_waypoint.carla_bridge.stage import Stage
from sb3_delta_waypoint.carla_bridge.traffic import TRAFFIC_PATIENCE, TrafficOptions, traffic_options
from sb3_delta_waypoint.carla_bridge.weather import weather_parameters
from sb3_delta_waypoint.contract import CONTROL_DT, EGO_GROUPS, FAULT, GROUPS, TRAFFIC_GROUPS, check_groups
from sb3_delta_waypoint.driving.frames import Pose
from sb3_delta_waypoint.driving.measured_drive import MeasuredDrive
from sb3_delta_waypoint.driving.reward import TRAFFIC_REWARD
from sb3_delta_waypoint.driving.scenarios import scenario_seed
from sb3_delta_waypoint.driving.score import BLOCKED, COLLISION, GOAL, RUNNING, TIMEOUT
from sb3_delta_waypoint.envs.configuration import driving_config, reward_weights
from sb3_delta_waypoint.envs.drive_env import DriveEnv
from sb3_delta_waypoint.envs.resets import check_reset, scenario_of
from sb3_delta_waypoint.envs.spaces import NOBODY, action_space, observation_space
from sb3_delta_waypoint.maps.routes import Route
from sb3_delta_waypoint.messages import short_repr
from sb3_delta_waypoint.rendering.scene import Scene, pose

ATTEMPTS = 10
"""Maximum attempts to draw a random route with a free start before the map counts as occupied."""
MEASURED_GROUPS = tuple(name for name in TRAFFIC_GROUPS if name != "speed_limit")
"""The groups about others that the env gives with ``traffic``; a speed limit is observed only where it is asked for."""


class CarlaWaypointEnv(DriveEnv):
    """
    An env of one car in CARLA, with the observations, actions, rewards and metrics of ``ToyWaypoint-v0``.

    Without ``host`` and ``port`` the env starts its own loopback server, a kinematic stand-in for CARLA, and stops it at
    :meth:`close`. With them it uses a running server, which no other client may use at the same time. At :meth:`close`, at an
    exception that ends the program and at Ctrl-C, the spawned actors are destroyed, and the server's settings and weather are
    restored.

    ``reset(seed=s)`` plays scenario 0 of the base seed ``s``, and further resets play the next ones.
    ``reset(options={"scenario": g})`` plays scenario ``g``. The same seed and the same plans give the same trace.

    If the server dies, stalls, restarts or is taken over during an episode, the episode is truncated and does not count. Its
    info holds ``fault``, a description of what happened, but neither ``is_success`` nor ``episode_metrics``. The next
    ``reset`` connects again, with a new loopback server if it is the env's own, and plays the same scenario again.

    :param host: host of a running server; None for the env's own loopback server, or ``localhost`` if a port is given
    :param port: port of a running server; None for 2000
    :param town: a map that the server has, by name, or an OpenDRIVE file; None for the loaded map (on the loopback server, its
        own small town)
    :param routes: a file of routes (leaderboard 1.0, 2.0 or Bench2Drive ``.xml``, or ``.json``, see :mod:`~.route_file`);
        its routes in this town are driven in turn; None draws routes of ``route_length`` between spawn points
    :param weather: a preset of ``carla.WeatherParameters`` such as ``"HardRainNight"``, or its parameters by name; None for
        the weather in the file of routes, or else the server's
    :param cameras: rgb cameras by name, each with the parameters that differ from :class:`~.sensors.Camera`; they add the
        observations ``<name>`` uint8 ``(3, height, width)`` and ``<name>_valid`` float32 ``(1,)``
    :param traffic: numbers and behaviour of other road users that differ from :class:`~.traffic.TrafficOptions`; the expert
        yields to them, and the reward's weights are those of :data:`~.reward.TRAFFIC_REWARD`; None for an empty town whose
        lights are green
    :param observe: names of the observation groups, of :data:`~.contract.GROUPS`; None for ``state`` and ``route``, and with
        traffic also ``agents``, ``agents_valid`` and ``signal``. Without traffic these, and ``speed_limit``, say that there is
        none
    :param fps: ticks per simulated second, a multiple of 10, since the control step is 0.1 s
    :param blueprint: id of the vehicle's blueprint
    :param ends_at: events that end an episode, of :data:`~.events.EVENTS`; they cost as much as leaving the route
    :param blocked_time: seconds of standstill after which the car counts as blocked
    :param timeout: longest wait for the server [s]; loading a map may take six times as long
    :param render_mode: ``"human"``, ``"rgb_array"`` or None
    :param kwargs: arguments of :func:`~.configuration.driving_config`, as for ``ToyWaypoint-v0``; wheelbase and steering limit
        are taken from the vehicle, and with traffic its size, too
    :raises ImportError: if ``carla`` is not installed or of an unsupported version
    :raises CarlaError: if the server is absent, of another version, full, or has no routes: see :mod:`~.errors`
    :raises FileNotFoundError: if there is no such map or file of routes
    :raises ValueError: for arguments that are not accepted
    """

    drive: MeasuredDrive

    def __init__(
        self,
        host: str | None = None,
        port: int | None = None,
        town: str | Path | None = None,
        routes: str | Path | None = None,
        weather: str | Mapping[str, float] | None = None,
        cameras: Mapping[str, Mapping[str, float] | Camera] | None = None,
        traffic: Mapping[str, Any] | TrafficOptions | None = None,
        observe: Collection[str] | None = None,
        fps: float = 10.0,
        blueprint: str = "vehicle.lincoln.mkz_2020",
        ends_at: Collection[str] = ("collision", "blocked"),
        blocked_time: float = 180.0,
        timeout: float = 10.0,
        render_mode: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(render_mode)
        check_env_arguments(host, port, town, routes, blueprint, ends_at, fps, blocked_time, timeout)
        self._ticks, self._ends_at = round(CONTROL_DT * fps), frozenset(ends_at)
        self._blueprint, self._routes_file, self._blocked_time = blueprint, routes, blocked_time
        self._weather = weather_parameters(weather)
        self._cameras = cameras_of(cameras)
        self._traffic_options = traffic_options(traffic)
        if self._traffic_options is not None:
            kwargs["reward"] = reward_weights(kwargs.get("reward"), TRAFFIC_REWARD)
        config = driving_config(**kwargs)
        usual = EGO_GROUPS if self._traffic_options is None else EGO_GROUPS + MEASURED_GROUPS
        self.groups = check_groups(usual if observe is None else observe, GROUPS)
        given = observation_space(self.groups).spaces | camera_spaces(self._cameras)
        self._given = tuple(given)
        self.observation_space = spaces.Dict(given)  # type: ignore[assignment]
        self.action_space = action_space(config)
        self._base_seed: int | None = None
        self._next_scenario = 0
        self._in_order = False
        self._observation: dict[str, np.ndarray] = {}

        self.server: LoopbackServer | None = None
        """The env's own server."""
        if host is None and port is None:
            self.server = LoopbackServer(map=town, fps=fps).start()
            host, port, town = self.server.host, self.server.port, None
        try:
            self.session = Session(
                host or "localhost", port or 2000, None if town is None else str(town), fps, bool(cameras), timeout
            )
        except BaseException:
            if self.server is not None:
                self.server.close()
            raise
        # runs at the end of the interpreter, and also of a worker process, which multiprocessing ends without atexit
        self._finalizer = multiprocessing.util.Finalize(self, _clean_up, (self.session, self.server), exitpriority=10)
        try:
            with self.session.lock:
                self._set_up(config)
        except BaseException:
            self.close()
            raise

    def _set_up(self, config: Any) -> None:
        """Set up the parts of the world that stay from one episode to the next."""
        session = self.session
        with session.calls():
            self.backend = "loopback" if session.is_loopback or self.server is not None else "carla"
            """Name of the simulator; a result on the loopback server is not a result on CARLA."""
        options = self._traffic_options
        if self.backend == "carla" and options is not None and options.behaviour is not None:
            raise ValueError(
                f"traffic: behaviour={short_repr(options.behaviour)}: CARLA's traffic manager drives the vehicles of "
                f"{session.host}:{session.port}; leave behaviour out, or use the loopback server"
            )
        self._source = MapRoutes(session.map, self._routes_file, config.route_length)
        self._populate()
        ego = self._stage.ego
        model = ego.model
        vehicle = config.vehicle._replace(wheelbase=model.wheelbase, max_steer=min(config.vehicle.max_steer, model.max_steer))
        if options is not None:
            length, width = 2.0 * ego.half_length, 2.0 * ego.half_width
            vehicle = vehicle._replace(length=length, width=width, rear_overhang=length - ego.front)
        self.drive = MeasuredDrive(replace(config, vehicle=vehicle))
        """The car's route, state, totals and metrics."""

    def _populate(self) -> None:
        managed = self.backend == "carla"
        self._stage = Stage(self.session, self._blueprint, self._cameras, self._traffic_options, managed, self._blocked_time)

    # ------------------------------------------------------------------ reset

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """
        Begin an episode, on a new connection if the last one was lost.

        :param seed: base seed of the scenarios, which then start from number 0; None to go on to the next
        :param options: ``{"scenario": g}`` plays scenario ``g`` and does not change the order of the others
        :return: observation and ``{"scenario": number, "route": name}``
        :raises ValueError: for another option, or a value that is not a scenario number
        :raises ClosedEnvironmentError: after :meth:`close`
        :raises CarlaError: if the server is lost and does not return in time, or the start of a fixed route is occupied
        """
        if not self._finalizer.still_active():
            raise gym.error.ClosedEnvironmentError("the env is closed: make a new one")
        scenario = scenario_of(options)
        super().reset(seed=seed)
        if seed is not None or self._base_seed is None:
            self._base_seed = int(self.np_random.integers(2**62)) if seed is None else int(seed) % 2**63
            self._next_scenario = 0
        self._in_order = scenario is None
        number = self._next_scenario if scenario is None else scenario
        self._begin(number)
        self._next_scenario += self._in_order
        self._begin_episode()
        return self._observed(), {"scenario": number, "route": self._route.name}

    def _begin(self, scenario: int) -> None:
        """Begin a scenario; if the server turns out to be lost, try again once with a new connection."""
        for last in (False, True):
            try:
                with self.session.lock:
                    if not self.session.connected:
                        self._reconnect()
                    self._set_out(scenario)
                return
            except SpawnPointOccupiedError:
                raise
            except CarlaError as error:
                self.session.drop(str(error))
                if last:
                    raise

    def _reconnect(self) -> None:
        if self.server is not None:
            # a stopped process would not react to SIGTERM
            os.kill(self.server.pid, signal.SIGKILL)
            self.server.close()
            self.server.start()
            self.session.port = self.server.port
        self.session.connect()
        self._populate()

    def _set_out(self, scenario: int) -> None:
        assert self._base_seed is not None
        stage = self._stage
        self.session.begin()
        for attempt in range(ATTEMPTS):
            self._route: Route = self._source.route(self._base_seed, scenario, attempt)
            seed = int(scenario_seed(self._base_seed, scenario))
            self.drive.begin(self._route.points, self._route.speeds, seed, scenario, self._source.longest)
            car = self.drive.cars[0]
            heights = self._route.height_at(np.arange(float(len(self.drive.route))))
            try:
                stage.ego.place(self._pose, float(heights[0]), float(car["speed"]), float(car["steer"]), self._route.name)
                break
            except SpawnPointOccupiedError:
                if self._source.fixed or attempt == ATTEMPTS - 1:
                    raise
        if self._traffic_options is not None:
            car["max_steps"] += round(TRAFFIC_PATIENCE / CONTROL_DT)
        measurement, snapshot = stage.begin(seed, self._pose, self.drive.route, heights, self._wanted_weather())
        self.drive.settle(measurement)
        others, hazards = stage.look(self.drive, snapshot)
        self._observation = self.drive.settle(measurement, hazards) | others

    def _observed(self) -> dict[str, np.ndarray]:
        found = self._observation
        return {name: found[name] if name in found else NOBODY[name].copy() for name in self._given}

    def _wanted_weather(self) -> Any:
        """The requested weather, else the weather at the start of the route, if it has any."""
        if self._weather is None and self._route.weather:
            return weather_parameters(self._route.weather[0].parameters)
        return self._weather

    # ------------------------------------------------------------------- step

    def step(self, action: np.ndarray) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        """
        Track a plan for one control step of 0.1 s.

        :param action: float32 ``(H, 2)``, metres, ego frame
        :return: observation, reward, terminated, truncated and info; at the end of an episode the info holds
            ``is_success``, ``scenario`` and ``episode_metrics``, or ``fault`` and ``scenario``
        :raises ValueError: for another shape, or a value that is not finite or outside the action space
        :raises ResetNeeded: if no episode is running
        """
        check_reset(self._running)
        self._show_plans(action)
        try:
            with self.session.lock:
                reward, self._outcome = self._advance(action)
        except CarlaError as error:
            return self._broken_off(error)
        info: dict[str, Any] = {}
        if self._outcome:
            self._running = False
            info["is_success"] = self._outcome == GOAL
            info["scenario"] = int(self.drive.cars[0]["scenario"])
            info["episode_metrics"] = self.drive.metrics(self._outcome) | {
                name: float(count) for name, count in self._stage.events.counts.items()
            }
        self._has_moved()
        ended = self._outcome != RUNNING
        return self._observed(), reward, ended and self._outcome != TIMEOUT, self._outcome == TIMEOUT, info

    def _advance(self, action: np.ndarray) -> tuple[float, int]:
        """Make one control step in the server; return reward and outcome."""
        drive, stage, ego = self.drive, self._stage, self._stage.ego
        car = drive.cars[0]
        angle, acceleration = drive.command(action)
        progress = float(car["progress"])
        ego.control(angle, acceleration, float(car["speed"]), float(car["acceleration"]))
        for _ in range(self._ticks):
            self.session.tick()
        measurement, snapshot = ego.measure()
        drive.move(measurement)
        red = stage.signals.red(stage.events.lines)
        tangent = drive.routes[0, car["index"]]
        collisions = ego.collisions()
        happened = stage.events.update(car, ego.height, tangent, progress, collisions, red)
        event = RUNNING
        if happened and not self._ends_at.isdisjoint(happened):
            event = COLLISION if "blocked" not in happened else BLOCKED
        others, hazards = stage.look(drive, snapshot)
        surroundings = stage.surroundings(drive, progress, collisions)
        self._observation, reward, outcome = drive.judge(event, hazards, surroundings)
        self._observation |= others
        return reward, outcome

    def _broken_off(self, error: CarlaError) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        """End an episode whose server is lost: it does not count, and its scenario is played again."""
        self.session.drop(str(error))
        self._running = False
        self._next_scenario -= self._in_order
        fault = f"{type(error).__name__}: {error}"
        gym.logger.warn(f"an episode was broken off: {fault}")
        return self._observed(), 0.0, False, True, {FAULT: fault, "scenario": int(self.drive.cars[0]["scenario"])}

    def _scene(self) -> Scene:
        return self._stage.fill(super()._scene(), self.drive.route)

    @property
    def height(self) -> float:
        """Height of the car, as last measured [m]."""
        return self._stage.ego.height

    @property
    def _pose(self) -> Pose:
        return pose(self.drive, 0)

    def close(self) -> None:
        """Restore the server, or stop it if it is the env's own. A second call has no effect."""
        super().close()
        if self._finalizer.still_active():
            self._finalizer()


def _clean_up(session: Session, server: LoopbackServer | None) -> None:
    session.close()
    if server is not None:
        server.close()
