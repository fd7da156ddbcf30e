"""The reward and the end of an episode among others, in sums and in products."""

import numpy as np
import pytest

from sb3_delta_waypoint.driving.config import DrivingConfig
from sb3_delta_waypoint.driving.lanes import make_lanes
from sb3_delta_waypoint.driving.measured_drive import MeasuredDrive, Measurement
from sb3_delta_waypoint.driving.network import from_paths
from sb3_delta_waypoint.driving.reward import TRAFFIC_REWARD
from sb3_delta_waypoint.driving.score import COLLISION, GOAL, RUNNING, Surroundings
from tests.driving.scoring import BETWEEN_LANES, IN_LANE, others

ALONE = Surroundings(others(), IN_LANE, np.inf, True, False, False)
W = TRAFFIC_REWARD


def step(combine="sum", moved=1.0, speed=10.0, event=RUNNING, **around):
    """Reward, outcome and metrics of one step along a straight route of 30 m."""
    drive = MeasuredDrive(DrivingConfig(reward=W._replace(combine=combine, comfort=0.0)))
    drive.begin(np.array([[0.0, 0.0], [30.0, 0.0]]), np.full(2, np.inf), 0, 0)
    drive.settle(Measurement(1.0, 0.0, 0.0, speed, 0.0))
    drive.command(np.zeros((20, 2), np.float32))
    drive.move(Measurement(1.0 + moved, 0.0, 0.0, speed, 0.0))
    _, reward, outcome = drive.judge(event, surroundings=ALONE._replace(**around))
    metrics = drive.metrics(outcome)
    terms = [value for name, value in metrics.items() if name.startswith("reward_")]
    assert sum(terms) == pytest.approx(reward) == pytest.approx(metrics["episode_reward"])
    return reward, outcome, metrics


PLAIN = W.progress - W.time
AHEAD, BESIDE = others((2.0 + 3.7 + 1.9, 0.0, 0.0, 5.0)), others((3.0, 1.9, 0.0, 5.0))


def test_an_at_fault_collision_costs_its_weight_and_ends_the_episode():
    reward, outcome, metrics = step(agents=AHEAD.copy())
    assert outcome == COLLISION
    assert reward == pytest.approx(PLAIN - W.collision - W.time_to_collision)
    assert (metrics["success"], metrics["collision"], metrics["collision_at_fault"]) == (0.0, 1.0, 1.0)
    assert metrics["closed_loop_score"] == metrics["score_no_at_fault_collision"] == 0.0


def test_a_contact_that_is_not_the_cars_fault_does_not_end_it():
    reward, outcome, metrics = step(agents=BESIDE.copy())
    assert (reward, outcome) == (pytest.approx(PLAIN), RUNNING)
    assert (metrics["collision_vehicle"], metrics["collision_at_fault"]) == (1.0, 0.0)
    assert step(agents=BESIDE.copy(), standing=BETWEEN_LANES)[1] == COLLISION


def test_a_goal_behind_somebody_is_not_reached():
    assert step(moved=30.0)[1] == GOAL
    at_the_goal = others((31.0 + 5.0, 0.0, 0.0, 5.0))
    assert step(moved=30.0, agents=at_the_goal)[1] == COLLISION


def test_red_lights_limits_and_times_to_collision():
    reward, outcome, metrics = step(crossed_line=True, crossed_on_red=True)
    assert (reward, outcome) == (pytest.approx(PLAIN - W.red_light), RUNNING)
    assert (metrics["red_light"], metrics["stop_lines"], metrics["score_red_light"]) == (1.0, 1.0, 0.0)
    assert step(crossed_line=True)[2]["score_red_light"] == 1.0
    assert np.isnan(step(lights=False)[2]["score_red_light"])

    reward, _, metrics = step(speed_limit=8.0)
    assert reward == pytest.approx(PLAIN - 2.0 * W.speed_limit)
    assert metrics["score_speed_limit"] == pytest.approx(1.0 - 2.0 / 2.23)

    # 4.75 m ahead: 0.5 s, of 1.9 s from which on it costs something
    reward, _, metrics = step(agents=others((2.0 + 3.7 + 2.0 + 4.75, 0.0, 0.0, 0.0)))
    assert metrics["time_to_collision_min"] == pytest.approx(0.5) and metrics["gap_min"] == pytest.approx(4.75)
    assert reward == pytest.approx(PLAIN - W.time_to_collision * (1.0 - 0.5 / 1.9))


