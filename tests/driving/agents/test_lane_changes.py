"""Lane changes: where they gain, and never into somebody."""

import pytest

from tests.driving.agents.worlds import World, overlapping, two_lanes


@pytest.fixture(scope="module")
def road():
    return two_lanes()


def behind_somebody_slow(road, **values):
    world = World(road, n=3)
    world.vehicle(0, 0, 100.0, 9.0, changes_lanes=True, **values)
    world.vehicle(1, 0, 125.0, 3.0, pace_share=0.3)
    return world


def test_it_overtakes_who_is_slow(road):
    world = behind_somebody_slow(road)
    ys = []
    for _ in range(200):
        world.step()
        ys.append(float(world.agents["y"][0]))
        assert not overlapping(world.agents)
    assert world.drivers["segment"][0] == 1 and ys[-1] == pytest.approx(3.5)
    assert max(b - a for a, b in zip(ys, ys[1:], strict=False)) < 0.15, "it moves over, and does not jump"
    assert world.agents["x"][0] > world.agents["x"][1]


def test_without_a_gain_it_stays(road):
    world = World(road, n=3)
    world.vehicle(0, 0, 100.0, 9.0, changes_lanes=True)
    world.step(100)
    assert world.drivers["segment"][0] == 0 and world.agents["y"][0] == 0.0


def test_only_those_who_want_to_change(road):
    world = behind_somebody_slow(road)
    world.drivers["changes_lanes"][0] = False
    world.step(100)
    assert world.drivers["segment"][0] == 0


@pytest.mark.parametrize(("along", "speed"), [(100.0, 9.0), (96.0, 9.0), (104.5, 8.0), (80.0, 10.0)])
def test_never_into_somebody(road, along, speed):
    world = behind_somebody_slow(road)
    world.vehicle(2, 1, along, speed)
    for _ in range(150):
        before = world.drivers["segment"][0]
        world.step()
        assert not overlapping(world.agents)
        assert world.drivers["acceleration"][2] > -2.5, "nobody has to brake hard for it"
        if before != world.drivers["segment"][0]:
            assert abs(world.gap(0, 2) if world.agents["x"][2] > world.agents["x"][0] else world.gap(2, 0)) > 0.5


def test_not_shortly_before_the_end_of_a_lane(road):
    world = behind_somebody_slow(road)
    world.vehicle(0, 0, 381.0, 4.0, changes_lanes=True)
    world.vehicle(1, 0, 397.0, 0.0)
    world.step(40)
    assert world.drivers["segment"][0] == 0


def test_a_turn_taken_on_the_old_lane_is_given_up(road):
    world = behind_somebody_slow(road, claimed=7)
    world.step(30)
    assert world.drivers["segment"][0] == 1 and world.drivers["claimed"][0] == -1
