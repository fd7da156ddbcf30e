"""The blueprint library, and the size, mass and dynamics of each vehicle."""

import math
from typing import Any, NamedTuple

from sb3_delta_waypoint.driving.bodies import STEERING_SHARE, STEERING_SPEEDS
from sb3_delta_waypoint.driving.vehicle import VehicleParameters

BOOL, INT, FLOAT, STRING, COLOUR = 1, 2, 3, 4, 5
"""Attribute types on the wire."""

WHEEL_RADIUS = 0.35
"""Radius of the wheels [m]."""
GEAR_RATIO = 4.0
"""Engine revolutions per wheel revolution; there is one gear forward."""


class Vehicle(NamedTuple):
    """Properties of a kind of vehicle."""

    dynamics: VehicleParameters
    size: tuple[float, float, float]
    """Length, width, height [m]."""
    mass: float
    """Mass [kg]."""
    throttle_lag: float
    """Time constant of the drive [s]."""
    brake_lag: float
    """Time constant of the brakes [s]."""
    drag: float
    """Air drag: deceleration over the square of the speed [1/m]."""
    base_type: str = "car"


VEHICLES = {
    "vehicle.tesla.model3": Vehicle(
        VehicleParameters(2.87, math.radians(48), 0.9, 22.0, 8.0, 4.5, 8.5, 50.0), (4.79, 2.06, 1.49), 1845.0, 0.12, 0.08, 4e-4
    ),
    "vehicle.lincoln.mkz_2020": Vehicle(
        VehicleParameters(2.85, math.radians(45), 0.8, 20.0, 7.5, 3.8, 8.0, 50.0), (4.89, 2.06, 1.49), 1695.0, 0.2, 0.1, 4.5e-4
    ),
    "vehicle.audi.tt": Vehicle(
        VehicleParameters(2.51, math.radians(50), 1.0, 25.0, 8.5, 5.0, 9.0, 60.0), (4.18, 1.99, 1.38), 1320.0, 0.15, 0.08, 4e-4
    ),
    "vehicle.nissan.micra": Vehicle(
        VehicleParameters(2.45, math.radians(52), 0.9, 18.0, 7.0, 3.0, 7.5, 40.0), (3.63, 1.85, 1.51), 980.0, 0.25, 0.1, 5e-4
    ),
    "vehicle.mini.cooper_s": Vehicle(
        VehicleParameters(2.47, math.radians(50), 1.0, 24.0, 8.0, 4.0, 8.5, 55.0),
        (3.81, 1.97, 1.48),
        1150.0,
        0.18,
        0.08,
        4.5e-4,
    ),
    "vehicle.carlamotors.carlacola": Vehicle(
        VehicleParameters(3.2, math.radians(40), 0.5, 14.0, 4.5, 1.8, 5.5, 28.0),
        (5.2, 2.61, 2.48),
        5500.0,
        0.5,
        0.25,
        8e-4,
        "truck",
    ),
}
"""The vehicles by blueprint id; their numbers are not measured, but plausible for cars of these sizes."""

WALKERS = {f"walker.pedestrian.{number:04}": (0.38, 0.38, 1.86) for number in range(1, 5)}
"""Length, width and height of each walker [m]."""
WALKER_MASS = 75.0
"""Mass of a walker [kg]."""

PROPS = {
    "static.prop.barrel": (0.6, 0.6, 0.9),
    "static.prop.box01": (0.8, 0.8, 0.8),
    "static.prop.constructioncone": (0.4, 0.4, 0.7),
    "static.prop.container": (5.0, 2.2, 2.2),
    "static.prop.streetbarrier": (0.4, 1.2, 1.1),
    "static.prop.trafficcone01": (0.4, 0.4, 0.7),
}
"""Length, width and height of each prop [m]."""

CAMERA = {"image_size_x": 800, "image_size_y": 600, "fov": 90.0, "sensor_tick": 0.0}
SENSORS: dict[str, dict[str, Any]] = {
    "sensor.camera.rgb": CAMERA,
    "sensor.other.collision": {},
    "sensor.other.gnss": {"sensor_tick": 0.0, "noise_seed": 0},
    "sensor.other.imu": {"sensor_tick": 0.0, "noise_seed": 0},
    "sensor.other.lane_invasion": {},
    "sensor.other.obstacle": {"distance": 5.0, "hit_radius": 0.5, "only_dynamics": False, "sensor_tick": 0.0},
}
"""The attributes of each sensor and their defaults; sensors measure without noise."""

