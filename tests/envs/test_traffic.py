"""TrafficWaypoint-v0: the same episodes however it is run, what it observes, and how episodes end."""

import math

import gymnasium as gym
import numpy as np
import pytest

from sb3_delta_waypoint.contract import GROUPS
from sb3_delta_waypoint.driving.records import VEHICLE
from sb3_delta_waypoint.envs.checker import check_waypoint_env
from sb3_delta_waypoint.vec_env.native import make_waypoint_vec_env

ROADS = {"routes": "synthetic:0-1", "route_length": 60}


def scalar(**kwargs):
    return gym.make("TrafficWaypoint-v0", **ROADS | kwargs).unwrapped


def vector(n, **kwargs):
    return gym.make_vec("TrafficWaypoint-v0", num_envs=n, **ROADS | kwargs).unwrapped


def plan_of(observation, k):
    """Some plan that depends on what is seen and on the step alone, for one car or many."""
    state, route = observation["state"], observation["route"]
    speed = state[..., 0] + 0.3 * np.sin(0.3 * k) + 0.1
    ahead = np.clip(speed, 0.0, 7.0)[..., None] * 0.1 * np.arange(1, 21)
    aside = np.clip(route[..., 1, 1], -2.0, 2.0)[..., None] * (ahead / 6.0) ** 2
    return np.stack([ahead, aside], axis=-1).astype(np.float32)


def episodes(reset, step, n, wanted):
    """Play until so many scenarios have ended; rewards, last observation and metrics by scenario."""
    observation, found = reset(), {}
    rewards, k, begun = [[] for _ in range(n)], [0] * n, 0
    while not set(range(wanted)) <= set(found):
        plans = np.stack([plan_of({name: rows[i] for name, rows in observation.items()}, k[i]) for i in range(n)])
        observation, reward, ended = step(plans)
        for i in range(n):
            rewards[i].append(float(reward[i]))
            k[i] += 1
        for i, last, scenario, metrics in ended:
            found[scenario] = rewards[i], last, metrics
            rewards[i], k[i], begun = [], 0, begun + 1
    return found


def by_scalar(wanted, **kwargs):
    env = scalar(**kwargs)
    held = {}

    def reset():
        held["observation"], _ = env.reset(seed=7)
        return {name: rows[None] for name, rows in held["observation"].items()}

    def step(plans):
        observation, reward, terminated, truncated, info = env.step(plans[0])
        ended = []
        if terminated or truncated:
            ended = [(0, observation, info["scenario"], info["episode_metrics"])]
            observation, _ = env.reset()
        return {name: rows[None] for name, rows in observation.items()}, [reward], ended

    return episodes(reset, step, 1, wanted)


def by_vector(n, wanted, **kwargs):
    env = vector(n, **kwargs)

    def step(plans):
        observation, reward, _, _, infos = env.step(plans)
        ended = []
        for i in np.flatnonzero(infos["_final_info"]) if infos else ():
            info = infos["final_info"]
            metrics = {name: values[i] for name, values in info["episode_metrics"].items() if not name.startswith("_")}
            ended.append((i, infos["final_obs"][i], int(info["scenario"][i]), metrics))
        return observation, reward, ended

    return episodes(lambda: env.reset(seed=7)[0], step, n, wanted)


def by_sb3(n, wanted):
    env = make_waypoint_vec_env("TrafficWaypoint-v0", n, seed=7, **ROADS)

    def step(plans):
        observation, reward, dones, infos = env.step(plans)
        ended = [
            (i, infos[i]["terminal_observation"], infos[i]["scenario"], infos[i]["episode_metrics"])
            for i in np.flatnonzero(dones)
        ]
        return observation, reward, ended

    return episodes(env.reset, step, n, wanted)


def assert_same(one, other, exact=True):
    for scenario in range(6):
        rewards, last, metrics = one[scenario]
        other_rewards, other_last, other_metrics = other[scenario]
        # the adapter hands out float32
        assert rewards == other_rewards if exact else np.allclose(rewards, other_rewards, rtol=1e-6, atol=1e-6)
        for name, rows in last.items():
            np.testing.assert_array_equal(rows, other_last[name])
        for name, value in metrics.items():
            assert value == other_metrics[name] or (math.isnan(value) and math.isnan(other_metrics[name])), name


def test_scalar_vector_and_adapter_play_the_same_episodes_whatever_their_number():
    alone = by_scalar(6)
    assert len({len(rewards) for rewards, _, _ in alone.values()}) > 1
    assert_same(alone, by_vector(1, 6))
    assert_same(alone, by_vector(5, 6))
    assert_same(alone, by_sb3(3, 6), exact=False)


def test_another_seed_is_another_world_and_the_order_does_not_matter():
    env = scalar()
    env.reset(seed=7)
    seen = {g: env.reset(options={"scenario": g})[0] for g in (4, 0, 4, 2)}
    again = {g: env.reset(options={"scenario": g})[0] for g in (2, 4, 0)}
    for g, observation in again.items():
        for name, rows in observation.items():
            np.testing.assert_array_equal(rows, seen[g][name])
    assert (seen[0]["agents"] != seen[2]["agents"]).any()
    assert (env.reset(seed=8)[0]["agents"] != env.reset(seed=7)[0]["agents"]).any()


def test_members_of_a_group_meet_the_same_others():
    env = vector(16, group_size=4, traffic={"vehicles": 30})
    observation, _ = env.reset(seed=0)
    world = env.simulation.world
    for first in range(0, 16, 4):
        for name, rows in observation.items():
            assert (rows[first : first + 4] == rows[first]).all(), name
        for field in ("x", "y", "speed", "kind"):
            assert (world.agents[field][first : first + 4] == world.agents[field][first]).all()
    assert (world.agents["x"][0] != world.agents["x"][4]).any()
    # who then react to each of them
    for _ in range(30):
        plans = env.expert_plans()
        plans[1::4] = 0.0
        env.step(plans)
    assert (world.agents["x"][2::4] == world.agents["x"][3::4]).all()
    assert (world.agents["x"][1::4] != world.agents["x"][2::4]).any()


