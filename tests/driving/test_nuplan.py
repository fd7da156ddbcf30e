"""The recorded inputs of nuPlan's own metric tests, with the values that it expects."""

import json

import numpy as np
import pytest

from sb3_delta_waypoint.driving.records import AGENT, CYCLIST, FRESH_TOTALS, OBJECT, PEDESTRIAN
from sb3_delta_waypoint.driving.savgol import savgol
from sb3_delta_waypoint.driving.time_to_collision import BOUND
from sb3_delta_waypoint.driving.vehicle import VehicleParameters
from tests.driving.scoring import IN_LANE, a_car, meet

PACIFICA = VehicleParameters(length=5.176, width=2.297, rear_overhang=1.127)
KINDS = {"vehicles": 0.0, "bicycles": CYCLIST, "pedestrians": PEDESTRIAN, "genericobjects": OBJECT}


@pytest.fixture
def scene(shared_data):
    """A function from the name of a fixture to its content."""
    return lambda folder, name: json.loads((shared_data("nuplan_fixtures") / folder / f"{name}.json").read_text())


def steps(scene):
    """The car and the others at each moment; somebody is in the same row throughout, by the scene's number."""
    numbers, collided = {}, set()
    egos = [scene["ego"], *scene.get("ego_future_states", [])]
    for ego, world in zip(egos, [scene["world"], *scene.get("world_future_states", [])], strict=True):
        x, y, yaw = ego["pose"]
        agents = np.zeros(8, AGENT)
        for kind, number in KINDS.items():
            for other in world.get(kind, []):
                agent = agents[(row := numbers.setdefault((kind, other["id"]), len(numbers)))]
                agent["x"], agent["y"], agent["yaw"] = other["box"]["pose"]
                agent["width"], agent["length"] = other["box"]["size"]
                agent["speed"], agent["kind"], agent["present"] = other["speed"], number, True
                agent["collided"] = row in collided
        yield a_car(float(np.hypot(*ego["velocity"])), x, y, yaw), agents
        collided |= set(np.flatnonzero(agents["collided"]).tolist())


COLLISIONS = ["active_front_collision", "active_rear_collision", "stopped_ego_collision", "stopped_track_collision"]


@pytest.mark.parametrize("name", ["no_collision", *COLLISIONS])
def test_collisions_at_fault(scene, name):
    found, totals = scene("no_ego_at_fault_collision", name), FRESH_TOTALS.copy()
    for car, agents in steps(found):
        meet(agents, car, IN_LANE, totals, PACIFICA)
    faults = sum(int(totals[f"fault_{kind}"][0]) for kind in ("vehicle", "vulnerable", "object"))
    expected = [value for _, value in found["expected"]["statistics"]]
    assert (faults == 0, faults) == tuple(expected[:2])
    assert (totals["fault_vulnerable"][0], totals["fault_vehicle"][0], totals["fault_object"][0]) == tuple(expected[2:5])


@pytest.mark.parametrize("name", ["ego_stopped", "no_collisions", "in_collision"])
def test_time_to_collision(scene, name):
    found = scene("time_to_collision_within_bound", name)
    times = [meet(agents, car, IN_LANE, None, PACIFICA).time_to_collision for car, agents in steps(found)]
    assert times == found["expected"]["time_series"]["values"]
    assert found["metric_parameters"]["least_min_ttc"] == BOUND


def filtered(signal, window, derivative=0):
    result = np.empty(len(signal))
    savgol(np.asarray(signal, float), 0, len(signal), window, derivative, 1.0, True, True, result)
    return result


@pytest.mark.parametrize(
    ("name", "series"),
    [
        ("ego_acceleration", lambda forward, across, yaw: filtered(np.hypot(forward, across), 8)),
        ("ego_lon_acceleration", lambda forward, across, yaw: filtered(forward, 8)),
        ("ego_lat_acceleration", lambda forward, across, yaw: filtered(across, 8)),
        # jerk is the derivative of the smooth acceleration; nuPlan's window shrinks to the 12 steps
        ("ego_lon_jerk", lambda forward, across, yaw: filtered(filtered(forward, 8), 12, 1)),
        ("ego_yaw_rate", lambda forward, across, yaw: filtered(np.unwrap(yaw), 5, 1)),
    ],
)
def test_series_of_comfort(scene, name, series):
    found = scene(name, name)
    states = [found["ego"], *found["ego_future_states"]]
    forward, across = np.transpose([state["acceleration"] for state in states])
    values = series(forward, across, [state["pose"][2] for state in states])
    np.testing.assert_allclose(values, found["expected"]["time_series"]["values"], atol=0.006)
