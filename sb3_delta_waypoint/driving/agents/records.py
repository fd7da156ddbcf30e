"""What drives the others on the road: one record for each of them, and one for the situation of a car."""

import numpy as np

ABSENT, CAR_DRIVER, PEDESTRIAN_WALKS, STANDS = 0, 1, 2, 3
"""Roles: nobody, a vehicle that follows lanes, a pedestrian who may cross, and a vehicle that stands for good."""
MAX_CROSSED = 6
"""Largest number of lanes that a pedestrian crosses."""
MAX_SPOTS = 8
"""Largest number of lanes that the car occupies for others."""
MAX_SEGMENTS = 64
"""Largest number of segments of a route that are looked at."""

DRIVER = np.dtype(
    [
        ("role", "i4"),
        # a vehicle: the middle of its box on its lane, offset from the centre line (left positive), acceleration
        ("segment", "i8"),
        ("along", "f8"),
        ("offset", "f8"),
        ("acceleration", "f8"),
        # parameters of the intelligent driver model
        ("headway", "f8"),
        ("gap", "f8"),
        ("max_acceleration", "f8"),
        ("braking", "f8"),
        ("pace_share", "f8"),
        # seed of its choices at forks, and how many it has passed
        ("route", "u8"),
        ("forks", "i8"),
        # segment whose conflicts it may enter and segment at whose stop line it has halted, -1 for none; steps of waiting
        ("claimed", "i8"),
        ("halted", "i4"),
        ("waited", "i4"),
        # steps for which it stands until the car has been close enough; runs red lights and takes no turns
        ("held_steps", "i4"),
        ("changes_lanes", "?"),
        ("runs_red", "?"),
        # what is seldom read comes last, out of the cache: how close the car has to be [m]; steps for which the car has
        # been standing
        ("held_distance", "f8"),
        ("standstill", "i8"),
        # a pedestrian: start, direction, length of the way, way walked, walking speed [m/s]
        ("start_x", "f8"),
        ("start_y", "f8"),
        ("way", "f8"),
        ("walked", "f8"),
        ("pace", "f8"),
        # where its way meets the car's route, at which distance of the car it steps out [m], braking that it leaves to others
        # [m/s²], and the step at which it steps out if nobody reacts to the car
        ("crosses_at", "f8"),
        ("steps_out", "f8"),
        ("leaves_braking", "f8"),
        ("starts", "i8"),
        ("n_crossed", "i8"),
        ("crossed_segment", "i8", (MAX_CROSSED,)),
        ("crossed_along", "f8", (MAX_CROSSED,)),
        ("crossed_from", "f8", (MAX_CROSSED,)),
        ("crossed_to", "f8", (MAX_CROSSED,)),
    ],
    align=True,
)
"""What drives another road user: SI units, world frame. The record of the same row in the agents is what others see of it."""

SITUATION = np.dtype(
    [
        # seed of the scenario, number of the behaviour, places drawn again since somebody there would hit the car at the start
        ("seed", "u8"),
        ("behaviour", "i8"),
        ("redrawn", "i8"),
        # whether nobody reacts to the car
        ("deaf", "?"),
        # the car on the lanes: its driver, were it one of the others, and the lanes that it occupies
        ("n_spots", "i8"),
        ("spot_segment", "i8", (MAX_SPOTS,)),
        ("spot_along", "f8", (MAX_SPOTS,)),
        # segments of its route, in order, and the arc length of the route at which each begins
        ("n_segments", "i8"),
        ("segment", "i8", (MAX_SEGMENTS,)),
        ("begins", "f8", (MAX_SEGMENTS,)),
    ],
    align=True,
)
"""What a car shares with the others on the road, beyond its own state."""
