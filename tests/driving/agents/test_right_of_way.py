"""Who goes first where lanes cross."""

import numpy as np

from tests.driving.agents.worlds import World, crossroads, overlapping


def run(world, steps=400):
    """Let everybody drive; return the order in which they have left the crossing."""
    left = []
    for _ in range(steps):
        world.step()
        here = [
            int(row)
            for row in np.flatnonzero(world.agents["present"])
            if max(abs(world.agents["x"][row]), abs(world.agents["y"][row])) < 2.0
        ]
        assert len({int(world.drivers["segment"][row]) for row in here}) <= 1, "two on the crossing"
        assert not overlapping(world.agents)
        for row in range(len(world.agents)):
            if row not in left and world.drivers["segment"][row] in (2, 5):
                left.append(row)
    return left


def test_two_go_one_after_the_other_and_nobody_waits_for_ever():
    for delay in (0.0, 4.0, 8.0):
        world = World(crossroads())
        world.vehicle(0, 0, 90.0, 8.0)
        world.vehicle(1, 3, 90.0 - delay, 8.0)
        assert sorted(run(world)) == [0, 1]
        world.step(100)
        assert (world.agents["x"][0] > 20.0) and (world.agents["y"][1] > 20.0)


def test_two_queues_pass_in_time():
    world = World(crossroads(), n=6)
    for k in range(3):
        world.vehicle(2 * k, 0, 100.0 - 15.0 * k, 8.0)
        world.vehicle(2 * k + 1, 3, 100.0 - 15.0 * k, 8.0)
    assert sorted(run(world, 500)) == list(range(6))


def test_who_has_a_stop_sign_halts_and_lets_the_other_go():
    world = World(crossroads(stop_at=140.0))
    world.vehicle(0, 0, 60.0, 8.0)
    world.vehicle(1, 3, 100.0, 8.0)
    slowest = np.inf
    order = []
    for _ in range(500):
        world.step()
        if 134.0 < world.drivers["along"][1] < 139.0 and world.drivers["segment"][1] == 3:
            slowest = min(slowest, world.agents["speed"][1])
        order += [row for row in (0, 1) if row not in order and world.drivers["segment"][row] in (2, 5)]
    assert slowest < 0.3 and order == [0, 1]


def test_nobody_enters_who_could_not_leave():
    world = World(crossroads())
    world.vehicle(0, 0, 100.0, 8.0)
    # a queue that ends right behind the crossing
    world.vehicle(1, 2, 1.0, 0.0, pace_share=1e-6)
    world.step(120)
    assert world.agents["speed"][0] < 0.1 and world.agents["x"][0] + 2.0 < -1.0


def test_who_waits_at_a_red_light_gives_up_its_turn():
    world = World(crossroads(lights=[(0, 0, 2), (0, 1, 2)]))
    world.vehicle(0, 0, 120.0, 8.0)
    world.vehicle(1, 3, 120.0, 8.0)
    crossed = set()
    for _ in range(400):
        world.step()
        for row, first in ((0, 0), (1, 3)):
            if world.agents["speed"][row] < 0.05 and world.drivers["segment"][row] == first:
                assert world.drivers["claimed"][row] < 0
        crossed |= {row for row in (0, 1) if world.drivers["segment"][row] in (2, 5)}
    assert crossed == {0, 1}
