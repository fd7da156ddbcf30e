"""Every scenario once, whatever the number of envs, and what cannot be evaluated."""

from functools import partial

import gymnasium as gym
import numpy as np
import pytest
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecMonitor, VecNormalize

from sb3_delta_waypoint.evaluation.rollout import Scenarios, evaluate_scenarios
from sb3_delta_waypoint.policies.inference import WaypointPolicy
from sb3_delta_waypoint.sft.planners import SFTWaypointModel
from sb3_delta_waypoint.vec_env import make_waypoint_vec_env

KWARGS = {"route_length": 12.0, "horizon_steps": 10}


def hasty(observations):
    """Straight ahead at 9 m/s: some reach the goal, some leave the route early, so that episodes differ in length."""
    plan = np.zeros((*observations["state"].shape[:-1], 10, 2), dtype=np.float32)
    plan[..., 0] = 0.9 * np.arange(1, 11)
    return plan


def replayed(seed, scenario):
    """The metrics of one scenario on the scalar env."""
    env = gym.make("ToyWaypoint-v0", **KWARGS)
    observation, _ = env.reset(seed=seed, options={"scenario": scenario})
    done = False
    while not done:
        observation, _, terminated, truncated, info = env.step(hasty(observation))
        done = terminated or truncated
    return info["episode_metrics"]


def scalar_env():
    return Monitor(gym.make("ToyWaypoint-v0", **KWARGS))


@pytest.fixture(scope="module")
def expected():
    """Metrics of scenarios 0 … 12 of seed 5, one by one."""
    rows = [replayed(5, scenario) for scenario in range(13)]
    metrics = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    assert 0 < metrics["success"].mean() < 1 and len(set(metrics["episode_length"])) > 3
    metrics["success_rate"] = metrics.pop("success")
    return metrics


def assert_same(metrics, expected, n):
    assert set(metrics) == set(expected)
    for name, values in metrics.items():
        np.testing.assert_array_equal(values, expected[name][:n], err_msg=name)


@pytest.mark.parametrize(("n_scenarios", "n_envs"), [(13, 1), (13, 4), (13, 13), (12, 4), (3, 5), (1, 1)])
def test_each_scenario_once_for_any_number_of_envs(expected, n_scenarios, n_envs):
    venv = make_waypoint_vec_env(n_envs=n_envs, **KWARGS)
    for _ in range(2):  # an evaluation starts from scenario 0, wherever the last one stopped
        assert_same(evaluate_scenarios(hasty, venv, n_scenarios, seed=5), expected, n_scenarios)


@pytest.mark.parametrize("n_envs", [1, 2, 5, 8])
def test_exactly_the_scenarios_of_a_list(expected, n_envs):
    numbers = [11, 3, 0, 12, 7]
    venv = make_waypoint_vec_env(n_envs=n_envs, **KWARGS)
    metrics = evaluate_scenarios(hasty, venv, 5, seed=5, numbers=numbers)
    for name, values in metrics.items():
        np.testing.assert_array_equal(values, expected[name][numbers], err_msg=name)
    # the order of the scenarios is as before
    assert_same(evaluate_scenarios(hasty, venv, 3, seed=5), expected, 3)
    scenarios = Scenarios(seed=5, n_envs=n_envs, env_kwargs=KWARGS, numbers=numbers)
    assert scenarios.n == 5
    np.testing.assert_array_equal(scenarios.evaluate(hasty)["ade"], expected["ade"][numbers])


def test_a_list_in_scalar_envs(expected):
    metrics = evaluate_scenarios(hasty, DummyVecEnv([scalar_env]), 3, seed=5, numbers=[9, 2, 4])
    np.testing.assert_array_equal(metrics["ade"], expected["ade"][[9, 2, 4]])
    with pytest.raises(ValueError, match="in one scalar env, not in 2"):
        evaluate_scenarios(hasty, DummyVecEnv([scalar_env] * 2), 3, seed=5, numbers=[9, 2, 4])


