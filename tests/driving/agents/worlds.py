"""What the tests of others share: small roads, and worlds in which everybody is put somewhere by hand."""

import math

import numpy as np

from sb3_delta_waypoint.driving.agents.records import ABSENT, CAR_DRIVER, PEDESTRIAN_WALKS
from sb3_delta_waypoint.driving.lanes import StopLine, make_lanes
from sb3_delta_waypoint.driving.network import from_segments, resample
from sb3_delta_waypoint.driving.records import PEDESTRIAN
from sb3_delta_waypoint.driving.traffic_simulation import TrafficSimulation
from sb3_delta_waypoint.envs.configuration import traffic_config

FAR = 1e5
"""Where the car waits if the test is not about it [m]."""


def line(*points, limit=10.0):
    """A straight or bent centre line."""
    return resample(np.array(points, float), np.full(len(points), limit))


def straight_road(length=400.0, stop_at=None, lights=()):
    """One lane along x; with a stop line, which has a light if there is one."""
    lines = [] if stop_at is None else [StopLine(0, stop_at, 0 if lights else -1)]
    return make_lanes(from_segments([line((0, 0), (length, 0))], [[]]), 3.5, stop_lines=lines, lights=lights)


def crossroads(stop_at=None, lights=()):
    """
    Two lanes that cross: 0, 1, 2 along x and 3, 4, 5 along y, of which 1 and 4 cross in the middle.

    A stop line is on the lane along y; lights are of both.
    """
    east = [line((-150, 0), (-8, 0)), line((-8, 0), (8, 0)), line((8, 0), (150, 0))]
    north = [line((0, -150), (0, -8)), line((0, -8), (0, 8)), line((0, 8), (0, 150))]
    network = from_segments([*east, *north], [[1], [2], [], [4], [5], []])
    inside = np.repeat(np.isin(np.arange(6), [1, 4]), np.diff(network.offsets))
    lines = [StopLine(0, 142.0, 0), StopLine(3, 142.0, 1)] if lights else []
    if stop_at is not None:
        lines = [StopLine(3, stop_at, -1)]
    return make_lanes(network, 3.5, in_junction=inside, stop_lines=lines, lights=lights)


def two_lanes(length=400.0):
    """Lanes 0 and, on its left, 1, along x."""
    network = from_segments([line((0, 0), (length, 0)), line((0, 3.5), (length, 3.5))], [[], []])
    n = network.offsets[1]
    left = np.append(np.arange(n, 2 * n), np.full(n, -1))
    right = np.append(np.full(n, -1), np.arange(n))
    return make_lanes(network, 3.5, left, right)


