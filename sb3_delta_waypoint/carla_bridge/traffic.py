"""Other road users in CARLA: spawning them for each episode, moving pedestrians, and observing them."""

import math
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import numpy as np

from sb3_delta_waypoint.bounds import Bounds, check_parameters
from sb3_delta_waypoint.carla_bridge.connection import Session
from sb3_delta_waypoint.driving.agents.behaviour import BEHAVIOURS, shares_of
from sb3_delta_waypoint.driving.agents.walkers import may_stop
from sb3_delta_waypoint.driving.frames import Pose
from sb3_delta_waypoint.driving.records import AGENT, PEDESTRIAN, VEHICLE
from sb3_delta_waypoint.maps.carla_frame import pose_of, transform_of, vector_of
from sb3_delta_waypoint.messages import short_repr

CLEARANCE, CROSSING_CLEARANCE = 20.0, 35.0
"""Least distance of other vehicles, and of pedestrians' crossings, from the start of the route [m]."""
BESIDE = 4.5
"""Distance from the middle of the lane at which pedestrians wait [m]."""
APART = 0.25
"""Pedestrians from the left cross this far ahead of their place, others before it: they do not walk into each other [m]."""
WAY = 13.0
"""Length of their way on which there may be lanes [m]."""
EXPECTED_BRAKING = 3.0
"""Deceleration that pedestrians expect of vehicles [m/s²]."""
AUTOPILOT = "autopilot"
"""The ``role_name`` of vehicles that the server drives; the loopback server takes ``autopilot:<behaviour>``, too."""
WALKING_SPEED = 1.4
"""Speed of pedestrians [m/s]."""
STEP_OUT = (30.0, 45.0)
"""Range from which the distance of the car is drawn at which a pedestrian steps out [m]."""
TRAFFIC_PATIENCE = 60.0
"""Additional time limit of an episode in traffic [s]."""
LIFT = 0.3
"""Height above the road from which actors are dropped when they are placed [m]."""


class TrafficOptions(NamedTuple):
    """Largest numbers of other road users; fewer are spawned where there is no room."""

    vehicles: Annotated[int, Bounds(0, 1000, whole=True)] = 8
    """Vehicles, which follow the lanes, driven by the loopback server or by CARLA's traffic manager."""
    pedestrians: Annotated[int, Bounds(0, 1000, whole=True)] = 3
    """Pedestrians, which cross the route when the car comes near, as long as everybody can still stop."""
    behaviour: Mapping[str, float] | None = None
    """
    Names of :data:`SERVED_BEHAVIOURS` and their shares of the scenarios, on the loopback server; None for ``mixed`` there. The
    traffic manager of another server has its own.
    """


SERVED_BEHAVIOURS = tuple(name for name, one in BEHAVIOURS.items() if not (one.deaf or one.inserted))
"""Behaviours of vehicles on the loopback server, where nobody changes lanes."""


def traffic_options(given: Mapping[str, Any] | TrafficOptions | None) -> TrafficOptions | None:
    """
    Make the options of an env's traffic.

    :param given: the options that differ from :class:`TrafficOptions`, or None; ``behaviour`` is a name, or a mapping of names
        to weights
    :return: the options, or None if none are given
    :raises ValueError: for an unknown key or behaviour, or a number that is not accepted
    """
    if given is None:
        return None
    if not isinstance(given, Mapping | TrafficOptions):
        raise ValueError(f"traffic={short_repr(given)}: expected a mapping of names to numbers, or TrafficOptions")
    values = dict(given) if isinstance(given, Mapping) else given._asdict()
    unknown = [key for key in values if key not in TrafficOptions._fields]
    if unknown:
        raise ValueError(
            f"traffic={short_repr(given)}: {unknown[0]!r} is unknown; accepted are {', '.join(TrafficOptions._fields)}"
        )
    if (behaviour := values.get("behaviour")) is not None:
        values["behaviour"] = shares = shares_of(behaviour)
        if unserved := [name for name in shares if name not in SERVED_BEHAVIOURS]:
            raise ValueError(
                f"traffic: behaviour={short_repr(unserved[0])} exists in TrafficWaypoint-v0 only; accepted are "
                f"{', '.join(SERVED_BEHAVIOURS)}"
            )
    options = TrafficOptions(**values)
    check_parameters("traffic", options)
    return options


class _Walker(NamedTuple):
    distance: float
    """Arc length of its crossing on the route [m]."""
    step_out: float
    start: tuple[float, float]
    across: tuple[float, float]
    """Where it waits [m], and the unit vector of its way, world frame."""


