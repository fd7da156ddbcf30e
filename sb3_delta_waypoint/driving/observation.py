"""Observations: a writer for each group of :data:`~.contract.GROUPS`."""

import math
from typing import NamedTuple

import numpy as np

from sb3_delta_waypoint.contract import GROUPS, OBSERVED_AGENTS, POSITION_BOUND, ROUTE_POINTS, ROUTE_SPACING
from sb3_delta_waypoint.driving.frames import to_ego
from sb3_delta_waypoint.driving.kernels import inlined
from sb3_delta_waypoint.driving.records import Record
from sb3_delta_waypoint.driving.world import World

_STATE, _ROUTE = GROUPS["state"].shape, GROUPS["route"].shape
_AGENT_BOUND = np.array([column.high for column in GROUPS["agents"].columns], np.float32)


class Observation(NamedTuple):
    """Observations of ``n`` cars: float32 ``(n, ...)`` for each group that exists without other road users."""

    state: np.ndarray
    route: np.ndarray

    @classmethod
    def empty(cls, n_cars: int) -> "Observation":
        """Memory for the observations of some cars."""
        return cls(np.empty((n_cars, *_STATE), np.float32), np.empty((n_cars, *_ROUTE), np.float32))


@inlined
def _write_state(car: Record, state: np.ndarray) -> None:
    state[0], state[1], state[2], state[3] = car.speed, car.steer, car.yaw_rate, car.acceleration


@inlined
def _write_route(car: Record, route: np.ndarray, points: np.ndarray) -> None:
    cos_yaw, sin_yaw = math.cos(car.yaw), math.sin(car.yaw)
    last = car.n_points - 1
    s = max(car.progress, 0.0)
    j = int(s)
    part = s - j  # the same for every point, since they are whole metres apart
    for k in range(ROUTE_POINTS):
        j += ROUTE_SPACING
        here, after = route[min(j, last)], route[min(j + 1, last)]
        x = here.x + part * (after.x - here.x) - car.x
        y = here.y + part * (after.y - here.y) - car.y
        points[k, 0] = cos_yaw * x + sin_yaw * y
        points[k, 1] = cos_yaw * y - sin_yaw * x


@inlined
def observe(world: World, i: int, observation: Observation) -> None:
    """
    Write the observation of one car.

    :param world: state of the cars, each projected on its route
    :param i: row of the car
    :param observation: written in row ``i``
    """
    car = world.cars[i]
    _write_state(car, observation.state[i])
    _write_route(car, world.routes[i], observation.route[i])


class TrafficObservation(NamedTuple):
    """Observations of ``n`` cars among others: float32 ``(n, ...)`` for each group of the contract."""

    state: np.ndarray
    route: np.ndarray
    speed_limit: np.ndarray
    agents: np.ndarray
    agents_valid: np.ndarray
    signal: np.ndarray

    @classmethod
    def empty(cls, n_cars: int) -> "TrafficObservation":
        """Memory for the observations of some cars."""
        return cls(*(np.empty((n_cars, *GROUPS[name].shape), np.float32) for name in cls._fields))


NEAR = np.dtype([("row", "i8"), ("squared", "f8")], align=True)
"""One of the nearest others: its row, and the square of its distance [m²]."""


@inlined
def write_agents(agents: np.ndarray, car: Record, nearest: np.ndarray, rows: np.ndarray, valid: np.ndarray) -> None:
    """
    Write the nearest other road users that lie within the bounds of the observation, the nearest first.

    :param agents: records of :data:`~.records.AGENT`, the car itself not among them
    :param car: record of :data:`~.records.CAR`
    :param nearest: records of :data:`NEAR` ``(16,)``, working memory
    :param rows: float32 ``(16, 7)``, written
    :param valid: float32 ``(16,)``, written
    """
    cos, sin = math.cos(car.yaw), math.sin(car.yaw)
    n = 0
    for j in range(agents.shape[0]):
        agent = agents[j]
        if not agent.present:
            continue
        dx, dy = agent.x - car.x, agent.y - car.y
        x, y = cos * dx + sin * dy, cos * dy - sin * dx
        squared = x * x + y * y
        if max(abs(x), abs(y)) > POSITION_BOUND or (n == OBSERVED_AGENTS and squared >= nearest[n - 1].squared):
            continue
        k = n if n < OBSERVED_AGENTS else OBSERVED_AGENTS - 1
        n = k + 1
        while k > 0 and nearest[k - 1].squared > squared:
            nearest[k].row, nearest[k].squared = nearest[k - 1].row, nearest[k - 1].squared
            k -= 1
        nearest[k].row, nearest[k].squared = j, squared
    for k in range(n):
        agent, row = agents[nearest[k].row], rows[k]
        dx, dy = agent.x - car.x, agent.y - car.y
        turned = agent.yaw - car.yaw
        row[0], row[1] = cos * dx + sin * dy, cos * dy - sin * dx
        row[2] = turned - 2.0 * math.pi * np.round(turned / (2.0 * math.pi))
        row[3], row[4], row[5], row[6] = agent.speed, agent.length, agent.width, agent.kind
        valid[k] = 1.0
    for k in range(n, OBSERVED_AGENTS):
        valid[k] = 0.0
        for column in range(rows.shape[1]):
            rows[k, column] = 0.0


def observe_agents(agents: np.ndarray, car: Record) -> dict[str, np.ndarray]:
    """
    Observe the nearest other road users that lie within the bounds of the observation.

    :param agents: records of :data:`~.records.AGENT`, the car itself not among them
    :param car: record of :data:`~.records.CAR`
    :return: ``agents`` float32 ``(16, 7)`` and ``agents_valid`` float32 ``(16,)``, as :data:`~.contract.GROUPS` defines them
    """
    rows, valid = (np.zeros(GROUPS[name].shape, np.float32) for name in ("agents", "agents_valid"))
    pose = float(car["x"]), float(car["y"]), float(car["yaw"])
    places = to_ego(np.stack([agents["x"], agents["y"]], axis=1), pose)
    away = np.hypot(*places.T)
    nearest = np.argsort(away, kind="stable")[:OBSERVED_AGENTS]
    nearest = nearest[np.abs(places[nearest]).max(axis=1, initial=0.0) <= POSITION_BOUND]
    n = len(nearest)
    chosen = agents[nearest]
    turned = chosen["yaw"] - pose[2]
    seen = {name: chosen[name] for name in ("speed", "length", "width", "kind")}
    seen |= {"x": places[nearest, 0], "y": places[nearest, 1], "yaw": np.arctan2(np.sin(turned), np.cos(turned))}
    for name, values in seen.items():
        rows[:n, GROUPS["agents"].index_of(name)] = values
    valid[:n] = 1.0
    return {"agents": np.clip(rows, -_AGENT_BOUND, _AGENT_BOUND), "agents_valid": valid}
