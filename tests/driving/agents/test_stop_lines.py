"""Stop lines on the car's route: how far they are, when it may go, and what the time limit grants."""

import numpy as np
import pytest

from sb3_delta_waypoint.driving.signals import GREEN, RED, YELLOW_SECONDS, light_state, light_turn
from tests.driving.agents.worlds import World, straight_road

FRONT = 3.7
"""From the rear axle to the bumper [m]."""


@pytest.fixture(scope="module")
def with_light():
    return straight_road(200.0, stop_at=100.0, lights=[(0, 0, 2)])


def starts(lanes, low, high, n):
    """Worlds at the starts of routes of 30 m, and where the line is on them, if there [m]."""
    world = World(lanes)
    for seed in range(400):
        world.simulation.seed(seed)
        world.simulation.reset()
        line = 100.0 + float(world.situation["begins"][0])
        if low < line < high:
            n -= 1
            yield world, line
        if n == 0:
            return
    raise AssertionError("no such route")


def signal(world):
    """What the car sees of the next line."""
    seen = world.simulation.observation_type.empty(1)
    world.simulation._observe(np.array([0]), seen)
    return tuple(seen.signal[0].tolist())


def test_the_next_light_and_whether_the_car_may_go(with_light):
    seen = set()
    for world, line in starts(with_light, 15.0, 30.0, 12):
        world.put_car(line - FRONT - 6.0, 0.0)
        state = light_state(world.situation["seed"], with_light.lights[0], 0.0)
        assert signal(world) == (pytest.approx(6.0, abs=1e-3), float(state == GREEN))
        seen.add(state == GREEN)
        world.put_car(line - FRONT + 1.5, 0.0)
        assert signal(world) == (100.0, 1.0), "beyond it"
    assert seen == {False, True}


def test_at_a_stop_sign_it_must_halt_first():
    world, line = next(starts(straight_road(200.0, stop_at=100.0), 20.0, 28.0, 1))

    def seen(left, speed):
        world.put_car(line - FRONT - left, speed)
        return signal(world)

    assert seen(9.0, 5.0) == (pytest.approx(9.0, abs=1e-3), 0.0)
    assert seen(9.0, 0.0)[1] == 0.0, "too far from the line"
    assert seen(2.0, 1.0)[1] == 0.0, "not halted"
    assert seen(2.0, 0.1)[1] == 1.0
    assert seen(1.0, 3.0)[1] == 1.0, "it has halted before"
    assert seen(-1.5, 3.0) == (100.0, 1.0)


def test_the_time_limit_grants_a_red_phase_of_each_light(with_light):
    # a queue before a light just beyond the goal of 30 m reaches back onto the route
    for low, high, lights in ((5.0, 30.0, 1), (31.0, 68.0, 1), (72.0, 99.0, 0)):
        for world, _ in starts(with_light, low, high, 4):
            route, n = world.simulation.world.routes[0], world.car["n_points"]
            profile = (2.0 / (route["speed"][: n - 1] + route["speed"][1:n])).sum()
            turn = light_turn(world.situation["seed"], with_light.lights[0])
            red = lights * (2.0 * turn - (turn - YELLOW_SECONDS))
            assert world.car["max_steps"] == pytest.approx((1.5 * profile + 5.0 + 20.0 + red) / 0.1, abs=1.0)


def test_the_car_begins_no_faster_than_it_can_stop(with_light):
    for world, line in starts(with_light, 4.5, 12.0, 10):
        assert world.car["speed"] ** 2 <= 2.0 * 3.0 * (line - FRONT - world.car["progress"]) + 1e-9


def test_crossing_on_red_is_counted(with_light):
    counted = set()
    plan = np.stack([np.arange(1, 21) * 0.8, np.zeros(20)], 1)[None].astype(np.float32)
    for world, line in starts(with_light, 15.0, 25.0, 10):
        state = light_state(world.situation["seed"], with_light.lights[0], 0.0)
        world.put_car(line - FRONT - 0.3, 8.0)
        world.step(plan=plan)
        totals = world.simulation.world.totals[0]
        assert totals["stop_lines"] == 1 and totals["red_lights"] == (state == RED)
        counted.add(state == RED)
    assert counted == {False, True}
