"""What a picture of a car on its route shows."""

import numpy as np

from sb3_delta_waypoint.driving.episode import BLOCKED, COLLISION, GOAL, OFF_ROUTE, TIMEOUT
from sb3_delta_waypoint.driving.frames import Pose
from sb3_delta_waypoint.driving.measured import MeasuredDrive
from sb3_delta_waypoint.driving.simulation import Simulation
from sb3_delta_waypoint.rendering.birds_eye import Scene

_OUTCOMES = {
    GOAL: "goal reached",
    OFF_ROUTE: "off route",
    TIMEOUT: "out of time",
    COLLISION: "collision",
    BLOCKED: "blocked",
}


def scene(
    simulation: Simulation | MeasuredDrive, i: int, plans: dict[str, np.ndarray], trail: np.ndarray, outcome: int
) -> Scene:
    """
    The scene around one car.

    :param simulation: where it drives
    :param i: which car
    :param plans: plans to draw, float32 ``(H, 2)``, metres, ego frame
    :param trail: where the car has been, float64 ``(T, 2)``, metres, world frame
    :param outcome: how the episode ended, 0 while it runs
    :return: the scene
    """
    car, totals, config = simulation.cars[i], simulation.totals[i], simulation.config
    route = simulation.routes[i, : car["n_points"]]
    return Scene(
        route=np.stack([route["x"], route["y"]], axis=1),
        off_route_distance=config.rules.off_route_distance,
        pose=pose(simulation, i),
        steer=float(car["steer"]),
        wheelbase=config.vehicle.wheelbase,
        trail=trail,
        plans=plans,
        roads=_road_lines(simulation),
        text=(
            f"scenario {car['scenario']}   step {totals['steps']}   {car['speed']:.1f} m/s",
            f"{max(car['progress'], 0.0):.0f} of {car['route_length']:.0f} m   {abs(car['lateral']):.2f} m beside the route",
            f"reward {totals['reward']:.2f}   {_OUTCOMES.get(outcome, '')}",
        ),
    )


def pose(simulation: Simulation | MeasuredDrive, i: int) -> Pose:
    """Where a car is: x, y [m] and yaw [rad] in the world frame."""
    car = simulation.cars[i]
    return float(car["x"]), float(car["y"]), float(car["yaw"])


def _road_lines(simulation: Simulation | MeasuredDrive) -> np.ndarray | None:
    """The pieces of the network's lanes, float64 ``(M, 2, 2)``."""
    network = simulation.config.network
    if network is None:
        return None
    pieces = np.stack([network.points[:-1], network.points[1:]], axis=1)
    return np.delete(pieces, network.offsets[1:-1] - 1, axis=0)
