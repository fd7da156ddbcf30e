"""Routes, vehicle, tracker, expert, reward and episodes, as the simulation puts them together."""

import numpy as np
import pytest

from sb3_delta_waypoint.contract import CONTROL_DT
from sb3_delta_waypoint.driving.config import DrivingConfig
from sb3_delta_waypoint.driving.network import RoadNetwork, from_paths, from_segments
from sb3_delta_waypoint.driving.records import CAR, ROUTE_POINT
from sb3_delta_waypoint.driving.reward import RewardWeights
from sb3_delta_waypoint.driving.scenarios import scenario_seed, uniform
from sb3_delta_waypoint.driving.score import GOAL, OFF_ROUTE, RUNNING, TIMEOUT
from sb3_delta_waypoint.driving.simulation import Simulation
from sb3_delta_waypoint.driving.start import StartParameters
from sb3_delta_waypoint.driving.tracker import track
from sb3_delta_waypoint.driving.vehicle import VehicleParameters, advance

STILL = StartParameters(lateral=0.0, heading=0.0, min_speed=1.0)


def straight(length: float = 200.0, speed: float = np.inf) -> RoadNetwork:
    x = np.arange(length + 1.0)
    return from_paths([(np.stack([x, np.zeros_like(x)], axis=1), np.full(len(x), speed))])


def drive(simulation: Simulation, policy=None) -> dict[str, np.ndarray]:
    """Metrics of the next episode of each car."""
    simulation.reset()
    finished = np.zeros(simulation.n_cars, bool)
    rows = np.zeros((simulation.n_cars, len(simulation.metric_names)))
    while not finished.all():
        plans = simulation.expert_plans() if policy is None else policy(simulation)
        outcome = simulation.step(plans).outcome
        new = (outcome != RUNNING) & ~finished
        rows[new] = simulation.final_metrics[new]
        finished |= new
    return dict(zip(simulation.metric_names, rows.T, strict=True))


def test_scenario_seeds_depend_on_both_numbers_and_uniform_numbers_are_uniform():
    seeds = {int(scenario_seed(base, number)) for base in range(50) for number in range(50)}
    assert len(seeds) == 2500
    numbers = np.array([uniform(np.uint64(scenario_seed(1, g)), k, -1.0, 3.0) for g in range(100) for k in range(100)])
    assert numbers.min() >= -1.0 and numbers.max() < 3.0
    histogram = np.histogram(numbers, bins=8, range=(-1.0, 3.0))[0]
    assert abs(histogram - 1250).max() < 150


def test_bicycle_turns_on_the_circle_of_its_steering_angle():
    vehicle = VehicleParameters(characteristic_speed=1e9, max_lateral_acceleration=1e9)
    car = np.zeros(1, CAR)[0]
    car["speed"], car["steer"] = 5.0, 0.2
    radius = vehicle.wheelbase / np.tan(0.2)
    for _ in range(100):
        advance(car, vehicle, 0.2, 0.0, CONTROL_DT)
        assert np.hypot(car["x"], car["y"] - radius) == pytest.approx(radius, rel=1e-3)
    assert car["yaw"] == pytest.approx(100 * CONTROL_DT * 5.0 / radius)


def test_vehicle_keeps_to_its_limits():
    vehicle = VehicleParameters()
    car = np.zeros(1, CAR)[0]
    car["speed"] = 10.0
    advance(car, vehicle, 1.0, 100.0, CONTROL_DT)
    assert car["steer"] == pytest.approx(vehicle.max_steer_rate * CONTROL_DT)
    assert car["acceleration"] == pytest.approx(vehicle.max_acceleration)
    for _ in range(50):
        advance(car, vehicle, 1.0, 100.0, CONTROL_DT)
        middle = car["speed"] - 0.5 * car["acceleration"] * CONTROL_DT
        assert abs(car["yaw_rate"] * middle) <= vehicle.max_lateral_acceleration + 1e-9
    assert car["steer"] == vehicle.max_steer and car["speed"] == vehicle.max_speed
    for _ in range(100):
        advance(car, vehicle, 0.0, -100.0, CONTROL_DT)
    assert car["speed"] == 0.0


