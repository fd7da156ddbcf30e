"""Wanted steering angles and accelerations become what the car does, for each vehicle from its own physics control."""

import math
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest

carla = pytest.importorskip("carla")

# ruff: noqa: E402 (the imports below need it)
from sb3_delta_waypoint.carla_bridge.connection import Session
from sb3_delta_waypoint.carla_bridge.ego import Ego
from sb3_delta_waypoint.carla_bridge.loopback import LoopbackServer
from sb3_delta_waypoint.carla_bridge.vehicle_control import VehicleModel
from sb3_delta_waypoint.driving.frames import wrap
from sb3_delta_waypoint.maps.carla_frame import pose_of, transform_of

VEHICLES = ["vehicle.lincoln.mkz_2020", "vehicle.nissan.micra", "vehicle.carlamotors.carlacola"]


@pytest.fixture(scope="module")
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer() as server:
        yield server


@pytest.fixture(params=VEHICLES)
def ego(server, request) -> Iterator[Ego]:
    session = Session(server.host, server.port, None, 10.0, False, 5.0)
    yield Ego(session, request.param)
    session.close()


def drive(ego: Ego, angle: float, accelerations: list[float], speed: float) -> np.ndarray:
    """Speed, yaw rate, x and y after each step, from a start in the middle of nowhere."""
    ego.place((0.0, 0.0, 0.0), 0.0, speed, angle, "nowhere")
    rows, measured, before = [], 0.0, speed
    ego._session.tick()
    for acceleration in accelerations:
        ego.control(angle, acceleration, before, measured)
        ego._session.tick()
        m, _ = ego.measure()
        measured, before = (m.speed - before) / 0.1, m.speed
        rows.append((m.speed, m.yaw_rate, m.x, m.y))
    return np.array(rows)


@pytest.mark.parametrize("wanted", [-3.0, -1.0, 0.0, 0.8, 1.5])
def test_the_car_accelerates_as_it_is_told(ego, wanted):
    speeds = drive(ego, 0.0, [wanted] * 20, 8.0)[:, 0]
    moving = speeds > 0.5
    gained = np.diff(speeds)[6:][moving[7:]] / 0.1  # pedals take a moment
    assert gained.mean() == pytest.approx(wanted, abs=0.15)


@pytest.mark.parametrize("angle", [-0.3, 0.05, 0.2])
def test_the_car_turns_as_the_bicycle_of_its_wheelbase(ego, angle):
    rows = drive(ego, angle, [0.0] * 30, 3.0)
    curvature = rows[-8:, 1].mean() / rows[-8:, 0].mean()
    assert curvature == pytest.approx(math.tan(angle) / ego.model.wheelbase, rel=0.1)


def test_the_reference_point_is_the_rear_axle(ego):
    """It is what moves along the car's heading in a turn."""
    ego.place((0.0, 0.0, 0.0), 0.0, 3.0, 0.2, "nowhere")
    places = []
    for _ in range(20):
        ego.control(0.2, 0.0, 3.0, 0.0)
        ego._session.tick()
        places.append(ego.measure()[0])
    for before, after in zip(places[5:], places[6:], strict=False):
        course = math.atan2(after.y - before.y, after.x - before.x)
        assert wrap(course - 0.5 * (before.yaw + after.yaw)) == pytest.approx(0.0, abs=0.01)


def test_a_car_that_is_to_stand_stands(ego):
    assert drive(ego, 0.0, [-3.0] * 50, 5.0)[-1, 0] == pytest.approx(0.0, abs=0.01)


def test_steering_beyond_the_limit_is_the_limit_and_left_is_negative(ego):
    assert ego.model.steering(2.0, 5.0) == -1.0 and ego.model.steering(-2.0, 5.0) == 1.0
    assert -1.0 < ego.model.steering(0.2, 5.0) < 0.0


def physics(**changes) -> SimpleNamespace:
    """A physics control in CARLA's units, of a car whose origin is at (10, -5) and that looks along +x."""
    wheel = SimpleNamespace(max_steer_angle=60.0, radius=35.0, max_brake_torque=1500.0)
    places = [(1150.0, 420.0), (1150.0, 580.0), (850.0, 420.0), (850.0, 580.0)]
    point = SimpleNamespace
    values = {
        "wheels": [SimpleNamespace(**vars(wheel), position=point(x=x, y=y, z=30.0)) for x, y in places],
        "steering_curve": [point(x=0.0, y=1.0), point(x=36.0, y=0.5)],
        "torque_curve": [point(x=0.0, y=300.0), point(x=6000.0, y=300.0)],
        "forward_gears": [point(ratio=4.0, up_ratio=0.5), point(ratio=2.0, up_ratio=0.5)],
        "max_rpm": 6000.0,
        "final_ratio": 4.0,
        "mass": 1500.0,
    }
    return SimpleNamespace(**{**values, **changes})


def test_the_model_comes_from_the_physics_control():
    model = VehicleModel.of(physics(), (10.0, -5.0, 0.0))
    assert model.wheelbase == pytest.approx(3.0) and model.rear_axle == pytest.approx(-1.5)
    assert model.max_steer == pytest.approx(math.radians(60.0))
    assert model.steering(math.radians(30.0), 10.0) == pytest.approx(-1.0), "half the range is left at 36 km/h"
    assert model.full_brake == pytest.approx(4 * 1500.0 / (0.35 * 1500.0))
    first, second = (300.0 * ratio * 4.0 / (0.35 * 1500.0) for ratio in (4.0, 2.0))
    np.testing.assert_allclose(model.full_throttle[1][[0, 10]], [first, second])
    assert model.pedals(first / 2 - 0.1, 0.5)[0] == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize(("changes", "named"), [({"wheels": []}, "0 wheels"), ({"mass": -1.0}, "full brake")])
def test_what_is_no_car_is_refused(changes, named):
    with pytest.raises(ValueError, match=named):
        VehicleModel.of(physics(**changes), (10.0, -5.0, 0.0))


def test_poses_go_to_carla_and_back():
    for yaw in (0.0, 1.0, -3.0, 2.5):
        x, y, back = pose_of(transform_of((3.0, 4.0, yaw), 0.0))
        assert (x, y, back) == pytest.approx((3.0, 4.0, yaw), abs=1e-5)
    transform = transform_of((3.0, 4.0, math.pi / 2), 0.0)
    assert transform.location.y == -4.0 and transform.rotation.yaw == pytest.approx(-90.0), "left of x is negative y"
    transform.rotation.yaw = -225.0
    assert pose_of(transform)[2] == pytest.approx(-0.75 * math.pi), "CARLA's yaws go beyond 180 degrees"
