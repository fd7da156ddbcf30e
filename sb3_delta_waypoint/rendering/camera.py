"""Renderer of camera images: the ground plane, the sky and boxes, without shadows and textures."""

import math
from typing import NamedTuple

import numpy as np

from sb3_delta_waypoint.driving.bodies import origin
from sb3_delta_waypoint.driving.frames import left_handed
from sb3_delta_waypoint.driving.kernels import kernel
from sb3_delta_waypoint.driving.records import Record
from sb3_delta_waypoint.rendering.ground import Ground

PALETTE = np.array([(72, 98, 58), (78, 78, 82), (140, 136, 130), (225, 225, 220), (205, 165, 60)], np.float64)
"""Colours of the ground by day, red, green, blue."""
SKY = np.array((150.0, 185.0, 225.0))
OVERCAST = np.array((165.0, 168.0, 172.0))
NIGHT = 0.12
"""Brightness at night, as a share of that by day."""
NEAR = 0.05
"""Nearest distance that is drawn [m]."""
VIEW = 150.0
"""Farthest distance that is drawn [m]."""
FACES = (0.75, 0.6, 1.0)
"""Brightness of the faces of a box across its length, width and height."""


class Light(NamedTuple):
    """
    The effect of daytime and weather on colours.

    :param brightness: brightness as a share of that by day
    :param overcast: share of the sky that is covered by clouds
    :param fog: density of the fog [1/m]
    """

    brightness: float
    overcast: float
    fog: float


class Eye(NamedTuple):
    """Pose of a camera in CARLA's frame, and its field of view."""

    x: float
    """[m]"""
    y: float
    """[m]"""
    z: float
    """[m]"""
    pitch: float
    """[degrees]"""
    yaw: float
    """[degrees]"""
    roll: float
    """[degrees]"""
    fov: float
    """Horizontal field of view [degrees]."""


class Picture(NamedTuple):
    """
    The arrays into which an image is drawn.

    :param image: uint8 ``(height, width, 4)``, blue, green, red, alpha
    :param depth: float32 ``(height, width)``, metres along the optical axis
    """

    image: np.ndarray
    depth: np.ndarray


def light_of(weather: list[float]) -> Light:
    """
    Compute the light from the weather.

    :param weather: the fourteen values of ``carla.WeatherParameters``, in their order on the wire
    :return: the light
    """
    clouds, rain, altitude, fog = weather[0] / 100, weather[1] / 100, weather[5], weather[6] / 100
    day = min(max((altitude + 6.0) / 30.0, 0.0), 1.0)
    brightness = NIGHT + (1.0 - NIGHT) * day * (1.0 - 0.3 * clouds) * (1.0 - 0.2 * rain)
    return Light(brightness, max(clouds, rain), 0.03 * fog + 0.004 * rain)


@kernel
def render(picture: Picture, eye: Eye, ground: Ground, bodies: np.ndarray, owner: int, light: Light) -> None:
    """
    Draw a pinhole image.

    :param picture: written
    :param eye: the camera
    :param ground: the ground seen from above
    :param bodies: array of :data:`~sb3_delta_waypoint.driving.bodies.BODY`
    :param owner: row of the body that carries the camera and is not drawn, or -1
    :param light: light and weather, from :func:`light_of`
    """
    image, depth = picture
    height, width = depth.shape
    focal = width / (2.0 * math.tan(math.radians(eye.fov) / 2.0))
    axes = _axes(math.radians(eye.pitch), math.radians(eye.yaw), math.radians(eye.roll))
    for v in range(height):
        down = (v + 0.5 - height / 2.0) / focal
        for u in range(width):
            right = (u + 0.5 - width / 2.0) / focal
            ray_x = axes[0, 0] + right * axes[1, 0] - down * axes[2, 0]
            ray_y = axes[0, 1] + right * axes[1, 1] - down * axes[2, 1]
            ray_z = axes[0, 2] + right * axes[1, 2] - down * axes[2, 2]
            distance = -eye.z / ray_z if ray_z < -1e-6 and eye.z > 0.0 else np.inf
            depth[v, u] = distance
            if distance < np.inf:
                column = math.floor((eye.x + distance * ray_x - ground.x) / ground.resolution)
                row = math.floor((eye.y + distance * ray_y - ground.y) / ground.resolution)
                inside = 0 <= row < ground.cells.shape[0] and 0 <= column < ground.cells.shape[1]
                colour = PALETTE[ground.cells[int(row), int(column)] if inside else 0]
                _shade(image[v, u], colour[0], colour[1], colour[2], 1.0, distance, light)
            else:
                grey = light.overcast
                red, green, blue = SKY[0], SKY[1], SKY[2]
                _shade(
                    image[v, u],
                    red + grey * (OVERCAST[0] - red),
                    green + grey * (OVERCAST[1] - green),
                    blue + grey * (OVERCAST[2] - blue),
                    1.0,
                    VIEW,
                    light,
                )
    for j in range(bodies.shape[0]):
        if bodies[j].solid and j != owner:
            _draw_box(picture, eye, axes, focal, bodies[j], light)