def test_in_a_product_safety_terms_multiply_the_others():
    room = W.time + W.lateral_deviation * 2.0 + W.time_to_collision + W.speed_limit * 2.5
    good = step("product")[0]
    assert good == pytest.approx(PLAIN + room) and good > 0.0
    assert step("product", speed_limit=8.0)[0] == pytest.approx(good - 2.0 * W.speed_limit)
    for bad in ({"agents": AHEAD.copy()}, {"crossed_on_red": True}):
        assert step("product", **bad)[0] == pytest.approx(0.0)
    # nothing is so bad that it would be less than nothing
    assert step("product", moved=-1.0, speed_limit=0.0, speed=50.0)[0] == 0.0


def test_a_reported_contact_with_another_is_judged_by_its_kind():
    drive = MeasuredDrive(DrivingConfig(reward=W))
    drive.begin(np.array([[0.0, 0.0], [30.0, 0.0]]), np.full(2, np.inf), 0, 0)
    drive.settle(Measurement(1.0, 0.0, 0.0, 5.0, 0.0))
    drive.command(np.zeros((20, 2), np.float32))
    drive.move(Measurement(1.2, 0.0, 0.0, 5.0, 0.0))
    # hit from behind by somebody who stands since then
    before, agents = others((-1.0 + 1.0 - 0.2 - 2.0, 0.0, 0.0, 12.0)), others((-2.0, 0.0, 0.0, 0.0))
    drive.touch(agents, before, np.array([True]), IN_LANE)
    _, reward, outcome = drive.judge(COLLISION, surroundings=ALONE._replace(agents=agents))
    metrics = drive.metrics(outcome)
    assert outcome == COLLISION, "who detects the event decides that it ends the episode"
    assert (metrics["collision_vehicle"], metrics["collision_at_fault"]) == (1.0, 0.0)
    assert metrics["score_no_at_fault_collision"] == 1.0 and metrics["reward_collision"] == 0.0


def test_the_limits_of_the_route():
    drive = MeasuredDrive(DrivingConfig())
    points = np.stack([np.arange(61.0), np.zeros(61)], axis=1)
    drive.begin(points, np.where(points[:, 0] < 20.5, 8.0, 14.0), 0, 0)
    drive.settle(Measurement(15.2, 0.0, 0.0, 5.0, 0.0))
    assert drive.limits() == 8.0
    assert drive.limits(np.array([3, 6, 9, 1000])).tolist() == [8.0, 14.0, 14.0, 14.0]


def test_where_a_measured_car_stands():
    lanes = make_lanes(from_paths([([(0.0, 0.0), (60.0, 0.0)], [8.0, 8.0])]), 3.5)
    drive = MeasuredDrive(DrivingConfig())
    drive.begin(np.array([[0.0, 0.0], [60.0, 0.0]]), np.full(2, np.inf), 0, 0)
    for y, found in ((0.0, (True, True)), (1.6, (False, False)), (1.0, (False, True))):
        drive.settle(Measurement(10.0, y, 0.0, 5.0, 0.0))
        standing = drive.stand(lanes)
        assert (standing.in_lane, standing.on_area) == found
        assert standing.segment == 0 and standing.along == pytest.approx(10.0 + 4.7 / 2 - 1.0)
    assert drive.stand(None).on_area and not drive.stand(None).directed


def test_a_collision_that_was_detected_outside_is_counted():
    reward, outcome, metrics = step(event=COLLISION)
    assert (reward, outcome) == (pytest.approx(PLAIN - W.off_route), COLLISION)
    assert metrics["closed_loop_score"] == metrics["score_no_at_fault_collision"] == 0.0
    assert metrics["collision_at_fault"] == 1.0
