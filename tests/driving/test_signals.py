"""Phases of traffic lights: whose turn it is."""

import numpy as np
import pytest

from sb3_delta_waypoint.driving.lanes import LIGHT
from sb3_delta_waypoint.driving.signals import GREEN, RED, YELLOW, YELLOW_SECONDS, SignalPhases, light_state


def states(phases: SignalPhases, seconds: float, light: int) -> list[int]:
    """One state per second, from now on."""
    seen = []
    for _ in range(round(seconds)):
        phases.step(1.0)
        seen.append(int(phases.state[light]))
    return seen


def test_lights_are_green_until_the_turns_begin():
    phases = SignalPhases(["a", "a"])
    assert states(phases, 20.0, 0) == [GREEN] * 20
    assert phases.seconds == 0.0


def test_lights_of_a_junction_take_turns_and_others_do_not_care():
    phases = SignalPhases(["a", "b", "a"])
    phases.frozen = False
    seen = np.array([states(phases, 1.0, 0) + [phases.state[1], phases.state[2]] for _ in range(60)])
    green = seen == GREEN
    assert not (green[:, 0] & green[:, 2]).any()
    assert green[:, 0].sum() == green[:, 2].sum() == 20  # 10 s in each round of 30 s
    assert green[:, 1].sum() == 40  # 10 s in each round of 15 s
    changes = seen[1:, 0][seen[1:, 0] != seen[:-1, 0]]
    assert changes[:3].tolist() == [YELLOW, RED, GREEN]


def test_a_light_keeps_to_its_own_times():
    phases = SignalPhases(["a"])
    phases.frozen = False
    phases.times[0] = 2.0, 1.0, 3.0
    assert states(phases, 12.0, 0) == [GREEN, YELLOW, RED, RED, RED, GREEN] * 2


LIGHTS = np.array([(0, turn, 3, -1) for turn in range(3)] + [(1, 0, 1, -1)], LIGHT)


def phases(seed, light, seconds=120):
    return np.array([light_state(np.uint64(seed), LIGHTS[light], 0.1 * step) for step in range(10 * seconds)])


@pytest.mark.parametrize("seed", [0, 1, 2**63 + 5])
def test_phases_by_seed_one_light_of_a_junction_at_a_time_and_all_in_turn(seed):
    seen = np.array([phases(seed, light) for light in range(3)])
    assert ((seen != RED).sum(axis=0) <= 1).all()
    for states in seen:
        assert {int(state) for state in states} == {RED, YELLOW, GREEN}
        changes = [(int(a), int(b)) for a, b in zip(states, states[1:], strict=False) if a != b]
        assert set(changes) <= {(GREEN, YELLOW), (YELLOW, RED), (RED, GREEN)}
        lengths = np.diff(np.flatnonzero(np.diff(states)))
        kinds = states[np.flatnonzero(np.diff(states))[:-1] + 1]
        assert (np.abs(lengths[kinds == YELLOW] * 0.1 - YELLOW_SECONDS) < 0.15).all()
        assert ((lengths[kinds == GREEN] >= 59) & (lengths[kinds == GREEN] <= 101)).all()
    # all are red for a second between two turns
    assert ((seen == RED).all(axis=0)).any()


def test_seeds_differ_and_a_light_alone_turns_too():
    assert (phases(0, 0) != phases(1, 0)).any()
    assert {int(state) for state in phases(0, 3)} == {RED, YELLOW, GREEN}


@pytest.mark.parametrize("state", [RED, YELLOW, GREEN])
def test_a_light_that_is_held_does_not_turn(state):
    held = LIGHTS[:1].copy()
    held["held"] = state
    assert {light_state(np.uint64(0), held[0], float(seconds)) for seconds in range(60)} == {state}
