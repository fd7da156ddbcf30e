"""How a car turns, and how far its wheels get in a step."""

import math

import pytest

from sb3_delta_waypoint.driving.vehicle import VehicleParameters, steady_steer, steady_yaw_rate, turned_wheel

CAR = VehicleParameters(wheelbase=3.0, characteristic_speed=20.0, max_lateral_acceleration=5.0)


@pytest.mark.parametrize("side", [-1.0, 1.0])
@pytest.mark.parametrize(("speed", "response"), [(1.0, 1.0025), (10.0, 1.25), (20.0, 2.0)])
def test_understeer_grows_with_the_square_of_the_speed(side, speed, response):
    assert steady_yaw_rate(CAR, speed, side * 0.02) == pytest.approx(side * speed * math.tan(0.02) / (3.0 * response))


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_beyond_its_grip_a_car_turns_no_faster(side):
    assert steady_yaw_rate(CAR, 10.0, side * 0.5) == pytest.approx(side * 0.5)


@pytest.mark.parametrize("curvature", [-0.04, 0.0, 0.04])
@pytest.mark.parametrize("speed", [2.0, 10.0])
def test_the_wheel_for_a_curve_holds_the_car_on_it(speed, curvature):
    assert steady_yaw_rate(CAR, speed, steady_steer(CAR, speed, curvature)) == pytest.approx(speed * curvature)
    assert steady_steer(CAR, speed, 99.0) == CAR.max_steer and steady_steer(CAR, speed, -99.0) == -CAR.max_steer


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_the_wheel_turns_so_far_in_a_step_to_either_side(side):
    reach = 0.1 * CAR.max_steer_rate
    assert turned_wheel(CAR, 0.0, side * 0.5, 0.1) == pytest.approx(side * reach)
    assert turned_wheel(CAR, side * 0.2, -side, 0.1) == pytest.approx(side * (0.2 - reach))
    assert turned_wheel(CAR, 0.0, side * 0.01, 0.1) == side * 0.01
    assert turned_wheel(CAR, side * 0.59, side, 0.1) == side * CAR.max_steer
