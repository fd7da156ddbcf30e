"""A measured car is judged, observed and shown the way as a simulated one."""

from typing import Any

import numpy as np
import pytest

from sb3_delta_waypoint.driving.config import DrivingConfig
from sb3_delta_waypoint.driving.measured_drive import MAX_ACCELERATION, MAX_YAW_RATE, MeasuredDrive, Measurement
from sb3_delta_waypoint.driving.records import AGENT
from sb3_delta_waypoint.driving.scenarios import scenario_seed
from sb3_delta_waypoint.driving.score import COLLISION, GOAL, OFF_ROUTE, RUNNING, TIMEOUT, EpisodeRules
from sb3_delta_waypoint.driving.simulation import Simulation
from sb3_delta_waypoint.driving.yielding import HAZARD, find_hazards


def measured(simulation: Simulation) -> Measurement:
    car = simulation.cars[0]
    return Measurement(*(float(car[name]) for name in ("x", "y", "yaw", "speed", "yaw_rate")))


def route_of(simulation: Simulation) -> np.ndarray:
    """The route's points, and one more: lengths are summed up from chords, and the last whole metre may be lost."""
    points = np.stack([simulation.routes[0]["x"], simulation.routes[0]["y"]], axis=1)
    return np.vstack([points, 2 * points[-1] - points[-2]])


def straight_drive(speed: float = 8.0, length: float = 100.0, **config: Any) -> MeasuredDrive:
    drive = MeasuredDrive(DrivingConfig(**config))
    points = np.stack([np.arange(length + 2), np.zeros(int(length) + 2)], axis=1)
    drive.begin(points, np.full(len(points), np.inf), seed=1, scenario=0, longest=length)
    drive.settle(Measurement(0.0, 0.0, 0.0, speed, 0.0))
    return drive


@pytest.mark.parametrize("scenario", [0, 1, 2])
def test_measuring_a_simulated_car_gives_what_the_simulation_gives(scenario):
    config = DrivingConfig()
    simulation, drive = Simulation(1, config, autoreset=False), MeasuredDrive(config)
    simulation.seed(3)
    first = simulation.reset(scenario)
    points = route_of(simulation)
    drive.begin(points, np.full(len(points), np.inf), scenario_seed(3, scenario), scenario, longest=config.route_length)
    for name in ("x", "y", "yaw", "speed", "steer", "max_steps"):
        assert drive.cars[0][name] == pytest.approx(simulation.cars[0][name], abs=1e-9), name
    observation = drive.settle(measured(simulation))
    np.testing.assert_allclose(observation["state"], first.state[0], atol=1e-5)
    np.testing.assert_allclose(observation["route"], first.route[0], atol=1e-5)
    noise, outcome = np.random.default_rng(scenario), RUNNING
    while outcome == RUNNING:
        np.testing.assert_allclose(drive.expert_plans()[0], simulation.expert_plans()[0], atol=1e-4)
        plan = (drive.expert_plans()[0] + noise.normal(0.0, 0.2, (20, 2))).astype(np.float32)
        drive.command(plan)
        result = simulation.step(plan[None])
        drive.move(measured(simulation))
        observation, reward, outcome = drive.judge()
        assert reward == pytest.approx(result.reward[0], abs=1e-6)
        assert outcome == result.outcome[0]
        np.testing.assert_allclose(observation["state"], result.observation.state[0], atol=1e-4)
        np.testing.assert_allclose(observation["route"], result.observation.route[0], atol=1e-4)
    simulated = dict(zip(simulation.metric_names, simulation.final_metrics[0], strict=True))
    assert drive.metrics(outcome) == pytest.approx(simulated, abs=1e-6, nan_ok=True)


def test_the_command_is_within_what_the_car_can_do():
    drive = straight_drive()
    steer, acceleration = drive.command(np.full((20, 2), 10.0, np.float32))
    vehicle = drive.config.vehicle
    assert steer == pytest.approx(drive.cars[0]["steer"] + vehicle.max_steer_rate * 0.1)
    assert acceleration == vehicle.max_acceleration


