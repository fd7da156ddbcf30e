"""The rows of a world snapshot: the states of bodies for the client, in CARLA's frame."""

import math

import numpy as np

from sb3_delta_waypoint.driving.bodies import FIXED, VEHICLE, origin
from sb3_delta_waypoint.driving.frames import left_handed, mirrored
from sb3_delta_waypoint.driving.kernels import kernel
from sb3_delta_waypoint.driving.records import Record

MOUNT = np.dtype(
    [
        # row of the body to which the actor is attached (-1 for none), and pose on it: x, y, z, pitch, yaw, roll
        ("parent", "i8"),
        ("offset", "f8", (6,)),
        # for unattached actors these are just passed through
        ("pitch", "f8"),
        ("roll", "f8"),
        ("manual_gear_shift", "?"),
        # last velocity of the actor's origin, for its acceleration
        ("velocity_x", "f8"),
        ("velocity_y", "f8"),
    ],
    align=True,
)
"""State of an actor that only the client needs, in addition to its body: metres and degrees, CARLA's frame."""


@kernel
def write_rows(bodies: np.ndarray, mounts: np.ndarray, controls: np.ndarray, rows: np.ndarray, n: int, dt: float) -> None:
    """
    Write the rows of a snapshot.

    :param bodies: array of :data:`~sb3_delta_waypoint.driving.bodies.BODY`, the first ``n`` in use
    :param mounts: array of :data:`MOUNT`
    :param controls: array of :data:`~sb3_delta_waypoint.driving.bodies.CONTROL`
    :param rows: array of :data:`~.wire.ACTOR_ROW`; ids, states and all constant fields are already filled in
    :param n: number of actors
    :param dt: length of the step that led here [s]
    """
    for i in range(n):
        if mounts[i].parent >= 0:
            _write_mounted(bodies[mounts[i].parent], mounts[i], rows[i])
        else:
            _write_row(bodies[i], mounts[i], controls[i], rows[i], dt)


@kernel
def _write_mounted(parent: Record, mount: Record, row: Record) -> None:
    """Write the pose of an attached actor from that of its parent, which is level."""
    x, y, yaw = left_handed_origin(parent)
    cos, sin = math.cos(math.radians(yaw)), math.sin(math.radians(yaw))
    offset = mount.offset
    row.x = x + cos * offset[0] - sin * offset[1]
    row.y = y + sin * offset[0] + cos * offset[1]
    row.z = parent.z + offset[2]
    row.pitch, row.yaw, row.roll = offset[3], yaw + offset[4], offset[5]


@kernel
def _write_row(body: Record, mount: Record, control: Record, row: Record, dt: float) -> None:
    row.x, row.y, row.yaw = left_handed_origin(body)
    row.z, row.pitch, row.roll = body.z, mount.pitch, mount.roll
    if body.kind == FIXED:
        return
    speed = body.speed * body.direction
    across = body.yaw_rate * body.axle
    velocity_x = speed * math.cos(body.yaw) - across * math.sin(body.yaw)
    velocity_y = speed * math.sin(body.yaw) + across * math.cos(body.yaw)
    row.velocity[0], row.velocity[1], row.angular_velocity[2] = left_handed(velocity_x, velocity_y, body.yaw_rate)
    if dt > 0.0:
        change_x, change_y = (velocity_x - mount.velocity_x) / dt, (velocity_y - mount.velocity_y) / dt
        row.acceleration[0], row.acceleration[1], _ = left_handed(change_x, change_y, 0.0)
    mount.velocity_x, mount.velocity_y = velocity_x, velocity_y
    if body.kind == VEHICLE:
        row.throttle, row.steer, row.brake = control.throttle, mirrored(control.steer), control.brake
        row.hand_brake, row.reverse = control.hand_brake, control.reverse
        row.manual_gear_shift = mount.manual_gear_shift
        row.gear = int(body.direction) if body.speed > 0.0 or control.throttle > 0.0 else 0


@kernel
def left_handed_origin(body: Record) -> tuple[float, float, float]:
    """Pose of a body's origin in CARLA's frame: x, y [m] and yaw [degrees]."""
    x, y, yaw = origin(body)
    return left_handed(x, y, yaw)