class Traffic:
    """
    The other road users of a session.

    :param session: a connected session
    :param options: their numbers
    :param managed: whether CARLA's traffic manager drives the vehicles, rather than the server
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
        self._waiting: dict[int, _Walker] = {}
        self._role = AUTOPILOT
        self._spawned: list[tuple[float, float, float]] = []  # length, width, kind
        self.numbers: list[int] = []
        """Ids of the actors."""
        self.agents = self.before = np.zeros(0, AGENT)
        """States of these actors in the last snapshot and in the one before: records of :data:`~.records.AGENT`."""

    def begin(self, seed: int, start: Pose, route: np.ndarray, heights: np.ndarray) -> None:
        """
        Place the road users of a scenario.

        :param seed: seed of the scenario
        :param start: pose of the start of the car's route
        :param route: records of :data:`~.records.ROUTE_POINT`
        :param heights: heights of these points [m]
        """
        session, rng = self._session, np.random.default_rng(seed)
        with session.calls():
            if session.manager is not None:
                session.manager.release()
            session.destroy(self.numbers)
            self.numbers, self._waiting, self._spawned = [], {}, []
            shares = self._options.behaviour
            if shares is not None:
                # of its own, so that everybody starts in the same place whatever the behaviour
                drawn = np.random.default_rng((seed, len(shares))).choice(list(shares), p=list(shares.values()))
                self._role = f"{AUTOPILOT}:{drawn}"
            places = session.map.get_spawn_points()
            for index in rng.permutation(len(places)):
                if len(self.numbers) == self._options.vehicles:
                    break
                x, y, _ = pose_of(places[index])
                kind = self._cars[rng.integers(len(self._cars))]
                if math.hypot(x - start[0], y - start[1]) > CLEARANCE:
                    self._spawn(kind, places[index], VEHICLE)
            if session.manager is not None:
                session.manager.drive(list(self.numbers), seed % 2**31)
            for _ in range(self._options.pedestrians):
                self._place_walker(rng, route, heights)
        self.agents = np.zeros(len(self.numbers), AGENT)
        for column, name in enumerate(("length", "width", "kind")):
            self.agents[name] = [one[column] for one in self._spawned]
        self.before = self.agents.copy()

    def _place_walker(self, rng: np.random.Generator, route: np.ndarray, heights: np.ndarray) -> None:
        distance, step_out = (
            rng.uniform(CROSSING_CLEARANCE, max(len(route) - 5.0, CROSSING_CLEARANCE + 1.0)),
            rng.uniform(*STEP_OUT),
        )
        side, kind = rng.choice([-1.0, 1.0]), self._people[rng.integers(len(self._people))]
        index = min(int(distance), len(route) - 1)
        point = route[index]
        x = point["x"] - side * (BESIDE * point["sin"] - APART * point["cos"])
        y = point["y"] + side * (BESIDE * point["cos"] + APART * point["sin"])
        across = (side * float(point["sin"]), -side * float(point["cos"]))
        place = transform_of((float(x), float(y), math.atan2(across[1], across[0])), float(heights[index]) + 1.0)
        number = self._spawn(kind, place, PEDESTRIAN)
        if number is not None:
            self._waiting[number] = _Walker(distance, step_out, (float(x), float(y)), across)

    def _spawn(self, kind: str, place: Any, agent_kind: float) -> int | None:
        session = self._session
        blueprint = session.library.find(kind)
        if agent_kind == VEHICLE:
            blueprint.set_attribute("role_name", self._role)
        place.location.z += LIFT
        actor = session.spawn(blueprint, place)
        if actor is None:
            return None
        if kind not in self._sizes:
            extent = actor.bounding_box.extent
            self._sizes[kind] = 2.0 * extent.x, 2.0 * extent.y
        number: int = actor.id
        self.numbers.append(number)
        self._spawned.append((*self._sizes[kind], agent_kind))
        return number

    def walk(self, progress: float, speed: float, front: float) -> None:
        """
        Let pedestrians step out when the car is near and everybody can still stop. They then keep walking.

        :param progress: arc length of the car on its route [m]
        :param speed: speed of the car [m/s]
        :param front: distance from its reference point to its front bumper [m]
        """
        import carla

        for number, walker in list(self._waiting.items()):
            left = walker.distance - progress
            if left < walker.step_out and may_stop(left - front, speed, EXPECTED_BRAKING) and self._gives_way(walker):
                control = carla.WalkerControl(vector_of(*walker.across), WALKING_SPEED, False)
                self._session.actor(number).apply_control(control)
                del self._waiting[number]

    def _gives_way(self, walker: _Walker) -> bool:
        """Whether no other vehicle stands on a pedestrian's way, or is too close to stop before it."""
        others = self.agents[self.agents["present"] & (self.agents["kind"] == VEHICLE)]
        cos, sin = np.cos(others["yaw"]), np.sin(others["yaw"])
        dx, dy = others["x"] - walker.start[0], others["y"] - walker.start[1]
        along = dx * walker.across[0] + dy * walker.across[1]
        # to the place on its way that is nearest to each
        left = -((dx - along * walker.across[0]) * cos + (dy - along * walker.across[1]) * sin) - 0.5 * others["length"]
        near = (along > -BESIDE) & (along < WAY) & (left > -others["length"])
        return all(
            may_stop(float(gap), float(speed), EXPECTED_BRAKING)
            for gap, speed in zip(left[near], others["speed"][near], strict=True)
        )

    def see(self, snapshot: Any) -> None:
        """
        Take the states of the other road users from a snapshot.

        :param snapshot: ``carla.WorldSnapshot``
        """
        self.before = self.agents.copy()
        for agent, number in zip(self.agents, self.numbers, strict=True):
            actor = snapshot.find(number)
            agent["present"] = actor is not None
            if actor is not None:
                velocity = actor.get_velocity()
                agent["x"], agent["y"], agent["yaw"] = pose_of(actor.get_transform())
                agent["speed"] = math.hypot(velocity.x, velocity.y)


def _is_car(blueprint: Any) -> bool:
    return bool(blueprint.has_attribute("base_type")) and blueprint.get_attribute("base_type") == "car"