MARKER = "loopback.server"
"""A blueprint that CARLA does not have, by which clients recognise the loopback server."""

UIDS = {name: uid for uid, name in enumerate([*VEHICLES, *WALKERS, *PROPS, *SENSORS, MARKER], 1)}


def definitions(marked: bool = True) -> list[list[Any]]:
    """
    Make the blueprint library in the form that the client reads.

    :param marked: whether to include :data:`MARKER`
    :return: ActorDefinition of each blueprint
    """
    library = []
    for name, uid in UIDS.items():
        if name == MARKER and not marked:
            continue
        attributes = [_attribute("role_name", "hero" if name in VEHICLES else "front")]
        if name in VEHICLES:
            attributes += [
                _attribute("number_of_wheels", 4, fixed=True),
                _attribute("base_type", VEHICLES[name].base_type, fixed=True),
                _attribute("generation", 1, fixed=True),
                _attribute("sticky_control", True),
                ["color", COLOUR, "90,90,90", ["90,90,90", "180,20,20", "20,40,160", "230,230,230"], True, False],
            ]
        elif name in WALKERS:
            attributes += [_attribute("is_invincible", False), _attribute("speed", 1.4)]
        elif name in PROPS:
            attributes.append(_attribute("size", "medium", fixed=True))
        else:
            attributes += [_attribute(key, value) for key, value in SENSORS.get(name, {}).items()]
        library.append([uid, name, ",".join(name.split(".")), attributes])
    return library


def _attribute(name: str, value: bool | int | float | str, fixed: bool = False) -> list[Any]:
    kind = {bool: BOOL, int: INT, float: FLOAT, str: STRING}[type(value)]
    return [name, kind, str(value), [], not fixed, False]


def physics_control(vehicle: Vehicle, max_steer: float, mass: float, wheels: list[tuple[float, float, float]]) -> list[Any]:
    """
    Make the answer of ``get_physics_control``.

    The textbook formulas hold: ``torque · ratio / (radius · mass)`` is the largest acceleration, and
    ``4 · brake torque / (radius · mass)`` the largest deceleration. As in CARLA 0.9, wheel radii and wheel positions (in the
    world) are in centimetres, steering angles in degrees, and the speeds of the steering curve in km/h.

    :param vehicle: the kind of vehicle
    :param max_steer: largest steering angle [rad]
    :param mass: [kg]
    :param wheels: positions of the wheels in CARLA's world frame [m]: front left, front right, rear left, rear right
    :return: VehiclePhysicsControl
    """
    dynamics = vehicle.dynamics
    torque = dynamics.max_acceleration * vehicle.mass * WHEEL_RADIUS / GEAR_RATIO
    max_rpm = dynamics.max_speed / WHEEL_RADIUS * GEAR_RATIO * 60 / (2 * math.pi)
    brake_torque = dynamics.max_braking * vehicle.mass * WHEEL_RADIUS / 4
    return [
        [[0.0, torque], [max_rpm, torque]],
        max_rpm,
        1.0,
        0.15,
        2.0,
        0.35,
        True,
        0.0,
        10.0,
        GEAR_RATIO,
        [[1.0, 0.0, 1.0]],
        mass,
        vehicle.drag,
        [0.0, 0.0, 0.3],
        [[float(speed) * 3.6, float(share)] for speed, share in zip(STEERING_SPEEDS, STEERING_SHARE, strict=True)],
        [
            [
                dynamics.max_lateral_acceleration / 9.81,
                0.25,
                math.degrees(max_steer) if number < 2 else 0.0,
                WHEEL_RADIUS * 100,
                brake_torque,
                brake_torque if number >= 2 else 0.0,
                2.0,
                17.0,
                1000.0,
                [100 * coordinate for coordinate in position],
            ]
            for number, position in enumerate(wheels)
        ],
        False,
    ]
