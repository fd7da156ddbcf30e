"""Where others begin: clear of one another and of the car, for every behaviour alike."""

import math

import numpy as np
import pytest

from sb3_delta_waypoint.driving.agents.behaviour import BEHAVIOURS
from sb3_delta_waypoint.driving.agents.records import CAR_DRIVER, PEDESTRIAN_WALKS, STANDS
from sb3_delta_waypoint.driving.lanes import lanes_at
from sb3_delta_waypoint.driving.records import CYCLIST, PEDESTRIAN, VEHICLE
from tests.driving.agents.worlds import box_of, boxes_overlap, overlapping

N = 200
"""Number of scenarios."""


@pytest.fixture(scope="module")
def starts(simulate):
    return simulate(N, vehicles=12, pedestrians=6, parked=5)


def test_nobody_overlaps_anybody(starts):
    assert [i for i in range(N) if overlapping(starts.world.agents[i])] == []


def test_no_collision_is_unavoidable_at_the_start(starts):
    vehicle = starts.config.vehicle
    middle = 0.5 * vehicle.length - vehicle.rear_overhang
    for i in range(N):
        car, agents = starts.cars[i], starts.world.agents[i]
        for step in range(31):
            seconds = 0.1 * step
            braked = min(seconds, car["speed"] / 6.0)
            way = middle + car["speed"] * braked - 3.0 * braked * braked
            cos, sin = math.cos(car["yaw"]), math.sin(car["yaw"])
            box = car["x"] + way * cos, car["y"] + way * sin, car["yaw"], vehicle.length, vehicle.width
            for agent in agents[agents["present"]]:
                # others brake, too, and need not hit a car that stands
                if step == 0 or seconds <= car["speed"] / 6.0:
                    x, y, yaw, length, width = box_of(agent)
                    gone = seconds * agent["speed"]
                    there = x + gone * math.cos(yaw), y + gone * math.sin(yaw), yaw, length, width
                    assert not boxes_overlap(box, there), (i, step)


def test_places_drawn_again_are_counted_and_no_driver_matters(starts, simulate):
    counted = starts.redrawn
    assert counted.shape == (N,) and counted.sum() > 0 and (counted == 0).any()
    for behaviour in ("aggressive", "replay"):
        other = simulate(N, vehicles=12, pedestrians=6, parked=5, behaviour=behaviour)
        assert (other.redrawn == counted).all()


def test_places_do_not_depend_on_the_behaviour(starts, simulate):
    agents, drivers = starts.world.agents, starts.world.drivers
    for behaviour in BEHAVIOURS:
        other = simulate(N, vehicles=12, pedestrians=6, parked=5, behaviour=behaviour)
        n = agents.shape[1]
        for field in ("x", "y", "yaw", "speed", "kind", "present", "length"):
            assert (other.world.agents[field][:, :n] == agents[field]).all(), (behaviour, field)
        same = ("role", "segment", "along", "walked", "steps_out", "pace", "route")
        there = agents["present"]
        for field in same:
            assert (other.world.drivers[field][:, :n][there] == drivers[field][:, :n][there]).all(), (behaviour, field)
        extra = other.world.agents["present"][:, n:]
        assert extra.shape[1] == (behaviour == "inserted") and extra.all()


def test_vehicles_stand_on_their_lanes_and_can_stop(starts):
    lanes, found = starts.street.lanes, np.empty(8, np.int64)
    kinds = set()
    for i in range(N):
        agents, drivers = starts.world.agents[i], starts.world.drivers[i]
        for agent, driver in zip(agents, drivers[:-1], strict=True):
            if driver["role"] != CAR_DRIVER:
                continue
            kinds.add(float(agent["kind"]))
            n = lanes_at(lanes, agent["x"], agent["y"], 0.0, found)
            assert driver["segment"] in lanes.segment_of[found[:n]]
            first = lanes.network.offsets[driver["segment"]]
            k = first + int(driver["along"] / lanes.spacing[driver["segment"]])
            assert 0.0 <= agent["speed"] <= lanes.pace[k] + 1e-9
            left = lanes.stop_at[driver["segment"]] - driver["along"] - 0.5 * agent["length"]
            if left > 0.0:
                assert agent["speed"] ** 2 <= 2.0 * 2.0 * left + 1e-9
    assert kinds == {VEHICLE, CYCLIST}


