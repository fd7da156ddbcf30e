"""Time to collision by hand, and against boxes moved step by step."""

import math

import numpy as np
import pytest

from sb3_delta_waypoint.driving.footprint import Box, agent_box, car_box, overlap
from sb3_delta_waypoint.driving.kernels import kernel
from tests.driving.scoring import BETWEEN_LANES, IN_LANE, VEHICLE, a_car, meet, others


def after(*rows, speed=10.0, standing=IN_LANE):
    return meet(others(*rows), a_car(speed), standing).time_to_collision


@pytest.mark.parametrize(("gap", "time"), [(8.99, 0.9), (9.01, 1.0), (28.99, 2.9), (29.01, math.inf), (0.5, 0.1)])
def test_a_standing_car_ahead(gap, time):
    assert after((3.7 + gap + 2.0, 0.0, 0.0, 0.0)) == pytest.approx(time)


def test_only_the_speed_between_the_two_counts():
    ahead = 3.7 + 2.0 + 9.5
    assert after((ahead, 0.0, 0.0, 5.0)) == pytest.approx(1.9)
    assert after((ahead, 0.0, 0.0, 10.0)) == math.inf
    assert after((ahead, 0.0, math.pi, 10.0)) == pytest.approx(0.5)


def test_a_standing_car_does_not_collide():
    oncoming = (3.7 + 2.0 + 1.0, 0.0, math.pi, 10.0)
    assert after(oncoming, speed=0.005) == math.inf
    assert after(oncoming, speed=0.006) == pytest.approx(0.1)


def test_others_to_the_side_count_for_a_car_that_is_not_in_one_lane():
    # it cuts in from the left, 45° ahead, and would be touched
    beside = (6.0, 6.0, -math.pi / 2, 5.0)
    slow = {"speed": 2.0}
    assert after(beside, **slow) == math.inf
    for standing in (BETWEEN_LANES, IN_LANE._replace(on_area=False), IN_LANE._replace(in_junction=True)):
        assert after(beside, standing=standing, **slow) < 1.0
    # at a bearing of less than 30° it counts anyway
    assert after((5.5, 3.0, -math.pi / 2, 5.0), **slow) < 1.0


def test_others_behind_never_count():
    behind = (-6.0, 0.0, 0.0, 20.0)
    assert after(behind) == after(behind, standing=BETWEEN_LANES) == math.inf


def test_the_soonest_of_all_counts_and_a_contact_at_fault_is_0():
    near, far = (15.0, 0.0, 0.0, 0.0), (25.0, 0.0, 0.0, 0.0)
    assert after(far, near) == after(near) < after(far)
    assert after((5.0, 0.0, 0.0, 5.0), far) == 0.0


@kernel
def _moved(cars, agents, vehicle):
    """The first moment at which boxes overlap that are moved on step by step."""
    car, agent = cars[0], agents[0]
    for k in range(1, 30):
        t = 0.1 * k
        a, b = car_box(car, vehicle), agent_box(agent)
        one = Box(a.x + t * car.speed * a.cos, a.y + t * car.speed * a.sin, a.cos, a.sin, a.half_length, a.half_width)
        other = Box(b.x + t * agent.speed * b.cos, b.y + t * agent.speed * b.sin, b.cos, b.sin, b.half_length, b.half_width)
        if overlap(one, other):
            return t
    return np.inf


def test_it_is_when_boxes_overlap_that_are_moved_step_by_step():
    rng, finite = np.random.default_rng(0), 0
    for _ in range(3000):
        car = a_car(rng.uniform(0.1, 20.0), *rng.uniform(-5, 5, 2), rng.uniform(-4, 4))
        agents = others((*rng.uniform(-25, 25, 2), rng.uniform(-4, 4), rng.uniform(0.0, 20.0)))
        meeting = meet(agents, car, BETWEEN_LANES)
        dx, dy = agents["x"][0] - car["x"][0], agents["y"][0] - car["y"][0]
        bearing = abs(math.remainder(math.atan2(dy, dx) - car["yaw"][0], 2 * math.pi))
        if agents["collided"][0]:
            continue
        expected = _moved(car, agents, VEHICLE) if bearing <= math.radians(150.0) else math.inf
        assert meeting.time_to_collision == pytest.approx(expected), (car, agents)
        finite += expected < math.inf
    assert finite > 150
