"""The records that the kernels work on: one car, one point of its route, the running totals of its episode."""

from typing import Any

import numpy as np

Record = Any
"""One element of an array of records: its fields are attributes in a kernel, which NumPy's own type does not say."""

CAR = np.dtype(
    [
        # reference point (rear axle) in the world frame
        ("x", "f8"),
        ("y", "f8"),
        ("yaw", "f8"),
        ("speed", "f8"),
        ("steer", "f8"),
        ("yaw_rate", "f8"),
        ("acceleration", "f8"),
        # where the car is on its route: index of the route point behind it, arc length, offset to the left
        ("index", "i8"),
        ("progress", "f8"),
        ("lateral", "f8"),
        # its route: points used, arc length, steps after which the episode is cut off
        ("n_points", "i8"),
        ("route_length", "f8"),
        ("max_steps", "i8"),
        # which scenario it plays, and how many episodes it has begun
        ("scenario", "i8"),
        ("episodes", "i8"),
    ],
    align=True,
)
"""State of one car: SI units, radians, world frame with yaw counter-clockwise."""

ROUTE_POINT = np.dtype([("x", "f8"), ("y", "f8"), ("cos", "f8"), ("sin", "f8"), ("speed", "f8")], align=True)
"""A point of a route: position [m], unit tangent, and the speed [m/s] at which the expert passes it."""

WAYPOINT = np.dtype([("x", "f4"), ("y", "f4")])
"""A row of a plan: metres, ego frame."""

TOTALS = np.dtype(
    [
        ("steps", "i8"),
        ("progress", "f8"),
        ("goal", "f8"),
        ("time", "f8"),
        ("lateral_deviation", "f8"),
        ("imitation", "f8"),
        ("comfort", "f8"),
        ("off_route", "f8"),
        ("reward", "f8"),
        ("ade", "f8"),
        ("fde", "f8"),
        ("lateral_sum", "f8"),
        ("lateral_max", "f8"),
        ("jerk_sum", "f8"),
        ("lateral_acceleration_max", "f8"),
        ("speed_sum", "f8"),
        ("furthest", "f8"),
        ("waypoints_hit", "i8"),
        ("waypoints_passed", "i8"),
    ],
    align=True,
)
"""Running totals of one episode; the seven reward terms carry the names of :class:`~.reward.RewardWeights`."""