def test_time_limits_belong_to_the_scenarios():
    native = Scenarios(5, 5, 2, env_kwargs=KWARGS).evaluate_expert()["time_limit"]
    scalar = evaluate_scenarios(hasty, DummyVecEnv([scalar_env]), 5, seed=5, with_limits=True)["time_limit"]
    np.testing.assert_array_equal(native, scalar)
    assert len(set(native)) > 1


@pytest.mark.filterwarnings("ignore:The environment is already wrapped")
def test_scenarios_object_and_wrappers(expected):
    assert_same(Scenarios(7, seed=5, n_envs=3, env_kwargs=KWARGS).evaluate(hasty), expected, 7)
    wrapped = VecNormalize(VecMonitor(make_waypoint_vec_env(n_envs=3, **KWARGS)), norm_obs=False, training=False)
    assert_same(evaluate_scenarios(hasty, wrapped, 7, seed=5), expected, 7)


@pytest.mark.parametrize("make", [DummyVecEnv, partial(SubprocVecEnv, start_method="fork")])
def test_scalar_envs_count_their_own_scenarios(make):
    venv = make([scalar_env] * 2)
    try:
        metrics = evaluate_scenarios(hasty, venv, 5, seed=5)
    finally:
        venv.close()
    # row k * 2 + i is scenario k of seed 5 + i
    rows = [replayed(5 + row % 2, row // 2) for row in range(5)]
    np.testing.assert_array_equal(metrics["ade"], [row["ade"] for row in rows])
    np.testing.assert_array_equal(metrics["success_rate"], [row["success"] for row in rows])


def test_groups_are_refused():
    venv = make_waypoint_vec_env(n_envs=4, group_size=2, **KWARGS)
    with pytest.raises(ValueError, match="group_size=1"):
        evaluate_scenarios(hasty, venv, 4, seed=5)


def test_normalised_observations_are_refused():
    venv = VecNormalize(make_waypoint_vec_env(n_envs=2, **KWARGS))
    with pytest.raises(ValueError, match=r"VecNormalize\(\.\.\., norm_obs=False\)"):
        evaluate_scenarios(hasty, venv, 4, seed=5)


def test_an_env_without_metrics_is_named():
    venv = DummyVecEnv([lambda: gym.make("CartPole-v1")])
    with pytest.raises(ValueError, match="without scenario and episode_metrics in its info.*ToyWaypoint-v0"):
        evaluate_scenarios(lambda observations: np.zeros(1, dtype=int), venv, 2, seed=0)


class Faulty(gym.Wrapper):
    """Breaks an episode off now and then; its scenario is played again."""

    def reset(self, **kwargs):
        self.t = 0
        if not hasattr(self, "attempts") or kwargs.get("seed") is not None:
            self.seed, self.scenario, self.attempts = kwargs.get("seed", 0), 0, 0
        self.attempts += 1
        return self.env.reset(seed=self.seed, options={"scenario": self.scenario})

    def step(self, action):
        observation, reward, terminated, truncated, info = self.env.step(action)
        self.t += 1
        if self.t == 3 and self.attempts == 2:
            return observation, 0.0, False, True, {"fault": "the server is gone", "scenario": self.scenario}
        if terminated or truncated:
            self.scenario += 1
        return observation, reward, terminated, truncated, info


def test_what_a_fault_broke_off_does_not_count(expected):
    assert_same(evaluate_scenarios(hasty, DummyVecEnv([lambda: Faulty(scalar_env())]), 5, seed=5), expected, 5)


def test_no_scenarios():
    with pytest.raises(ValueError, match="n_scenarios must be at least 1, got 0"):
        evaluate_scenarios(hasty, make_waypoint_vec_env(n_envs=2, **KWARGS), 0, seed=0)


@pytest.mark.parametrize(("planner", "named"), [({"horizon_steps": 5}, "horizon_steps=5"), ({"plan_dt": 0.2}, "plan_dt=0.2")])
def test_a_policy_whose_plans_the_envs_would_misread_is_refused(planner, named):
    policy = WaypointPolicy(SFTWaypointModel(**{"horizon_steps": 10, "hidden_dims": (8,), **planner}))
    with pytest.raises(ValueError, match=named):
        Scenarios(1, env_kwargs=KWARGS).evaluate(policy)