def test_understeer_widens_the_turn():
    cars = np.zeros(2, CAR)
    cars["speed"], cars["steer"] = 12.0, 0.1
    for car, characteristic_speed in zip(cars, (1e9, 12.0), strict=True):
        advance(car, VehicleParameters(characteristic_speed=characteristic_speed), 0.1, 0.0, CONTROL_DT)
    assert cars[1]["yaw_rate"] == pytest.approx(0.5 * cars[0]["yaw_rate"])


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_tracker_steers_towards_the_plan_and_brakes_for_a_short_one(side):
    car = np.zeros(1, CAR)[0]
    car["speed"] = 8.0
    ahead = np.arange(1, 21) * 0.8
    plan = np.stack([ahead, side * 0.01 * ahead**2], axis=1).astype(np.float32)
    steer, acceleration = track(car, plan, 0.1, VehicleParameters())
    assert np.sign(steer) == side
    assert acceleration == pytest.approx(0.0, abs=0.05)
    assert track(car, 0.5 * plan, 0.1, VehicleParameters())[1] < -1.0
    assert track(car, np.zeros_like(plan), 0.1, VehicleParameters()) == (0.0, pytest.approx(-32.0))


def test_expert_plan_on_a_straight_follows_its_speed_profile():
    simulation = Simulation(1, DrivingConfig(straight(), start=STILL))
    simulation.reset()
    simulation.cars["speed"] = 8.0
    plan = simulation.expert_plans()[0]
    seconds = 0.1 * np.arange(1, 21)
    expert = simulation.config.expert
    np.testing.assert_allclose(plan[:, 0], 8.0 * seconds + 0.5 * expert.acceleration * seconds**2, rtol=1e-5)
    np.testing.assert_allclose(plan[:, 1], 0.0, atol=1e-6)


def test_expert_leads_back_to_the_route_without_a_kink():
    simulation = Simulation(1, DrivingConfig(straight(), start=STILL))
    simulation.reset()
    car = simulation.cars[0]
    car["y"], car["lateral"], car["yaw"] = 1.5, 1.5, 0.1
    plan = simulation.expert_plans()[0].astype(float)
    cos, sin = np.cos(0.1), np.sin(0.1)
    world = plan @ np.array([[cos, sin], [-sin, cos]]) + [car["x"], 1.5]
    assert world[-1, 1] == pytest.approx(0.0, abs=1e-4)
    assert abs(plan[0, 1]) < 0.05, "the plan begins in the direction of the car"
    assert world[:, 1].max() > 1.5, "and so moves away from the route at first"
    assert np.abs(np.diff(world[:, 1], n=2)).max() < 0.1


def test_expert_slows_down_before_a_curve():
    simulation = Simulation(1, DrivingConfig(start=STILL))
    for seed in range(20):
        simulation.seed(seed)
        simulation.reset()
        route = simulation.routes[0]
        speed, expert = route["speed"], simulation.config.expert
        braking = (speed[:-1] ** 2 - speed[1:] ** 2) / 2.0
        assert braking.max() <= expert.braking + 1e-9
        assert speed.max() <= expert.cruise_speed
        # curvature by the turn from chord to chord; the profile smooths it over 4 m
        before, here, after = (np.stack([route["x"], route["y"]], 1)[k : len(route) - 2 + k] for k in range(3))
        (ax, ay), (bx, by) = (here - before).T, (after - here).T
        curvature = np.abs(ax * by - ay * bx)
        assert (speed[1:-1] ** 2 * curvature)[1:-1].max() < 1.5 * expert.lateral_acceleration


def test_expert_reaches_the_goal_of_almost_every_held_out_scenario():
    simulation = Simulation(1000, DrivingConfig())
    simulation.seed(77)
    metrics = drive(simulation)
    assert metrics["success"].mean() >= 0.99
    assert metrics["ade"].max() == 0.0
    assert metrics["waypoint_hit_rate"].mean() > 0.95