class World:
    """
    A simulation of one car, far away, and of others that are put on the lanes by hand.

    :param lanes: the lanes
    :param n: rows for others
    """

    def __init__(self, lanes, n=2, **kwargs):
        traffic = {"vehicles": 0, "pedestrians": n, "parked": 0, "behaviour": "idm"}
        config = traffic_config(lanes, route_length=30, traffic=traffic, **kwargs)
        self.simulation = TrafficSimulation(1, config, autoreset=False)
        self.simulation.reset()
        world = self.simulation.world
        self.car, self.agents, self.drivers = world.cars[0], world.agents[0], world.drivers[0]
        self.situation, self.lanes, self.plan = world.situations[0], lanes, np.zeros((1, 20, 2), np.float32)
        self.drivers["role"], self.agents["present"] = ABSENT, False
        self.car["x"], self.car["speed"], self.situation["n_spots"] = self.car["x"] + FAR, 0.0, 0

    def vehicle(self, row, segment, along, speed=0.0, **values):
        """Put a vehicle of 4 m by 2 m on a lane, an IDM driver unless values differ."""
        agent, driver = self.agents[row], self.drivers[row]
        agent["length"], agent["width"], agent["kind"] = 4.0, 2.0, 0.0
        agent["speed"], agent["present"], agent["collided"] = speed, True, False
        first = self.lanes.network.offsets[segment]
        point = first + round(along / self.lanes.spacing[segment])
        agent["x"], agent["y"] = self.lanes.network.points[point]
        agent["yaw"] = math.atan2(self.lanes.tangents[point, 1], self.lanes.tangents[point, 0])
        given = {
            "role": CAR_DRIVER, "segment": segment, "along": along, "headway": 1.5, "gap": 2.0, "max_acceleration": 1.5,
            "braking": 2.0, "pace_share": 1.0, "claimed": -1, "halted": -1,
        }  # fmt: skip
        for name, value in (given | values).items():
            driver[name] = value

    def pedestrian(self, row, x, crosses_at, from_y=-3.0, way=6.0, **values):
        """Put somebody beside lane 0, along x, who wants to cross it towards larger y."""
        agent, driver = self.agents[row], self.drivers[row]
        agent["length"] = agent["width"] = 0.6
        agent["x"], agent["y"], agent["yaw"], agent["speed"] = x, from_y, math.pi / 2, 0.0
        agent["kind"], agent["present"], agent["collided"] = PEDESTRIAN, True, False
        given = {
            "role": PEDESTRIAN_WALKS, "start_x": x, "start_y": from_y, "way": way, "walked": 0.0, "pace": 1.5,
            "crosses_at": crosses_at, "steps_out": 30.0, "leaves_braking": 3.0, "n_crossed": 1,
        }  # fmt: skip
        for name, value in (given | values).items():
            driver[name] = value
        driver["crossed_segment"][0], driver["crossed_along"][0] = 0, x
        driver["crossed_from"][0], driver["crossed_to"][0] = -1.75 - from_y, 1.75 - from_y

    def put_car(self, progress, speed, lateral=0.0):
        """Put the car on its route."""
        route = self.simulation.world.routes[0]
        k = int(progress)
        self.car["x"] = route["x"][k] + (progress - k) * route["cos"][k] - lateral * route["sin"][k]
        self.car["y"] = route["y"][k] + (progress - k) * route["sin"][k] + lateral * route["cos"][k]
        self.car["yaw"], self.car["speed"] = math.atan2(route["sin"][k], route["cos"][k]), speed
        self.car["index"], self.car["progress"], self.car["lateral"], self.car["acceleration"] = k, progress, lateral, 0.0
        self.drivers[-1]["role"] = CAR_DRIVER

    def step(self, steps=1, plan=None):
        """Let everybody act."""
        for _ in range(steps):
            self.simulation.step(self.plan if plan is None else plan)

    def gap(self, behind, ahead):
        """Distance between the boxes of two on one lane [m]."""
        half = 0.5 * (self.agents["length"][behind] + self.agents["length"][ahead])
        return self.drivers["along"][ahead] - self.drivers["along"][behind] - half


def boxes_overlap(a, b) -> bool:
    """Whether two boxes overlap, by the separating axis theorem; boxes are x, y, yaw, length, width."""
    for yaw in (a[2], b[2]):
        for angle in (yaw, yaw + math.pi / 2):
            cos, sin = math.cos(angle), math.sin(angle)
            reach = sum(
                0.5 * box[3] * abs(math.cos(box[2] - angle)) + 0.5 * box[4] * abs(math.sin(box[2] - angle)) for box in (a, b)
            )
            if abs((a[0] - b[0]) * cos + (a[1] - b[1]) * sin) >= reach:
                return False
    return True


def box_of(agent):
    """The box of another road user."""
    return tuple(float(agent[name]) for name in ("x", "y", "yaw", "length", "width"))


def overlapping(agents) -> list[tuple[int, int]]:
    """Pairs of others whose boxes overlap."""
    rows = np.flatnonzero(agents["present"])
    reach = 0.5 * np.hypot(agents["length"], agents["width"])
    away = np.hypot(agents["x"][:, None] - agents["x"], agents["y"][:, None] - agents["y"])
    near = away < reach[:, None] + reach
    return [
        (int(j), int(k))
        for j in rows
        for k in rows
        if j < k and near[j, k] and boxes_overlap(box_of(agents[j]), box_of(agents[k]))
    ]
