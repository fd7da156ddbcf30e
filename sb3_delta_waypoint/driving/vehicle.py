"""The vehicle model: a kinematic bicycle with a steering-rate limit, understeer and a lateral-grip limit."""

import math
from typing import Annotated, NamedTuple

from sb3_delta_waypoint.bounds import Bounds
from sb3_delta_waypoint.driving.kernels import inlined
from sb3_delta_waypoint.driving.records import Record

MIN_SPEED = 0.1
"""Speed below which the grip limit of the yaw rate stays constant [m/s]."""


class VehicleParameters(NamedTuple):
    """Parameters of the vehicle model, in SI units and radians."""

    wheelbase: Annotated[float, Bounds(0.1, 20.0, "m")] = 2.8
    """Distance between the axles [m]."""
    max_steer: Annotated[float, Bounds(0.01, 1.5, "rad")] = 0.6
    """Largest steering angle of the front wheel [rad]."""
    max_steer_rate: Annotated[float, Bounds(0.01, 100.0, "rad/s")] = 0.6
    """Fastest change of the steering angle [rad/s]."""
    characteristic_speed: Annotated[float, Bounds(1.0, 1e6, "m/s")] = 15.0
    """Speed at which understeer halves the yaw response [m/s]."""
    max_lateral_acceleration: Annotated[float, Bounds(0.1, 100.0, "m/s²")] = 6.0
    """Grip: largest lateral acceleration, which limits the yaw rate [m/s²]."""
    max_acceleration: Annotated[float, Bounds(0.1, 30.0, "m/s²")] = 3.0
    """Largest acceleration [m/s²]."""
    max_braking: Annotated[float, Bounds(0.1, 30.0, "m/s²")] = 6.0
    """Largest deceleration [m/s²]."""
    max_speed: Annotated[float, Bounds(0.1, 60.0, "m/s")] = 20.0
    """Highest speed [m/s]."""
    length: Annotated[float, Bounds(0.5, 30.0, "m")] = 4.7
    """Length of its box [m]."""
    width: Annotated[float, Bounds(0.3, 10.0, "m")] = 1.9
    """Width of its box [m]."""
    rear_overhang: Annotated[float, Bounds(0.0, 10.0, "m")] = 1.0
    """Distance from the rear axle to the rear bumper [m]."""


DYNAMICS = VehicleParameters._fields[: VehicleParameters._fields.index("length")]
"""Names of the parameters that say how a car moves; the others describe its box."""


@inlined
def clip(value: float, low: float, high: float) -> float:
    """``value`` clipped to ``[low, high]``."""
    return min(max(value, low), high)


@inlined
def steady_yaw_rate(vehicle: VehicleParameters, speed: float, steer: float) -> float:
    """
    Steady-state yaw rate of an understeering car, ``v tan(steer) / (L (1 + (v / v_ch)²))``, limited by its grip.

    Source: Gillespie, Fundamentals of Vehicle Dynamics, 6.

    :param vehicle: parameters of the car
    :param speed: [m/s]
    :param steer: steering angle [rad]
    :return: yaw rate [rad/s]
    """
    response = 1.0 + (speed / vehicle.characteristic_speed) ** 2
    grip = vehicle.max_lateral_acceleration / max(speed, MIN_SPEED)
    return clip(speed * math.tan(steer) / (vehicle.wheelbase * response), -grip, grip)


@inlined
def steady_steer(vehicle: VehicleParameters, speed: float, curvature: float) -> float:
    """
    Steering angle for a curve, within the steering limit; the inverse of :func:`steady_yaw_rate`.

    :param vehicle: parameters of the car
    :param speed: [m/s]
    :param curvature: [1/m]
    :return: steering angle [rad]
    """
    response = 1.0 + (speed / vehicle.characteristic_speed) ** 2
    return clip(math.atan(curvature * vehicle.wheelbase * response), -vehicle.max_steer, vehicle.max_steer)


@inlined
def turned_wheel(vehicle: VehicleParameters, steer: float, commanded: float, dt: float) -> float:
    """
    Steering angle after one control step, within the limits of angle and rate.

    :param vehicle: parameters of the car
    :param steer: steering angle before the step [rad]
    :param commanded: commanded steering angle [rad]
    :param dt: length of the step [s]
    :return: steering angle after the step [rad]
    """
    reach = vehicle.max_steer_rate * dt
    return clip(clip(commanded, steer - reach, steer + reach), -vehicle.max_steer, vehicle.max_steer)


@inlined
def advance(car: Record, vehicle: VehicleParameters, steer: float, acceleration: float, dt: float) -> None:
    """
    Move a car by one control step, in place.

    Kinematic bicycle about the rear axle (Rajamani, Vehicle Dynamics and Control, 2.2), integrated with the values at the
    middle of the step.

    :param car: record of :data:`~.records.CAR`
    :param vehicle: parameters of the car
    :param steer: commanded steering angle [rad], left positive
    :param acceleration: commanded acceleration [m/s²]
    :param dt: length of the step [s]
    """
    new_steer = turned_wheel(vehicle, car.steer, steer, dt)
    new_speed = car.speed + clip(acceleration, -vehicle.max_braking, vehicle.max_acceleration) * dt
    new_speed = clip(new_speed, 0.0, vehicle.max_speed)
    middle_speed = 0.5 * (car.speed + new_speed)
    yaw_rate = steady_yaw_rate(vehicle, middle_speed, 0.5 * (car.steer + new_steer))
    middle_yaw = car.yaw + 0.5 * yaw_rate * dt
    car.x += middle_speed * math.cos(middle_yaw) * dt
    car.y += middle_speed * math.sin(middle_yaw) * dt
    car.yaw += yaw_rate * dt
    car.acceleration = (new_speed - car.speed) / dt
    car.speed = new_speed
    car.steer = new_steer
    car.yaw_rate = yaw_rate
