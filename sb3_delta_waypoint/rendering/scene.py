"""The scene of the bird's-eye view: the contents of a picture, and how they follow from a drive."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from sb3_delta_waypoint.contract import CONTROL_DT
from sb3_delta_waypoint.driving.drive import Drive
from sb3_delta_waypoint.driving.frames import Pose
from sb3_delta_waypoint.driving.lanes import Lanes
from sb3_delta_waypoint.driving.score import BLOCKED, COLLISION, GOAL, OFF_ROUTE, TIMEOUT
from sb3_delta_waypoint.driving.signals import light_state

_OUTCOMES = {
    GOAL: "goal reached",
    OFF_ROUTE: "off route",
    TIMEOUT: "out of time",
    COLLISION: "collision",
    BLOCKED: "blocked",
}

STOP_SIGN = -1
"""State of a stop line that a sign governs; others have the state of their light, one of :mod:`~.driving.signals`."""

STOP_LINE = np.dtype([("x", "f8"), ("y", "f8"), ("yaw", "f8"), ("width", "f8"), ("state", "i8"), ("post", "?")], align=True)
"""
A stop line: its middle [m] and the direction of driving [rad] in the world frame, width of the lane [m], its state, and
whether its light or sign stands on its right, where no other lane is.
"""


class CarBox(NamedTuple):
    """Outline of the car: its length and width, and how far it reaches behind the rear axle [m]."""

    length: float
    width: float
    rear: float


class Scene(NamedTuple):
    """The contents of a picture. World frame: metres, x to the right, y up, yaw counter-clockwise."""

    route: np.ndarray
    """float64 ``(N, 2)``, metres, world frame, of non-zero length."""
    off_route_distance: float
    """Half the width of the corridor around the route [m]."""
    pose: Pose
    """x [m], y [m] and yaw [rad] of the middle of the rear axle."""
    steer: float
    """Angle of the front wheels [rad], left positive."""
    wheelbase: float
    """Distance between the axles [m]."""
    trail: np.ndarray
    """float64 ``(T, 2)``, metres, world frame: past positions of the rear axle."""
    plans: dict[str, np.ndarray]
    """Plans ``(H, 2)``, metres, ego frame (x forward, y left), by name: ``sft``, ``expert``, ``final`` or any other.
    Later plans are drawn over earlier ones."""
    roads: np.ndarray | None
    """float64 ``(M, 2, 2)``, metres, world frame: pieces of the road network's centre lines, or None."""
    text: tuple[str, ...]
    """Lines of text about the state of the episode."""
    box: CarBox | None = None
    """Outline of the car; None for a family car of this wheelbase."""
    agents: np.ndarray | None = None
    """The other road users: records of :data:`~.driving.records.AGENT` ``(A,)``; None for nobody."""
    faults: Mapping[int, bool] = MappingProxyType({})
    """Rows of agents that the car has hit, and whether it is at fault."""
    lanes: Lanes | None = None
    """The lanes, drawn instead of the corridor around the route and of ``roads``."""
    stop_lines: np.ndarray | None = None
    """Stop lines: records of :data:`STOP_LINE`, such as :func:`stop_lines` returns; None for none."""


def scene(
    drive: Drive,
    i: int,
    plans: dict[str, np.ndarray],
    trail: np.ndarray,
    outcome: int,
    faults: Mapping[int, bool] = MappingProxyType({}),
) -> Scene:
    """
    Make the scene around one car.

    :param drive: the drive
    :param i: index of the car
    :param plans: plans to draw, float32 ``(H, 2)``, metres, ego frame
    :param trail: past positions of the car, float64 ``(T, 2)``, metres, world frame
    :param outcome: outcome of the episode, 0 while it runs
    :param faults: rows of the others that the car has hit, and whether it is at fault
    :return: the scene, among others if the drive's configuration has lanes
    """
    car, totals, config = drive.cars[i], drive.totals[i], drive.config
    route = drive.routes[i, : car["n_points"]]
    alone = Scene(
        route=np.stack([route["x"], route["y"]], axis=1),
        off_route_distance=config.rules.off_route_distance,
        pose=pose(drive, i),
        steer=float(car["steer"]),
        wheelbase=config.vehicle.wheelbase,
        trail=trail,
        plans=plans,
        roads=_road_lines(drive),
        text=(
            f"scenario {car['scenario']}   step {totals['steps']}   {car['speed']:.1f} m/s",
            f"{max(car['progress'], 0.0):.0f} of {car['route_length']:.0f} m   {abs(car['lateral']):.2f} m beside the route",
            f"reward {totals['reward']:.2f}   {_OUTCOMES.get(outcome, '')}",
        ),
    )
    lanes, vehicle = config.lanes, config.vehicle
    if lanes is None:
        return alone
    seed, seconds = np.uint64(drive.world.situations[i]["seed"]), float(totals["steps"]) * CONTROL_DT
    return alone._replace(
        box=CarBox(vehicle.length, vehicle.width, vehicle.rear_overhang),
        agents=drive.world.agents[i],
        faults=faults,
        lanes=lanes,
        stop_lines=stop_lines(lanes, np.array([light_state(seed, light, seconds) for light in lanes.lights], np.int64)),
    )


def pose(drive: Drive, i: int) -> Pose:
    """Pose of a car: x, y [m] and yaw [rad] in the world frame."""
    car = drive.cars[i]
    return float(car["x"]), float(car["y"]), float(car["yaw"])


def _road_lines(drive: Drive) -> np.ndarray | None:
    """The pieces of the network's lanes, float64 ``(M, 2, 2)`` [m]; None without a network."""
    network = drive.config.network
    if network is None:
        return None
    pieces = np.stack([network.points[:-1], network.points[1:]], axis=1)
    return np.delete(pieces, network.offsets[1:-1] - 1, axis=0)


def stop_lines(lanes: Lanes, lights: np.ndarray) -> np.ndarray:
    """
    The stop lines of lanes.

    :param lanes: the lanes
    :param lights: int ``(L,)``, state of each light: 0 red, 1 yellow, 2 green
    :return: records of :data:`STOP_LINE`
    :raises ValueError: if there is not one state for each light
    """
    if len(lights) != len(lanes.lights):
        raise ValueError(f"lights: {len(lights)} states for {len(lanes.lights)} lights; expected one for each")
    segments = np.flatnonzero(np.isfinite(lanes.stop_at))
    lines = np.zeros(len(segments), STOP_LINE)
    # between the points around the line; a segment has two at least
    first, last = lanes.network.offsets[segments], lanes.network.offsets[segments + 1] - 1
    at = first + lanes.stop_at[segments] / lanes.spacing[segments]
    before = np.clip(at.astype(np.int64), first, last - 1)
    share = (at - before)[:, None]
    points = lanes.network.points
    place = points[before] + share * (points[before + 1] - points[before])
    nearest = before + (share[:, 0] > 0.5)
    lines["x"], lines["y"] = place.T
    lines["yaw"] = np.arctan2(lanes.tangents[nearest, 1], lanes.tangents[nearest, 0])
    lines["width"], lines["post"] = lanes.width[nearest], lanes.right[nearest] < 0
    governed = lanes.stop_light[segments] >= 0
    lines["state"] = STOP_SIGN
    lines["state"][governed] = np.asarray(lights)[lanes.stop_light[segments][governed]]
    return lines