@kernel
def _axes(pitch: float, yaw: float, roll: float) -> np.ndarray:
    """Unit vectors forward, right and up of a rotation in CARLA's left-handed frame, one per row."""
    cp, sp, cy, sy, cr, sr = (
        math.cos(pitch),
        math.sin(pitch),
        math.cos(yaw),
        math.sin(yaw),
        math.cos(roll),
        math.sin(roll),
    )
    return np.array(
        (
            (cp * cy, cp * sy, sp),
            (cy * sp * sr - sy * cr, sy * sp * sr + cy * cr, -cp * sr),
            (-cy * sp * cr - sy * sr, -sy * sp * cr + cy * sr, cp * cr),
        )
    )


@kernel
def _shade(
    pixel: np.ndarray,
    red: float,
    green: float,
    blue: float,
    face: float,
    distance: float,
    light: Light,
) -> None:
    clear = math.exp(-light.fog * distance) if light.fog > 0.0 else 1.0
    fog = 200.0 * (1.0 - clear)
    pixel[0] = np.uint8((blue * face * clear + fog) * light.brightness)
    pixel[1] = np.uint8((green * face * clear + fog) * light.brightness)
    pixel[2] = np.uint8((red * face * clear + fog) * light.brightness)
    pixel[3] = np.uint8(255)


@kernel
def _draw_box(picture: Picture, eye: Eye, axes: np.ndarray, focal: float, body: Record, light: Light) -> None:
    """Draw a box by casting the rays of all pixels that it may cover (slab method: Kay and Kajiya, 1986)."""
    image, depth = picture
    height, width = depth.shape
    right_x, right_y, right_yaw = origin(body)
    x, y, yaw = left_handed(right_x, right_y, right_yaw)
    cos, sin = math.cos(math.radians(yaw)), math.sin(math.radians(yaw))
    half = (body.half_length, body.half_width, body.half_height)
    centre = (
        x + cos * body.box_x + sin * body.box_y - eye.x,
        y + sin * body.box_x - cos * body.box_y - eye.y,
        body.z + body.box_z - eye.z,
    )
    ahead = centre[0] * axes[0, 0] + centre[1] * axes[0, 1] + centre[2] * axes[0, 2]
    radius = math.sqrt(half[0] ** 2 + half[1] ** 2 + half[2] ** 2)
    if ahead < NEAR - radius or ahead > VIEW:
        return
    left, right, top, bottom = float(width), 0.0, float(height), 0.0
    for corner in range(8):
        along = half[0] * (1.0 if corner & 1 else -1.0)
        aside = half[1] * (1.0 if corner & 2 else -1.0)
        corner_x = centre[0] + cos * along - sin * aside
        corner_y = centre[1] + sin * along + cos * aside
        corner_z = centre[2] + half[2] * (1.0 if corner & 4 else -1.0)
        forward = corner_x * axes[0, 0] + corner_y * axes[0, 1] + corner_z * axes[0, 2]
        if forward < NEAR:
            left, right, top, bottom = 0.0, float(width), 0.0, float(height)
            break
        u = width / 2.0 + focal * (corner_x * axes[1, 0] + corner_y * axes[1, 1] + corner_z * axes[1, 2]) / forward
        v = height / 2.0 - focal * (corner_x * axes[2, 0] + corner_y * axes[2, 1] + corner_z * axes[2, 2]) / forward
        left, right, top, bottom = min(left, u), max(right, u), min(top, v), max(bottom, v)

    # the eye in the frame of the box
    within = (-(centre[0] * cos + centre[1] * sin), -(centre[1] * cos - centre[0] * sin), -centre[2])
    red, green, blue = float(body.colour >> 16 & 255), float(body.colour >> 8 & 255), float(body.colour & 255)
    for v in range(max(0, int(top)), min(height, int(bottom) + 1)):
        down = (v + 0.5 - height / 2.0) / focal
        for u in range(max(0, int(left)), min(width, int(right) + 1)):
            aside = (u + 0.5 - width / 2.0) / focal
            ray_x = axes[0, 0] + aside * axes[1, 0] - down * axes[2, 0]
            ray_y = axes[0, 1] + aside * axes[1, 1] - down * axes[2, 1]
            ray = (
                ray_x * cos + ray_y * sin,
                ray_y * cos - ray_x * sin,
                axes[0, 2] + aside * axes[1, 2] - down * axes[2, 2],
            )
            enter, leave, face = NEAR, np.inf, 0
            for axis in range(3):
                inverse = 1.0 / ray[axis] if ray[axis] != 0.0 else 1e12
                first = (-half[axis] - within[axis]) * inverse
                last = (half[axis] - within[axis]) * inverse
                if first > last:
                    first, last = last, first
                if first > enter:
                    enter, face = first, axis
                leave = min(leave, last)
            if enter < leave and enter < depth[v, u]:
                depth[v, u] = enter
                _shade(image[v, u], red, green, blue, FACES[face], enter, light)