def test_the_checker_accepts_it():
    check_waypoint_env(scalar())


def test_observations_are_in_bounds_and_right():
    env = vector(16, traffic={"vehicles": 20, "pedestrians": 8})
    observation, _ = env.reset(seed=1)
    lanes, world = env.simulation.street.lanes, env.simulation.world
    crowded = 0
    for k in range(150):
        if k % 10 == 0:
            for i in range(16):
                row = {name: rows[i] for name, rows in observation.items()}
                assert env.single_observation_space.contains(row)
                check_agents(row, world.cars[i], world.agents[i])
                crowded += row["agents_valid"].all()
                check_limits(row, world.cars[i], world.routes[i], lanes)
        observation, *_ = env.step(env.expert_plans())
    assert crowded > 0, "more others than rows"


def check_agents(row, car, agents):
    present = agents[agents["present"]]
    dx, dy = present["x"] - car["x"], present["y"] - car["y"]
    cos, sin = math.cos(car["yaw"]), math.sin(car["yaw"])
    x, y = cos * dx + sin * dy, cos * dy - sin * dx
    near = np.flatnonzero(np.maximum(np.abs(x), np.abs(y)) <= GROUPS["agents"].columns[0].high)
    order = near[np.argsort(np.hypot(x, y)[near], kind="stable")][:16]
    n = len(order)
    assert row["agents_valid"].tolist() == [1.0] * n + [0.0] * (16 - n)
    turned = present["yaw"][order] - car["yaw"]
    expected = [x[order], y[order], np.arctan2(np.sin(turned), np.cos(turned))]
    expected += [present[name][order] for name in ("speed", "length", "width", "kind")]
    np.testing.assert_allclose(row["agents"][:n], np.stack(expected, 1), rtol=1e-5, atol=1e-4)
    assert not row["agents"][n:].any()


def check_limits(row, car, route, lanes):
    for k in range(10):
        at = min(int(max(car["progress"], 0.0)) + 3 * (k + 1), car["n_points"] - 1)
        away = np.hypot(*(lanes.network.points - (route["x"][at], route["y"][at])).T)
        # of any lane that runs there
        assert row["speed_limit"][k] == pytest.approx(lanes.network.speeds[away < away.min() + 0.6], abs=1e-3) or (
            np.isclose(row["speed_limit"][k], lanes.network.speeds[away < away.min() + 0.6]).any()
        )


def test_a_contact_by_its_own_fault_ends_an_episode_and_another_does_not():
    for ahead, ends in ((6.0, True), (-4.5, False)):
        env = scalar(traffic={"pedestrians": 0, "parked": 0, "behaviour": "replay"})
        env.reset(seed=0)
        world = env.simulation.world
        car, agent = world.cars[0], world.agents[0, 0]
        world.agents["present"][0], world.drivers["role"][0] = False, 0
        agent["x"], agent["y"] = (
            car[axis] + ahead * np.array(turn(car["yaw"])) for axis, turn in (("x", math.cos), ("y", math.sin))
        )
        agent["yaw"], agent["kind"], agent["length"], agent["width"] = car["yaw"], VEHICLE, 4.5, 1.8
        agent["present"], agent["speed"] = True, 12.0
        car["speed"] = 5.0
        contacts = 0.0
        for _ in range(25):
            # the one ahead stands in the way, the one behind runs into the car
            if ahead < 0.0:
                agent["x"] += 0.9 * math.cos(car["yaw"])
                agent["y"] += 0.9 * math.sin(car["yaw"])
            else:
                agent["speed"] = 0.0
            _, _, terminated, truncated, info = env.step(plan_of({"state": np.array([5.0]), "route": np.zeros((10, 2))}, 0))
            contacts = float(env.simulation.world.totals["hit_vehicle"][0])
            if terminated or truncated or contacts:
                break
        assert contacts == 1.0
        assert terminated == ends
        if ends:
            assert not info["is_success"] and info["episode_metrics"]["collision_at_fault"] == 1.0
            assert info["episode_metrics"]["closed_loop_score"] == 0.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"traffic": {"cars": 3}}, "'cars' is unknown"),
        ({"traffic": {"behaviour": "rude"}}, "'rude' is unknown"),
        ({"traffic": {"vehicles": -1}}, "vehicles=-1"),
        ({"traffic": {"vehicles": 10_000}}, "vehicles=10000"),
        ({"traffic": {"behaviour": {"idm": 0.0}}}, "all weights are 0"),
        ({"routes": "synthetic:x"}, "synthetic:SEED"),
        ({"routes": "out/episodes/*.json"}, "recorded episodes have no lanes"),
        ({"routes": None}, "routes=None: expected"),
        ({"route_length": 20_000}, "route_length"),
        ({"route_length": 9_000}, "make them shorter"),
        ({"vehicle": {"width": 3.6}}, "does not fit into the narrowest lane"),
        ({"waiting_time": -1.0}, "waiting_time"),
        ({"waiting_time": math.nan}, "waiting_time"),
        ({"observe": ("state", "radar")}, "radar"),
    ],
)
def test_bad_arguments_are_named_before_anything_happens(arguments, message):
    with pytest.raises(ValueError, match=message):
        scalar(**arguments)


def test_roads_that_do_not_exist():
    with pytest.raises(FileNotFoundError, match=r"Nowhere\.xodr"):
        scalar(routes="Nowhere.xodr")