def test_an_event_from_outside_ends_the_episode_and_costs_what_leaving_the_route_costs():
    rewards = []
    for event in (RUNNING, COLLISION):
        drive = straight_drive()
        drive.command(drive.expert_plans()[0])
        drive.move(Measurement(0.8, 0.0, 0.0, 8.0, 0.0))
        _, reward, outcome = drive.judge(event)
        rewards.append(reward)
        assert outcome == event
    assert rewards[1] == pytest.approx(rewards[0] - drive.config.reward.off_route)
    metrics = drive.metrics(COLLISION)
    assert metrics["success"] == metrics["off_route"] == 0.0
    assert metrics["reward_off_route"] == -drive.config.reward.off_route
    assert metrics["episode_reward"] == pytest.approx(rewards[1])


def test_a_collision_at_the_goal_is_not_a_success():
    totals = []
    for event in (RUNNING, COLLISION):
        drive = straight_drive(length=20.0)
        drive.command(drive.expert_plans()[0])
        drive.move(Measurement(20.5, 0.0, 0.0, 8.0, 0.0))
        _, reward, outcome = drive.judge(event)
        assert outcome == (event or GOAL)
        totals.append(drive.metrics(outcome))
        assert totals[-1]["episode_reward"] == pytest.approx(reward)
    weights = drive.config.reward
    assert totals[1]["episode_reward"] == pytest.approx(totals[0]["episode_reward"] - weights.goal - weights.off_route)


def test_the_expert_stops_before_a_hazard():
    drive = straight_drive()
    hazards = np.array([(15.0, 0.0)], HAZARD)
    x, speed = 0.0, 8.0
    free = drive.expert_plans()[0]
    drive.settle(Measurement(x, 0.0, 0.0, speed, 0.0), hazards)
    assert drive.expert_plans()[0][-1, 0] < free[-1, 0] - 3.0
    for _ in range(100):
        step = float(drive.expert_plans()[0][0, 0])
        drive.command(drive.expert_plans()[0])
        x, speed = x + step, max(2 * step / 0.1 - speed, 0.0)
        drive.move(Measurement(x, 0.0, 0.0, speed, 0.0))
        drive.judge(hazards=hazards)
    assert 13.5 < x < 16.0 and speed < 0.1


def test_agents_in_the_way_are_hazards_and_others_are_not():
    drive = straight_drive()

    def hazards(*agents: tuple) -> np.ndarray:
        found = np.zeros(len(agents), HAZARD)
        n = find_hazards(
            drive.cars[0], drive.routes[0], np.array([(*agent, True, False) for agent in agents], AGENT), 1.0, 4.0, found
        )
        return found[:n]

    ahead = hazards((30.0, 0.3, 0.0, 3.0, 4.0, 2.0, 0.0))
    assert ahead["distance"] == pytest.approx([30.0 - 2.0 - 4.0 - 3.0 - 1.0 * 3.0]) and ahead["speed"] == pytest.approx([3.0])
    assert len(hazards((30.0, 3.5, 0.0, 3.0, 4.0, 2.0, 0.0))) == 0, "in the next lane"
    assert len(hazards((30.0, 3.5, np.pi, 8.0, 4.0, 2.0, 0.0))) == 0, "oncoming"
    assert len(hazards((-10.0, 0.0, 0.0, 3.0, 4.0, 2.0, 0.0))) == 0, "behind"
    walker = hazards((20.0, -3.0, np.pi / 2, 1.5, 0.4, 0.4, 1.0))
    assert len(walker) == 1 and walker["speed"] == pytest.approx([0.0], abs=1e-9), "about to cross"


@pytest.mark.parametrize(
    ("plan", "named"), [(np.full((20, 2), np.nan), "nan at waypoint 0"), (np.zeros((19, 2)), r"\(19, 2\)")]
)
def test_bad_plans_are_refused(plan, named):
    with pytest.raises(ValueError, match=named):
        straight_drive().command(plan)