def test_random_routes_have_the_wanted_length_and_differ():
    simulation = Simulation(8, DrivingConfig(route_length=60.0))
    simulation.reset()
    steps = np.hypot(np.diff(simulation.routes["x"]), np.diff(simulation.routes["y"]))
    np.testing.assert_allclose(steps, 1.0, atol=1e-9)
    assert simulation.routes.shape == (8, 61) and (simulation.cars["route_length"] == 60.0).all()
    assert len(np.unique(simulation.routes["y"][:, -1].round(6))) == 8


def test_network_routes_turn_at_forks_and_never_meet_a_dead_end():
    def line(start, direction, length):
        steps = np.arange(length + 1.0)[:, None]
        points = np.array(start, float) + steps * np.array(direction, float)
        return points, np.full(len(points), np.inf)

    # a stem that forks into a long branch, a second long branch and a dead end of 5 m
    stem, dead_end = line((0, 0), (1, 0), 40), line((40, 0), (1, 0), 5)
    left, right = line((40, 0), (0.6, 0.8), 100), line((40, 0), (0.6, -0.8), 100)
    network = from_segments([stem, left, right, dead_end], [(1, 2, 3), (), (), ()])
    simulation = Simulation(400, DrivingConfig(network, route_length=60.0))
    simulation.reset()
    assert (simulation.cars["n_points"] == 61).all()
    ends = simulation.routes["y"][:, -1]
    forked = np.abs(ends) > 1.0
    assert (np.abs(simulation.routes["y"][~forked]) < 1e-6).all() or not (~forked).any()
    ups, downs = (ends > 1.0).sum(), (ends < -1.0).sum()
    assert ups > 100 and downs > 100
    assert len(np.unique(simulation.routes["x"][:, 0])) > 20, "routes start anywhere along the roads"


def test_recorded_drives_keep_their_length_and_speed():
    x = np.arange(31.0)
    speeds = np.linspace(3.0, 6.0, 31)
    network = from_paths([(np.stack([x, 0 * x], 1), speeds), (np.stack([0 * x, 2 * x], 1), np.full(31, 0.0))])
    simulation = Simulation(20, DrivingConfig(network, recorded=True, start=STILL))
    simulation.reset()
    lengths = set(simulation.cars["route_length"].tolist())
    assert lengths == {30.0, 60.0}
    slow = int(np.argmax(simulation.cars["route_length"] == 30.0))
    np.testing.assert_allclose(simulation.routes[slow, :31]["speed"], speeds)
    stopped = int(np.argmax(simulation.cars["route_length"] == 60.0))
    assert (simulation.routes[stopped]["speed"] >= 1.0).all(), "stops are not replayed"


@pytest.mark.parametrize(("route_length", "reason"), [(500.0, "longest drive"), (5.0, "between 10 and")])
def test_impossible_lengths_are_refused(route_length, reason):
    with pytest.raises(ValueError, match=reason):
        Simulation(1, DrivingConfig(straight(), route_length=route_length))


def test_off_route_and_timeout_end_episodes():
    def ahead(simulation):
        plan = np.zeros((20, 2), np.float32)
        plan[:, 0] = np.arange(1, 21)
        plan[:, 1] = 0.05 * np.arange(1, 21) ** 2
        return plan[None]

    simulation = Simulation(1, DrivingConfig(straight(), start=STILL))
    metrics = drive(simulation, ahead)
    assert metrics["off_route"] == 1.0 and metrics["timeout"] == 0.0 and metrics["success"] == 0.0
    assert 0.0 < metrics["route_completion"] < 0.5
    assert metrics["reward_off_route"] == -simulation.config.reward.off_route and metrics["lateral_deviation_max"] > 2.0

    stand = np.zeros((1, 20, 2), np.float32)
    metrics = drive(simulation, lambda _: stand)
    assert metrics["timeout"] == 1.0
    assert metrics["episode_length"] == simulation_limit(simulation)


def simulation_limit(simulation: Simulation) -> int:
    """Twice the seconds that the expert needs at its profile, and five."""
    speed = simulation.routes[0, :101]["speed"]
    return int((2.0 * np.sum(2.0 / (speed[:-1] + speed[1:])) + 5.0) / CONTROL_DT)


