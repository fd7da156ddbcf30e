"""Scenario numbers and seeds: everything random in an episode is a function of one 64-bit seed."""

from typing import NamedTuple

import numpy as np

from sb3_delta_waypoint.driving.kernels import inlined

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_S27, _S30, _S31, _S11 = np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(11)


@inlined
def hash64(seed: np.uint64, counter: np.uint64) -> np.uint64:
    """
    The ``counter``-th output of the SplitMix64 generator that starts at ``seed`` (Steele, Lea and Flood, 2014).

    :param seed: uint64
    :param counter: uint64
    :return: uint64
    """
    z = np.uint64(seed) + (np.uint64(counter) + np.uint64(1)) * _GOLDEN
    z = (z ^ (z >> _S30)) * _MIX_1
    z = (z ^ (z >> _S27)) * _MIX_2
    return z ^ (z >> _S31)


@inlined
def scenario_seed(base_seed: int, scenario: int) -> np.uint64:
    """
    Seed of a scenario. The base seed is hashed twice, so that neighbouring base seeds do not share scenarios.

    :param base_seed: seed of the run
    :param scenario: number of the scenario, from 0
    :return: uint64
    """
    return hash64(hash64(np.uint64(base_seed), np.uint64(0)), np.uint64(scenario))


@inlined
def uniform(seed: np.uint64, counter: int, low: float, high: float) -> float:
    """
    Uniform random number in ``[low, high)`` that depends only on seed and counter.

    :param seed: uint64, the scenario's seed
    :param counter: index of the number among those of the scenario, from 0
    :param low: lower end
    :param high: upper end
    :return: float64 with 53 random bits
    """
    return low + (high - low) * (np.float64(hash64(np.uint64(seed), np.uint64(counter)) >> _S11) * 2.0**-53)


class HardScenarios(NamedTuple):
    """
    Hard scenarios that are mixed into those of a run.

    :param seeds: uint64 ``(m,)``, their seeds
    :param share: probability that a scenario of the run is one of them
    """

    seeds: np.ndarray
    share: float


NO_HARD_SCENARIOS = HardScenarios(np.zeros(0, np.uint64), 0.0)
"""No mixture: every scenario is the run's own."""
_HARD = 2**62
"""Index of the random number that decides whether a scenario is a hard one, far beyond those that scenarios draw."""


@inlined
def mixed_seed(base_seed: int, scenario: int, hard: HardScenarios) -> np.uint64:
    """
    Seed of a scenario in a mixture with ``m`` hard ones. They take turns, from one that the base seed decides, so that with a
    share of 1 any ``m`` consecutive scenarios are all of them.

    :param base_seed: seed of the run
    :param scenario: number of the scenario, from 0
    :param hard: the hard scenarios
    :return: uint64
    """
    seed = scenario_seed(base_seed, scenario)
    if uniform(seed, _HARD, 0.0, 1.0) < hard.share:
        first = hash64(np.uint64(base_seed), np.uint64(_HARD))
        return hard.seeds[(first + np.uint64(scenario)) % np.uint64(len(hard.seeds))]
    return seed