def judged(drive: MeasuredDrive, x: float, y: float = 0.0, speed: float = 8.0, event: int = RUNNING) -> tuple[float, int]:
    """Reward and outcome of a step in which the expert's plan was driven and the car then was there."""
    drive.command(drive.expert_plans()[0])
    drive.move(Measurement(x, y, 0.0, speed, 0.0))
    return drive.judge(event)[1:]


def test_what_has_been_reached_counts_and_not_where_the_car_is_at_last():
    drive = straight_drive()
    for x in (4.0, 8.0, 3.0):
        judged(drive, x)
    metrics = drive.metrics(TIMEOUT)
    assert metrics["route_completion"] == pytest.approx(0.08)
    assert metrics["waypoint_hit_rate"] == pytest.approx(1 / 20)
    assert metrics["reward_progress"] == pytest.approx(drive.config.reward.progress * 3.0), "progress is given back"


def test_behind_the_start_is_off_the_route():
    drive = straight_drive()
    assert judged(drive, -1.9)[1] == RUNNING
    assert judged(drive, -2.1)[1] == OFF_ROUTE


def test_past_the_goal_but_beside_the_route_is_no_success():
    drive = straight_drive(length=20.0)
    _, outcome = judged(drive, 20.5, 2.1)
    metrics = drive.metrics(outcome)
    assert outcome == OFF_ROUTE and metrics["success"] == metrics["reward_goal"] == 0.0


def test_a_collision_off_the_route_costs_once():
    rewards = []
    for event in (RUNNING, COLLISION):
        drive = straight_drive()
        reward, outcome = judged(drive, 0.8, 2.1, event=event)
        assert outcome == OFF_ROUTE and drive.metrics(outcome)["reward_off_route"] == -drive.config.reward.off_route
        rewards.append(reward)
    assert rewards[0] == rewards[1]


def test_jerk_is_the_change_from_one_step_to_the_next():
    drive = straight_drive()
    for x, speed in ((0.8, 8.1), (1.6, 8.2), (2.4, 8.4)):
        judged(drive, x, speed=speed)
    # accelerations 1, 1 and 2 m/s² after none
    assert drive.metrics(TIMEOUT)["jerk_mean"] == pytest.approx((10.0 + 0.0 + 10.0) / 3)


def test_what_sensors_show_in_a_crash_stays_within_the_observation():
    drive = straight_drive()
    drive.command(drive.expert_plans()[0])
    drive.move(Measurement(0.5, 0.0, 0.0, 0.0, -50.0))
    state = drive.judge()[0]["state"]
    assert (state[2], state[3]) == (-MAX_YAW_RATE, -MAX_ACCELERATION)


def test_the_command_brakes_as_hard_as_the_car_can():
    drive = straight_drive()
    assert drive.command(np.zeros((20, 2), np.float32))[1] == -drive.config.vehicle.max_braking


def test_the_expert_yields_to_whichever_hazard_is_nearest():
    plans = []
    for distances in ((15.0,), (15.0, 60.0), (60.0, 15.0)):
        drive = straight_drive()
        drive.settle(Measurement(0.0, 0.0, 0.0, 8.0, 0.0), np.array([(distance, 0.0) for distance in distances], HAZARD))
        plans.append(drive.expert_plans()[0])
    assert (plans[0] == plans[1]).all() and (plans[0] == plans[2]).all()


@pytest.mark.parametrize("spacing", [0.3, 1.2, 7.0])
def test_waypoints_may_be_closer_than_a_step_and_none_lies_beyond_the_goal(spacing):
    drive = straight_drive(length=20.0, rules=EpisodeRules(waypoint_spacing=spacing))
    for x in (4.0, 8.0, 12.0, 16.0, 20.0 + spacing):
        _, outcome = judged(drive, x)
    assert outcome == GOAL and drive.metrics(outcome)["waypoint_hit_rate"] == 1.0
