"""States of cars that are copied to other cars."""

import numpy as np
import pytest

from sb3_delta_waypoint.driving.config import DrivingConfig
from sb3_delta_waypoint.driving.score import RUNNING
from sb3_delta_waypoint.driving.simulation import Simulation

N = 4


@pytest.fixture
def simulation():
    """Four cars in mid-episode, in different scenarios."""
    simulation = Simulation(N, DrivingConfig(route_length=30.0))
    simulation.seed(3)
    simulation.reset()
    for _ in range(12):
        simulation.step(simulation.expert_plans())
    return simulation


def noise(rng):
    return rng.normal(0.0, 0.4, (20, 2)).astype(np.float32)


def test_copies_go_on_as_the_original_does(simulation):
    state = simulation.state_of(1)
    seen = simulation.begin_in_state([3, 0], state)
    assert (simulation.cars["scenario"] == [1, 1, 2, 1]).all()
    rng, lasting = np.random.default_rng(0), 0
    while True:
        plans = np.stack([simulation.expert_plans()[1] + noise(rng)] * N)
        result = simulation.step(plans)
        lasting += 1
        for values in (*result.observation, result.reward, result.outcome):
            same = values[[0, 1, 3]]
            if result.outcome[1] == RUNNING or values is result.reward or values is result.outcome:
                assert (same == same[0]).all()
        if result.outcome[1] != RUNNING:
            break
    assert seen.state.shape == (2, 4) and lasting > 5
    final = simulation.final
    assert (final.scenario[[0, 1, 3]] == 1).all() and final.start_step[[0, 1, 3]].tolist() == [12, 0, 12]
    # clock and totals are those of the original
    np.testing.assert_array_equal(simulation.final_metrics[[0, 3]], simulation.final_metrics[[1, 1]])
    assert final.episode["episode_length"][0] == 12 + lasting


def test_a_state_may_be_played_later_and_keeps_its_clock(simulation):
    state = simulation.state_of(2)
    before = [values.copy() for values in state]
    steps = int(state.cars["max_steps"][0])
    standing = np.zeros((N, 20, 2), np.float32)
    for _ in range(5):
        simulation.step(standing)
    assert all((values == kept).all() for values, kept in zip(state, before, strict=True)), "the state is a copy"
    simulation.begin_in_state([2], state)
    played = 0
    while simulation.step(standing).outcome[2] == RUNNING:
        played += 1
    assert played + 1 == steps - 12


def test_the_order_of_the_scenarios_is_kept(simulation):
    simulation.cars["episodes"] = [1, 2, 3, 4]
    simulation.begin_in_state([0, 1, 2], simulation.state_of(3))
    assert (simulation.cars["scenario"] == 3).all() and simulation.cars["start_step"].tolist() == [12, 12, 12, 0]
    played: list[list[int]] = [[] for _ in range(N)]
    while min(map(len, played)) < 2:
        for i in np.flatnonzero(simulation.step(simulation.expert_plans()).outcome != RUNNING):
            played[i].append(int(simulation.cars["scenario"][i]))
            assert simulation.cars["start_step"][i] == 0
    assert [numbers[:2] for numbers in played] == [[(1 + i) * N + i, (2 + i) * N + i] for i in range(N)]


def test_states_of_other_cars_are_refused(simulation):
    other = Simulation(1, DrivingConfig(route_length=20.0))
    with pytest.raises(RuntimeError, match="no routes yet"):
        other.state_of(0)
    other.reset()
    with pytest.raises(ValueError, match="does not fit cars of .* take it from the same simulation"):
        simulation.begin_in_state([0], other.state_of(0))
