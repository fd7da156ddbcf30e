"""Cars among others: hours of traffic without jams, contacts and surprises."""

import numpy as np
import pytest

from sb3_delta_waypoint.driving.agents.records import CAR_DRIVER
from sb3_delta_waypoint.driving.signals import RED, light_state
from sb3_delta_waypoint.driving.traffic_simulation import TrafficSimulation
from sb3_delta_waypoint.envs.configuration import traffic_config
from tests.driving.agents.worlds import overlapping

N, STEPS = 24, 600


def drive(routes, behaviour):
    """
    Let the reference driver drive among others.

    :return: overlaps of two others, share of the time for which vehicles have been standing for 30 s, and final metrics
    """
    config = traffic_config(routes, route_length=100, traffic={"vehicles": 14, "behaviour": behaviour})
    simulation = TrafficSimulation(N, config)
    simulation.reset()
    lanes, agents, drivers = simulation.street.lanes, simulation.world.agents, simulation.world.drivers
    standing = np.zeros(agents.shape, int)
    episodes, long, total, overlaps, ended = np.zeros(N, int), 0, 0, set(), []
    for _ in range(STEPS):
        scenarios = simulation.cars["scenario"].copy()
        segments, fronts = drivers["segment"][:, :-1].copy(), drivers["along"][:, :-1] + 0.5 * agents["length"]
        seconds = 0.1 * simulation.world.totals["steps"]
        _, _, outcome = simulation.step(simulation.expert_plans())
        done = outcome != 0
        if done.any():
            ended += [dict(zip(simulation.metric_names, row, strict=True)) for row in simulation.final_metrics[done]]
        driving = (drivers["role"][:, :-1] == CAR_DRIVER) & (drivers["held_steps"][:, :-1] == 0)
        standing = np.where(driving & (agents["speed"] < 0.1) & ~done[:, None], standing + 1, 0)
        long, total = long + (standing > 300).sum(), total + driving.sum()
        episodes += done
        for i in np.flatnonzero(~done):
            overlaps |= {(int(scenarios[i]), *pair) for pair in overlapping(agents[i])}
            for j in np.flatnonzero(driving[i] & (lanes.stop_light[segments[i]] >= 0) & ~drivers["runs_red"][i, :-1]):
                segment, line = segments[i, j], lanes.stop_at[segments[i, j]]
                moved = drivers["along"][i, j] + 0.5 * agents["length"][i, j]
                if drivers["segment"][i, j] == segment and fronts[i, j] < line <= moved:
                    light = lanes.lights[lanes.stop_light[segment]]
                    state = light_state(simulation.world.situations["seed"][i], light, float(seconds[i]))
                    # or it is about to stop, a little too far
                    assert state != RED or agents["speed"][i, j] < 2.0, (i, j)
    return overlaps, long / total, ended


@pytest.mark.parametrize("behaviour", ["mixed", "aggressive"])
def test_traffic_flows_and_nobody_runs_into_anybody(behaviour):
    overlaps, long, ended = drive("synthetic:0-1", behaviour)
    assert len(overlaps) <= 1
    assert long < 0.01
    assert len(ended) >= N
    assert np.mean([metrics["collision_at_fault"] for metrics in ended]) < 0.06
    assert np.mean([metrics["red_light"] for metrics in ended]) < 0.02
    assert np.mean([metrics["success"] for metrics in ended]) > 0.8


def test_traffic_flows_on_a_real_map(shared_data):
    overlaps, long, ended = drive(str(shared_data("Town01.xodr")), "mixed")
    assert len(overlaps) <= 1 and long < 0.01
    assert np.mean([metrics["collision_at_fault"] for metrics in ended]) < 0.06


def test_asking_the_reference_driver_changes_nothing():
    simulation = TrafficSimulation(8, traffic_config("synthetic:0-1"))
    simulation.reset()
    for _ in range(60):
        plans = simulation.expert_plans()
        before = [values.copy() for values in simulation.world]
        for _ in range(3):
            assert (simulation.expert_plans() == plans).all()
        for values, kept in zip(simulation.world, before, strict=True):
            for field in values.dtype.names or ():
                np.testing.assert_array_equal(values[field], kept[field])
        simulation.step(plans)


def test_more_vehicles_than_there_is_room_for_are_announced():
    config = traffic_config("synthetic:0", traffic={"vehicles": 64, "pedestrians": 0, "parked": 0})
    lanes = config.lanes._replace(length=config.lanes.length * 0.05)
    with pytest.warns(UserWarning, match=r"64 vehicles do not fit on \d+ m of lanes; there are \d+ of them"):
        simulation = TrafficSimulation(1, type(config)(**{**vars(config), "lanes": lanes, "route_length": 20.0}))
    assert simulation.n_agents < 64


def test_routes_over_too_many_lanes_are_refused():
    config = traffic_config("synthetic:0", route_length=5000)
    with pytest.raises(ValueError, match=r"route_length=5000 m: among others, routes on these roads are at most \d+ m long"):
        TrafficSimulation(1, config)
