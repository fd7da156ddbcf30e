"""Other road users: spawned for each episode, observed, and where they are in the way, yielded to."""

import math
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import numpy as np

from sb3_delta_waypoint.bounds import Bounds, check_parameters
from sb3_delta_waypoint.carla_bridge.connection import Session
from sb3_delta_waypoint.driving.frames import Pose
from sb3_delta_waypoint.driving.yielding import AGENT, PEDESTRIAN, VEHICLE
from sb3_delta_waypoint.maps.carla_frame import pose_of, transform_of, vector_of
from sb3_delta_waypoint.messages import short_repr

CLEARANCE, CROSSING_CLEARANCE = 20.0, 35.0
"""No vehicle is put nearer to the start of the route than this, and no pedestrian crosses it nearer [m]."""
BESIDE = 4.5
"""Pedestrians wait this far beside the middle of the lane [m]."""
WALKING_SPEED = 1.4
"""[m/s]"""
STEP_OUT = (30.0, 45.0)
"""A pedestrian sets out when the car is this near, drawn between these [m]."""
TRAFFIC_PATIENCE = 60.0
"""An episode in traffic may take so much longer [s]."""
LIFT = 0.3
"""They are put down from this height [m]."""


class TrafficOptions(NamedTuple):
    """How many others there are, at most: each needs room."""

    vehicles: Annotated[int, Bounds(0, 1000, whole=True)] = 8
    """They follow the lanes: by the loopback server, or by CARLA's traffic manager."""
    pedestrians: Annotated[int, Bounds(0, 1000, whole=True)] = 3
    """They cross the route when the car comes near."""


def traffic_options(given: Mapping[str, int] | TrafficOptions | None) -> TrafficOptions | None:
    """
    :param given: what differs from :class:`TrafficOptions`, or None
    :return: the options, None for None
    :raises ValueError: for an unknown key, or a number that is not accepted
    """
    if given is None:
        return None
    if not isinstance(given, Mapping | TrafficOptions):
        raise ValueError(f"traffic={short_repr(given)}: expected a mapping of names to numbers, or TrafficOptions")
    values = given if isinstance(given, Mapping) else given._asdict()
    unknown = [key for key in values if key not in TrafficOptions._fields]
    if unknown:
        raise ValueError(
            f"traffic={short_repr(given)}: {unknown[0]!r} is unknown; accepted are {', '.join(TrafficOptions._fields)}"
        )
    options = TrafficOptions(**values)
    check_parameters("traffic", options)
    return options


class _Walker(NamedTuple):
    distance: float
    """Of its crossing on the route [m]."""
    step_out: float
    direction: Any


class Traffic:
    """
    The other road users of a session.

    :param session: a connected session
    :param options: how many
    :param managed: whether CARLA's traffic manager drives the vehicles, or else the server itself does
    """

    def __init__(self, session: Session, options: TrafficOptions, managed: bool):
        self._session, self._options = session, options
        self._sizes: dict[str, tuple[float, float]] = {}
        with session.calls():
            library = session.library
            self._cars = sorted(b.id for b in library.filter("vehicle.*") if _is_car(b))
            self._people = sorted(b.id for b in library.filter("walker.pedestrian.*"))
            if managed:
                session.manage_traffic()
        self._agents: dict[int, tuple[float, float, float]] = {}  # length, width, kind
        self._waiting: dict[int, _Walker] = {}

    def begin(self, seed: int, start: Pose, route: np.ndarray, heights: np.ndarray) -> None:
        """
        Put everybody where a scenario has them.

        :param seed: of the scenario
        :param start: of the car's route
        :param route: records of :data:`~.records.ROUTE_POINT`
        :param heights: of these points [m]
        """
        session, rng = self._session, np.random.default_rng(seed)
        with session.calls():
            if session.manager is not None:
                session.manager.release()
            session.destroy(list(self._agents))
            self._agents, self._waiting = {}, {}
            places = session.map.get_spawn_points()
            for index in rng.permutation(len(places)):
                if len(self._agents) == self._options.vehicles:
                    break
                x, y, _ = pose_of(places[index])
                kind = self._cars[rng.integers(len(self._cars))]
                if math.hypot(x - start[0], y - start[1]) > CLEARANCE:
                    self._spawn(kind, places[index], VEHICLE)
            if session.manager is not None:
                session.manager.drive(list(self._agents), seed % 2**31)
            for _ in range(self._options.pedestrians):
                self._place_walker(rng, route, heights)

    def _place_walker(self, rng: np.random.Generator, route: np.ndarray, heights: np.ndarray) -> None:
        distance, step_out = (
            rng.uniform(CROSSING_CLEARANCE, max(len(route) - 5.0, CROSSING_CLEARANCE + 1.0)),
            rng.uniform(*STEP_OUT),
        )
        side, kind = rng.choice([-1.0, 1.0]), self._people[rng.integers(len(self._people))]
        index = min(int(distance), len(route) - 1)
        point = route[index]
        x, y = point["x"] - side * BESIDE * point["sin"], point["y"] + side * BESIDE * point["cos"]
        across = (side * float(point["sin"]), -side * float(point["cos"]))
        place = transform_of((float(x), float(y), math.atan2(across[1], across[0])), float(heights[index]) + 1.0)
        number = self._spawn(kind, place, PEDESTRIAN)
        if number is not None:
            self._waiting[number] = _Walker(distance, step_out, vector_of(*across))

    def _spawn(self, kind: str, place: Any, agent_kind: float) -> int | None:
        session = self._session
        blueprint = session.library.find(kind)
        if agent_kind == VEHICLE:
            blueprint.set_attribute("role_name", "autopilot")
        place.location.z += LIFT
        actor = session.spawn(blueprint, place)
        if actor is None:
            return None
        if kind not in self._sizes:
            extent = actor.bounding_box.extent
            self._sizes[kind] = 2.0 * extent.x, 2.0 * extent.y
        number: int = actor.id
        self._agents[number] = (*self._sizes[kind], agent_kind)
        return number

    def walk(self, progress: float) -> None:
        """
        Let pedestrians step out; they walk on.

        :param progress: of the car on its route [m]
        """
        import carla

        for number, walker in list(self._waiting.items()):
            if walker.distance - progress < walker.step_out:
                control = carla.WalkerControl(walker.direction, WALKING_SPEED, False)
                self._session.actor(number).apply_control(control)
                del self._waiting[number]

    def agents(self, snapshot: Any) -> np.ndarray:
        """
        :param snapshot: ``carla.WorldSnapshot``
        :return: records of :data:`~.yielding.AGENT`
        """
        rows = []
        for number, (length, width, kind) in self._agents.items():
            actor = snapshot.find(number)
            if actor is not None:
                velocity = actor.get_velocity()
                x, y, yaw = pose_of(actor.get_transform())
                rows.append((x, y, yaw, math.hypot(velocity.x, velocity.y), length, width, kind))
        return np.array(rows, AGENT)


def _is_car(blueprint: Any) -> bool:
    return bool(blueprint.has_attribute("base_type")) and blueprint.get_attribute("base_type") == "car"
