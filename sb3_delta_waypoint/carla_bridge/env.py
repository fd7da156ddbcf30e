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
from sb3_delta_waypoint.driving.scenarios import scenario_seed
from sb3_delta_waypoint.driving.score import BLOCKED, COLLISION, GOAL, RUNNING, TIMEOUT
from sb3_delta_waypoint.envs.configuration import driving_config
from sb3_delta_waypoint.envs.drive_env import DriveEnv
from sb3_delta_waypoint.envs.resets import check_reset, scenario_of
from sb3_delta_waypoint.envs.spaces import NOBODY, action_space, observation_space
from sb3_delta_waypoint.maps.routes import Route
from sb3_delta_waypoint.rendering.scene import pose

ATTEMPTS = 10
"""So many random routes are drawn before the map counts as occupied."""


class CarlaWaypointEnv(DriveEnv):
    """
    A car follows a route by plans, as in ``ToyWaypoint-v0``: the same observations, actions, rewards and metrics.

    Without ``host`` and ``port`` it starts a loopback server of its own, a kinematic stand-in for CARLA, and stops it at
    :meth:`close`. With them it drives a real server, which nobody else may use meanwhile; at :meth:`close`, at an exception
    that ends the program and at Ctrl-C, what was spawned is destroyed, and the server's settings and weather are put back.

    ``reset(seed=s)`` plays scenario 0 of ``s``, further resets play the next ones; ``reset(options={"scenario": g})`` replays
    scenario ``g``. The same seed and the same plans give the same trace.

    If the server dies, stalls, restarts or is taken over in mid-episode, the episode ends truncated with ``info["fault"]``
    (what happened) and without ``is_success`` and ``episode_metrics``: it does not count. The next ``reset`` connects again,
    with a fresh loopback server if it is the env's own, and plays the same scenario again.

    :param host: of a running server; None for the env's own loopback server, or ``localhost`` where a port is given
    :param port: of a running server; None for 2000
    :param town: a map that the server has, by name, or an OpenDRIVE file; None for the one that is loaded (of the loopback
        server: its own small town)
    :param routes: a file of routes: leaderboard 1.0, 2.0 or Bench2Drive ``.xml``, or ``.json`` (see :mod:`~.route_file`), of
        which those in this town are driven in turn; None draws routes of ``route_length`` between spawn points
    :param weather: a preset of ``carla.WeatherParameters`` such as ``"HardRainNight"``, or its parameters by name; None for
        that of the route's file, or the server's
    :param cameras: rgb cameras by name, each with what differs from :class:`~.sensors.Camera`: observations ``<name>`` uint8
        ``(3, height, width)`` and ``<name>_valid`` float32 ``(1,)``
    :param traffic: numbers of other road users that differ from :class:`~.traffic.TrafficOptions`, to whom the expert yields;
        None for an empty town whose lights are green
    :param observe: names of the observation groups that are given, of :data:`~.contract.GROUPS`; None for ``state`` and
        ``route``, with traffic for ``agents``, ``agents_valid`` and ``signal``, too. Without traffic these say that there is
        nobody
    :param fps: ticks per simulated second, a multiple of 10: the control step is 0.1 s
    :param blueprint: the vehicle
    :param ends_at: events that end an episode, of :data:`~.events.EVENTS`; they cost what leaving the route costs
    :param blocked_time: who has not moved for so long is blocked [s]
    :param timeout: longest wait for the server [s]; loading a map may take six times as long
    :param render_mode: ``"human"``, ``"rgb_array"`` or None
    :param kwargs: what ``ToyWaypoint-v0`` takes, too: see :func:`~.configuration.driving_config`; wheelbase and steering limit
        are the vehicle's own
    :raises ImportError: if ``carla`` is not installed, or another version than this package knows
    :raises CarlaError: if the server is absent, of another version, full, or has no routes: see :mod:`~.errors`
    :raises FileNotFoundError: if there is no such map or file of routes
    :raises ValueError: for arguments that make no sense
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
        traffic: Mapping[str, int] | TrafficOptions | None = None,
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
        config = driving_config(**kwargs)
        usual = EGO_GROUPS if self._traffic_options is None else EGO_GROUPS + TRAFFIC_GROUPS
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
        # at the end of the interpreter and of a worker process, too, which multiprocessing ends without atexit
        self._finalizer = multiprocessing.util.Finalize(self, _clean_up, (self.session, self.server), exitpriority=10)
        try:
            with self.session.lock:
                self._set_up(config)
        except BaseException:
            self.close()
            raise

    def _set_up(self, config: Any) -> None:
        """Put into the world what stays there from one episode to the next."""
        session = self.session
        with session.calls():
            self.backend = "loopback" if session.is_loopback or self.server is not None else "carla"
            """What the env drives in; a result of the loopback server is not a result of CARLA."""
        self._source = MapRoutes(session.map, self._routes_file, config.route_length)
        self._populate()
        model = self._stage.ego.model
        vehicle = config.vehicle._replace(wheelbase=model.wheelbase, max_steer=min(config.vehicle.max_steer, model.max_steer))
        self.drive = MeasuredDrive(replace(config, vehicle=vehicle))
        """The car's route, state, totals and metrics: what ``simulation`` is to ``ToyWaypoint-v0``."""

    def _populate(self) -> None:
        managed = self.backend == "carla"
        self._stage = Stage(self.session, self._blueprint, self._cameras, self._traffic_options, managed, self._blocked_time)

    # ------------------------------------------------------------------ reset

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """
        Begin an episode, on a fresh connection if the last one was lost.

        :param seed: base seed of the scenarios, which then start from number 0; None to go on to the next
        :param options: ``{"scenario": g}`` plays scenario ``g`` and leaves the order of the others alone
        :return: observation and ``{"scenario": number, "route": name}``
        :raises ValueError: for another option, or a number that no scenario has
        :raises ClosedEnvironmentError: after :meth:`close`
        :raises CarlaError: if the server is gone and none comes back in time, or the start of a fixed route is occupied
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
        """Begin a scenario; if the server turns out to be lost, once more with a fresh connection."""
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
            # it may be stopped, and would not hear of a signal to end
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
        """The weather that was asked for, else that at the start of the route, if it has any."""
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
        """One control step in the server; reward and outcome."""
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
        happened = stage.events.update(car, ego.height, tangent, progress, ego.collisions(), red)
        event = RUNNING
        if happened and not self._ends_at.isdisjoint(happened):
            event = COLLISION if "blocked" not in happened else BLOCKED
        others, hazards = stage.look(drive, snapshot)
        self._observation, reward, outcome = drive.judge(event, hazards)
        self._observation |= others
        return reward, outcome

    def _broken_off(self, error: CarlaError) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        """The server is lost: the episode does not count, and its scenario is played again."""
        self.session.drop(str(error))
        self._running = False
        self._next_scenario -= self._in_order
        fault = f"{type(error).__name__}: {error}"
        gym.logger.warn(f"an episode was broken off: {fault}")
        return self._observed(), 0.0, False, True, {FAULT: fault, "scenario": int(self.drive.cars[0]["scenario"])}

    @property
    def height(self) -> float:
        """Of the car, as last measured [m]."""
        return self._stage.ego.height

    @property
    def _pose(self) -> Pose:
        return pose(self.drive, 0)

    def close(self) -> None:
        """Leave the server as it was found, or stop it if it is the env's own. Does nothing the second time."""
        super().close()
        if self._finalizer.still_active():
            self._finalizer()


def _clean_up(session: Session, server: LoopbackServer | None) -> None:
    session.close()
    if server is not None:
        server.close()