def test_parked_cars_stand_on_no_lane(starts):
    lanes, found = starts.street.lanes, np.empty(8, np.int64)
    parked = starts.world.drivers["role"][:, :-1] == STANDS
    assert parked.sum() > N
    for agent in starts.world.agents[parked]:
        x, y, yaw, length, width = box_of(agent)
        for ahead in np.linspace(-0.5, 0.5, 9) * length:
            for aside in np.linspace(-0.5, 0.5, 5) * width:
                px = x + ahead * math.cos(yaw) - aside * math.sin(yaw)
                py = y + ahead * math.sin(yaw) + aside * math.cos(yaw)
                assert lanes_at(lanes, px, py, 0.0, found) == 0


def test_pedestrians_wait_beside_the_road_and_their_ways_lead_across_the_route(starts):
    lanes, found = starts.street.lanes, np.empty(8, np.int64)
    walkers = crossing_first = standing = 0
    for i in range(N):
        route = starts.world.routes[i][: starts.cars["n_points"][i]]
        for agent, driver in zip(starts.world.agents[i], starts.world.drivers[i][:-1], strict=True):
            if driver["role"] != PEDESTRIAN_WALKS:
                continue
            walkers += 1
            standing += driver["steps_out"] < 0.0
            assert agent["kind"] == PEDESTRIAN and agent["speed"] == 0.0
            cos, sin = math.cos(agent["yaw"]), math.sin(agent["yaw"])
            for walked in (-0.3, 0.0, 0.3, driver["way"], driver["way"] + 0.3):
                x, y = driver["start_x"] + walked * cos, driver["start_y"] + walked * sin
                assert lanes_at(lanes, x, y, 0.0, found) == 0
            at = round(float(driver["crosses_at"]))
            dx, dy = route["x"][at] - driver["start_x"], route["y"][at] - driver["start_y"]
            assert abs(dy * cos - dx * sin) < 0.8 and 0.0 < dx * cos + dy * sin < driver["way"]
            assert 15.0 <= at <= starts.cars["n_points"][i] - 1
            assert 0.9 <= driver["pace"] <= 1.9
            crossing_first += 1
    assert walkers > 3 * N and 0.15 < standing / walkers < 0.35


def test_drivers_draw_their_parameters_from_the_ranges_of_the_behaviour(simulate):
    for name, one in BEHAVIOURS.items():
        drivers = simulate(32, behaviour=name).world.drivers[:, :10]
        drivers = drivers[drivers["role"] == CAR_DRIVER]
        for field, (low, high) in (("headway", one.headway), ("gap", one.gap), ("max_acceleration", one.acceleration)):
            assert ((drivers[field] >= low) & (drivers[field] <= high)).all()
            assert (len(np.unique(drivers[field])) > 1) == (low < high)
        assert (drivers["pace_share"] <= one.pace[1]).all()


def test_each_kind_of_what_is_inserted_occurs(simulate):
    simulation = simulate(64, behaviour="inserted")
    drivers, agents = simulation.world.drivers[:, -2], simulation.world.agents[:, -1]
    assert agents["present"].all()
    standing = (drivers["held_steps"] > 1) & (drivers["role"] == CAR_DRIVER)
    sudden = drivers["role"] == PEDESTRIAN_WALKS
    assert standing.any() and sudden.any() and drivers["runs_red"].any()
    assert (standing | sudden | drivers["runs_red"]).all()
    assert (drivers["leaves_braking"][sudden] == 5.0).all()


def test_shares_of_the_behaviours(simulate):
    simulation = simulate(400, vehicles=0, pedestrians=0, parked=0, behaviour={"idm": 3.0, "cautious": 1.0})
    names = np.array(list(BEHAVIOURS))[simulation.world.situations["behaviour"]]
    assert set(names) == {"idm", "cautious"} and 0.68 < (names == "idm").mean() < 0.82
