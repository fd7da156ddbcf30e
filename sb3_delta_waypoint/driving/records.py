"""The records that the kernels work on: cars, route points, waypoints, and the totals and metrics of episodes."""

from typing import Any

import numpy as np

from sb3_delta_waypoint.driving.metrics import EPISODE_METRICS
from sb3_delta_waypoint.driving.reward import REWARD_TERMS

Record = Any
"""One element of an array of records; in a kernel its fields are attributes, which NumPy's type does not express."""

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
        # position on the route: index of the route point behind the car, arc length, lateral offset (left positive)
        ("index", "i8"),
        ("progress", "f8"),
        ("lateral", "f8"),
        # the route: points used, arc length, and steps after which the episode is truncated
        ("n_points", "i8"),
        ("route_length", "f8"),
        ("max_steps", "i8"),
        # number of the scenario that is played, and number of episodes begun
        ("scenario", "i8"),
        ("episodes", "i8"),
        # step of the episode in which it began: above 0 if it began in a state of another episode
        ("start_step", "i8"),
    ],
    align=True,
)
"""State of one car: SI units, radians, world frame with yaw counter-clockwise."""

ROUTE_POINT = np.dtype([("x", "f8"), ("y", "f8"), ("cos", "f8"), ("sin", "f8"), ("speed", "f8")], align=True)
"""A point of a route: position [m], unit tangent, and the speed [m/s] at which the expert passes it."""

AGENT = np.dtype(
    [
        # middle of its box in the world frame
        ("x", "f8"),
        ("y", "f8"),
        ("yaw", "f8"),
        ("speed", "f8"),
        ("length", "f8"),
        ("width", "f8"),
        ("kind", "f8"),
        # whether the row holds somebody
        ("present", "?"),
        # whether the car has touched it in this episode: it counts once, and is left out of the score from then on
        ("collided", "?"),
    ],
    align=True,
)
"""Another road user as it is seen: SI units, radians, world frame; its kind is one of :data:`VEHICLE` and those below it."""

VEHICLE, CYCLIST, PEDESTRIAN, OBJECT = 0.0, 0.5, 1.0, -1.0
"""Kinds of agents; an object is seen as a vehicle of speed 0, and counts less in the score than a vehicle."""

MOMENT = np.dtype(
    [
        # along and across the car's heading, at the rear axle [m/s²]
        ("acceleration", "f4"),
        ("lateral_acceleration", "f4"),
        ("yaw", "f4"),
        # distance driven against the lane's direction in this step [m]
        ("against", "f4"),
    ],
    align=True,
)
"""What is remembered of a step, for the terms of the score that look at several."""

PLACE = np.dtype([("segment", "i4"), ("along", "f4")])
"""A place on a road network: a segment, and the arc length from its start [m]."""

WAYPOINT = np.dtype([("x", "f4"), ("y", "f4")])
"""A waypoint, one row of a plan: metres, ego frame."""

CONTACT_CLASSES = ("vehicle", "vulnerable", "object")
"""Classes of others in the score: vehicles, vulnerable road users, and objects."""

TOTALS = np.dtype(
    [
        ("steps", "i8"),
        ("waypoints_passed", "i8"),
        ("waypoints_hit", "i8"),
        *((name, "f8") for name in REWARD_TERMS),
        ("reward", "f8"),
        ("furthest", "f8"),
        ("lateral_max", "f8"),
        ("lateral_acceleration_max", "f8"),
        # sums over the steps
        ("ade_sum", "f8"),
        ("fde_sum", "f8"),
        ("lateral_sum", "f8"),
        ("jerk_sum", "f8"),
        ("speed_sum", "f8"),
        # number of steps with an expert's plan to compare with
        ("compared", "i8"),
        # of the history: rows in use, parts of the episode looked at, whether comfort was violated there
        ("moments", "i8"),
        ("parts", "i8"),
        ("uncomfortable", "?"),
        ("against_max", "f8"),
        # others touched, and those touched by the car's own fault
        *((f"{prefix}_{name}", "i8") for prefix in ("hit", "fault") for name in CONTACT_CLASSES),
        ("hit_pedestrian", "i8"),
        # nearest approaches
        ("gap_min", "f8"),
        ("time_to_collision_min", "f8"),
        # numbers of steps
        ("steps_met", "i8"),
        ("steps_off_area", "i8"),
        ("steps_off_lane", "i8"),
        ("steps_directed", "i8"),
        ("steps_limited", "i8"),
        ("steps_unlit", "i8"),
        ("steps_braking", "i8"),
        ("overspeed_sum", "f8"),
        ("stop_lines", "i8"),
        ("red_lights", "i8"),
        ("start_progress", "f8"),
    ],
    align=True,
)
"""Running totals of one episode, at its start as :data:`FRESH_TOTALS`."""

FRESH_TOTALS = np.zeros(1, TOTALS)
"""The totals at the start of an episode."""
FRESH_TOTALS["gap_min"] = FRESH_TOTALS["time_to_collision_min"] = np.inf

EPISODE = np.dtype([(name, "f8") for name in (*EPISODE_METRICS, *REWARD_TERMS)])
"""The metrics of a finished episode, except the displacements by horizon step, which are kept in a separate array."""
