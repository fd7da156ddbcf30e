"""Driving scores: the formulas of the benchmarks."""

import pytest

from sb3_delta_waypoint.evaluation.leaderboard.driving_score import (
    BENCH2DRIVE,
    KINDS,
    LEADERBOARD_2_0,
    LEADERBOARD_2_1,
    RULES,
    Infraction,
    driving_score,
    is_success,
)

RED_LIGHT, PEDESTRIAN, STOP = (Infraction(kind) for kind in ("red_light", "collisions_pedestrian", "stop_infraction"))
SLOW, FAST = (Infraction("min_speed_infractions", percentage) for percentage in (40.0, 250.0))
OUTSIDE = Infraction("outside_route_lanes", 25.0)


def test_no_infraction_leaves_the_route_completion():
    for rules in RULES.values():
        assert driving_score(62.5, [], rules) == (62.5, 1.0, 62.5)


@pytest.mark.parametrize(
    ("infractions", "product", "additive", "bench2drive"),
    [
        ([RED_LIGHT, RED_LIGHT], 0.7**2, 1 / 1.8, 0.7**2),
        ([PEDESTRIAN, STOP], 0.5 * 0.8, 1 / 2.25, 0.5 * 0.8),
        ([OUTSIDE], 0.75, 0.75, 0.75),
        ([OUTSIDE, STOP], 0.75 * 0.8, 0.75 / 1.25, 0.75 * 0.8),
        ([SLOW], 1 - 0.3 * 0.6, 1 / (1 + 0.4 * 0.6), 1.0),
        ([FAST], 1.0, 1.0, 1.0),
        ([Infraction("vehicle_blocked"), Infraction("route_timeout"), Infraction("route_dev")], 1.0, 1.0, 1.0),
    ],
)
def test_penalties_by_hand(infractions, product, additive, bench2drive):
    assert LEADERBOARD_2_0.penalty(infractions) == pytest.approx(product)
    assert LEADERBOARD_2_1.penalty(infractions) == pytest.approx(additive)
    score = driving_score(80.0, infractions, BENCH2DRIVE)
    assert score.penalty == pytest.approx(bench2drive) and score.composed == pytest.approx(80.0 * bench2drive)


def test_success_forgives_only_the_minimum_speed():
    assert is_success(True, []) and is_success(True, [SLOW])
    assert not is_success(False, [])
    assert not any(is_success(True, [Infraction(kind, 1.0)]) for kind in KINDS if kind != "min_speed_infractions")


def test_malformed_infractions():
    with pytest.raises(ValueError, match="unknown kind of infraction 'speeding'"):
        driving_score(100.0, [Infraction("speeding")])
    with pytest.raises(ValueError, match="'outside_route_lanes' has the percentage None"):
        driving_score(100.0, [Infraction("outside_route_lanes")])
    with pytest.raises(ValueError, match="101.0, expected 0 to 100"):
        driving_score(101.0, [])