def test_reward_is_the_sum_of_its_weighted_terms():
    weights = RewardWeights(0.3, 2.0, 0.07, 0.11, 0.13, 0.017, 3.0)
    simulation = Simulation(64, DrivingConfig(reward=weights), autoreset=False)
    simulation.seed(3)
    simulation.reset()
    rng = np.random.default_rng(0)
    total, expected = np.zeros(64), {name: np.zeros(64) for name in ("lateral_deviation", "imitation", "comfort", "progress")}
    running = np.ones(64, bool)
    for _ in range(60):
        experts = simulation.expert_plans()
        plans = experts + rng.normal(0.0, 0.2, experts.shape).astype(np.float32)
        before, acceleration = simulation.cars["progress"].copy(), simulation.cars["acceleration"].copy()
        result = simulation.step(plans)
        total += np.where(running, result.reward, 0.0)
        ade = np.linalg.norm(plans.astype(float) - experts, axis=2).mean(axis=1)
        jerk = np.abs(simulation.cars["acceleration"] - acceleration) / CONTROL_DT
        for name, value in {
            "lateral_deviation": -0.11 * np.abs(simulation.cars["lateral"]),
            "imitation": -0.13 * ade,
            "comfort": -0.017 * jerk,
            "progress": 0.3 * (simulation.cars["progress"] - before),
        }.items():
            expected[name] += np.where(running, value, 0.0)
        running &= result.outcome == RUNNING
    assert running.sum() > 32
    for name, value in expected.items():
        np.testing.assert_allclose(simulation.totals[f"reward_{name}"][running], value[running], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(simulation.totals["reward"][running], total[running], atol=1e-9)
    np.testing.assert_allclose(simulation.totals["reward_time"][running], -0.07 * 60)


def test_displacements_are_means_over_the_steps():
    simulation = Simulation(1, DrivingConfig(straight(), start=STILL))
    offset = np.linspace(0.0, 0.19, 20, dtype=np.float32)

    def beside(simulation):
        plans = simulation.expert_plans()
        plans[0, :, 1] += offset
        return plans

    metrics = drive(simulation, beside)
    assert metrics["ade"] == pytest.approx(offset.mean(), rel=1e-5)
    assert metrics["fde"] == pytest.approx(offset[-1], rel=1e-5)
    for h in range(20):
        assert metrics[f"displacement_{h + 1}"] == pytest.approx(offset[h], abs=1e-6)


def test_scenarios_come_in_the_documented_order_whatever_the_lengths():
    simulation = Simulation(6, DrivingConfig(route_length=20.0), group_size=2)
    simulation.seed(4)
    simulation.reset()
    played = [[] for _ in range(6)]
    rng = np.random.default_rng(1)
    for _ in range(400):
        plans = simulation.expert_plans() + rng.normal(0.0, 0.3, (6, 20, 2)).astype(np.float32)
        for i in np.flatnonzero(simulation.step(plans).outcome):
            played[i].append(int(simulation.final.scenario[i]))
    assert len({len(numbers) for numbers in played}) > 1 or min(map(len, played)) > 5
    for i, numbers in enumerate(played):
        assert numbers == [(k * 6 + i) // 2 for k in range(len(numbers))]


def test_members_of_a_group_start_equal():
    simulation = Simulation(8, DrivingConfig(), group_size=4)
    observation = simulation.reset()
    for group in (slice(0, 4), slice(4, 8)):
        assert (observation.route[group] == observation.route[group.start]).all()
        assert (observation.state[group] == observation.state[group.start]).all()
    assert (observation.route[0] != observation.route[4]).any()


def test_outcomes_are_told_apart():
    assert len({RUNNING, GOAL, OFF_ROUTE, TIMEOUT}) == 4 and RUNNING == 0


def test_memory_of_a_car_is_small():
    simulation = Simulation(4, DrivingConfig())
    arrays = (simulation.cars, simulation.routes, simulation.totals, simulation.final_metrics, *simulation.final.observation)
    assert sum(array.nbytes for array in arrays) / 4 < 64 * 1024
    assert simulation.routes.dtype == ROUTE_POINT
