"""Controls of a CARLA vehicle: pedals and steering wheel from the tracker's steering angle and acceleration."""

import math
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np

from sb3_delta_waypoint.driving.frames import Pose, mirrored, to_ego
from sb3_delta_waypoint.maps.carla_frame import place_of, pose_of

COASTING = 0.1
"""Approximate deceleration of a rolling car without any pedal [m/s²]; the correction finds the rest."""
CORRECTION_GAIN = 0.15
"""Share of the error of the acceleration that is added to the correction in each step."""
STEADY_STEPS, STEADY = 5, 0.5
"""The correction only changes when this number of previous commands lie within this range [m/s²]: engine and brakes lag."""
MAX_CORRECTION = 1.5
"""Largest correction [m/s²]."""
STANDING = 0.1
"""Speed below which the brake holds a car that should not accelerate [m/s]."""
HOLDING_BRAKE = 0.3


@dataclass(frozen=True)
class VehicleModel:
    """
    Model of a vehicle, read from its physics control.

    :param wheelbase: distance between the axles [m]
    :param rear_axle: distance forwards from the actor's origin to the middle of the rear axle [m] (negative: behind)
    :param max_steer: largest angle of the front wheels [rad]
    :param steering_curve: speeds [m/s] and the share of ``max_steer`` available at them, float64 ``(2, N)``
    :param full_throttle: speeds [m/s] and the acceleration at full throttle [m/s²], float64 ``(2, N)``
    :param full_brake: deceleration at full brake [m/s²]
    """

    wheelbase: float
    rear_axle: float
    max_steer: float
    steering_curve: np.ndarray
    full_throttle: np.ndarray
    full_brake: float

    @classmethod
    def of(cls, physics: Any, pose: Pose) -> "VehicleModel":
        """
        Read a vehicle's physics control. As in CARLA 0.9, wheel radii and wheel positions (in the world) are in centimetres.

        :param physics: ``carla.VehiclePhysicsControl``
        :param pose: pose of the vehicle's origin when the physics control was read
        :return: the model
        :raises ValueError: if the vehicle does not have four wheels, or one of its numbers is out of range
        """
        wheels = list(physics.wheels)
        if len(wheels) != 4:
            raise ValueError(f"the vehicle has {len(wheels)} wheels; a car with 4 is needed")
        places = np.array([place_of(wheel.position) for wheel in wheels]) / 100.0
        front, rear = to_ego(places[:2].mean(axis=0), pose), to_ego(places[2:].mean(axis=0), pose)
        radius = wheels[0].radius / 100.0
        max_steer = math.radians(max(wheel.max_steer_angle for wheel in wheels))
        curve = np.array([[point.x / 3.6, point.y] for point in physics.steering_curve] or [[0.0, 1.0]]).T
        model = cls(
            wheelbase=float(front[0] - rear[0]),
            rear_axle=float(rear[0]),
            max_steer=max_steer,
            steering_curve=curve,
            full_throttle=_full_throttle(physics, radius),
            full_brake=sum(wheel.max_brake_torque for wheel in wheels) / (radius * physics.mass),
        )
        if not 1.0 < model.wheelbase < 10.0 or not 0.1 < max_steer < 1.6 or model.full_brake <= 0.0:
            raise ValueError(
                f"physics control of the vehicle: wheelbase {model.wheelbase:.2f} m, largest steering angle {max_steer:.2f} "
                f"rad, full brake {model.full_brake:.2f} m/s² are not those of a car"
            )
        return model

    def steering(self, angle: float, speed: float) -> float:
        """
        Compute the position of the steering wheel.

        :param angle: angle of the front wheels [rad], left positive
        :param speed: [m/s]
        :return: ``steer`` of ``carla.VehicleControl``, within ±1, right positive
        """
        reach = self.max_steer * float(np.interp(speed, *self.steering_curve))
        return min(max(mirrored(angle) / reach, -1.0), 1.0)

    def pedals(self, acceleration: float, speed: float) -> tuple[float, float]:
        """
        Compute the positions of the pedals.

        :param acceleration: [m/s²]
        :param speed: [m/s]
        :return: ``throttle`` and ``brake`` of ``carla.VehicleControl``, within 0 and 1, one of them 0
        """
        if speed < STANDING and acceleration <= 0.0:
            return 0.0, HOLDING_BRAKE
        pull = acceleration + COASTING
        if pull >= 0.0:
            return min(pull / float(np.interp(speed, *self.full_throttle)), 1.0), 0.0
        return 0.0, min(-pull / self.full_brake, 1.0)


def _full_throttle(physics: Any, radius: float) -> np.ndarray:
    """
    Acceleration at full throttle over speed: engine torque times gear ratio by wheel radius and mass, in the lowest gear whose
    engine speed is below its shifting point (Gillespie, Fundamentals of Vehicle Dynamics, 2).
    """
    torque = np.array([[point.x, point.y] for point in physics.torque_curve]).T
    ratios = [(gear.ratio * physics.final_ratio, gear.up_ratio) for gear in physics.forward_gears]
    speeds = np.linspace(0.0, 40.0, 41)
    accelerations = []
    for speed in speeds:
        for ratio, up_ratio in ratios:
            rpm = speed / radius * ratio * 60.0 / (2.0 * math.pi)
            if rpm <= up_ratio * physics.max_rpm:
                break
        accelerations.append(float(np.interp(rpm, *torque)) * ratio / (radius * physics.mass))
    # beyond the engine's highest speed there is hardly any torque, but a pedal position is needed all the same
    return np.array([speeds, np.maximum(accelerations, 0.5)])


class Driver:
    """
    A controller that turns commands into controls, and corrects them by the measured acceleration.

    A car's physics control describes its engine, but not its gear changes and losses. The error of the acceleration in the
    last steps is therefore added as a correction, within limits.

    :param model: model of the vehicle
    """

    def __init__(self, model: VehicleModel):
        self.model = model
        self._correction = 0.0
        self._wanted: deque[float] = deque(maxlen=STEADY_STEPS)

    def reset(self) -> None:
        """Reset the correction for a new episode."""
        self._correction = 0.0
        self._wanted.clear()

    def control(self, angle: float, acceleration: float, speed: float, measured_acceleration: float) -> Any:
        """
        Compute the control for the next step.

        :param angle: commanded angle of the front wheels [rad], left positive
        :param acceleration: commanded acceleration [m/s²]
        :param speed: measured speed [m/s]
        :param measured_acceleration: measured acceleration of the last step [m/s²]
        :return: ``carla.VehicleControl``
        """
        import carla

        wanted = self._wanted
        if len(wanted) == STEADY_STEPS and max(wanted) - min(wanted) <= STEADY and speed > STANDING:
            missing = wanted[-1] - measured_acceleration
            self._correction = min(max(self._correction + CORRECTION_GAIN * missing, -MAX_CORRECTION), MAX_CORRECTION)
        wanted.append(acceleration)
        throttle, brake = self.model.pedals(acceleration + self._correction, speed)
        return carla.VehicleControl(throttle=throttle, steer=self.model.steering(angle, speed), brake=brake)


def model_of(vehicle: Any) -> VehicleModel:
    """
    Read the model of a vehicle.

    :param vehicle: ``carla.Vehicle``, ticked at least once since it was spawned
    :return: its model
    """
    return VehicleModel.of(vehicle.get_physics_control(), pose_of(vehicle.get_transform()))
