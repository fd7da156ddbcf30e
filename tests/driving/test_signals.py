"""Phases of traffic lights: whose turn it is."""

import numpy as np

from sb3_delta_waypoint.driving.signals import GREEN, RED, YELLOW, SignalPhases


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
