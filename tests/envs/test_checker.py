"""What check_waypoint_env says of envs that break the contract."""

import warnings

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from sb3_delta_waypoint import check_waypoint_env
from sb3_delta_waypoint.envs.spaces import PlanSpace, observation_space


class Straight(gym.Env):
    """Drives eight steps; what it sees is random by scenario and step."""

    def __init__(self):
        self.observation_space = spaces.Dict(observation_space().spaces)
        self.action_space = PlanSpace(20, 0.1)
        self.base, self.next, self.steps = 0, 0, 0

    def expert_plan(self):
        return np.full((20, 2), self.steps, np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        if seed is not None:
            self.base, self.next = seed, 0
        self.scenario, self.steps = (options or {}).get("scenario"), 0
        if self.scenario is None:
            self.scenario, self.next = self.next, self.next + 1
        self.rng = np.random.default_rng((self.base, self.scenario))
        return self.observation(), {"scenario": self.scenario}

    def step(self, action):
        self.steps += 1
        return self.observation(), float(action.mean()), self.steps == 8, False, self.last() if self.steps == 8 else {}

    def last(self):
        return {"scenario": self.scenario, "is_success": True, "episode_metrics": {"success": 1.0, "ade": float("nan")}}

    def observation(self):
        route = self.rng.uniform(-50, 50, (10, 2)).astype(np.float32)
        return {"state": np.array([self.steps, 0, 0, 0], np.float32), "route": route}


def variant(**methods):
    """The env with some methods replaced; each is given the env and what the original gives."""

    def replaced(name, change):
        return lambda self, *args, **kwargs: change(self, getattr(Straight, name)(self, *args, **kwargs))

    return type("Broken", (Straight,), {name: replaced(name, change) for name, change in methods.items()})()


def with_space(key, space):
    env = Straight()
    env.observation_space.spaces[key] = space
    return env


def with_actions(space):
    env = Straight()
    env.action_space = space
    return env


def observing(**changes):
    return variant(observation=lambda self, observation: {**observation, **changes})


def ending(**changes):
    return variant(last=lambda self, info: {key: value for key, value in {**info, **changes}.items() if value is not ...})


def stepping(index, value):
    return variant(step=lambda self, result: (*result[:index], value, *result[index + 1 :]))


def test_an_env_that_keeps_it_passes_silently():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_waypoint_env(Straight())


@pytest.mark.parametrize("kwargs", [{}, {"horizon_steps": 5, "plan_dt": 0.3, "observe": ("signal", "agents", "agents_valid")}])
def test_toy_waypoint_keeps_it(kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_waypoint_env(gym.make("ToyWaypoint-v0", **kwargs))


BOX = spaces.Box
STATE = observation_space()["state"]


@pytest.mark.parametrize(
    ("env", "said"),
    [
        (gym.make("CartPole-v1"), r"CartPole-v1 does .*its actions are Discrete\(2\), not plans, a Box \(H, 2\) in metres"),
        (with_actions(BOX(-100, 100, (20, 2), np.float64)), r"action space is .*float64.*use PlanSpace\("),
        (with_actions(BOX(-np.inf, np.inf, (20, 2))), "use PlanSpace.*, a bounded float32 Box"),
        (with_space("state", BOX(-1, 1, (5,))), r"'state' is Box.*expected a float32 Box of the shape \(4,\): how"),
        (with_space("state", BOX(-1, 1, (4,))), "'state' has other bounds than .*expected speed 0 to 60 m/s, steering"),
        (with_space("agents", BOX(-1, 1, (16, 7))), "other bounds .*yaw -3.14159 to 3.14159 rad"),
        (with_space("front", BOX(0, 255, (8, 8, 3), np.uint8)), r"'front' has the shape \(8, 8, 3\); expected \(3, height"),
        (with_space("front", BOX(0, 255, (3, 8, 8), np.uint8)), "camera 'front' comes without 'front_valid': add it"),
        (with_space("lidar", BOX(0, 1, (5,))), r"of reset\(seed=0\) has \['route', 'state'\]; its space has \['lid"),
        (observing(state=np.zeros(4)), r"'state' of reset\(seed=0\) is float64: convert it, .astype\(np.float32\)"),
        (observing(state=np.float32([-3, 0, 0, 0])), "'state' of reset.* holds -3, outside its bounds: clip it"),
        (observing(state=np.float32([np.nan, 0, 0, 0])), "'state' of reset.* holds nan, outside its bounds"),
        (observing(state=np.zeros(3, np.float32)), r"'state' of reset.* is array\(\[0., 0., 0.\].*; expected Box\("),
        (variant(reset=lambda self, result: result[0]), r"reset\(seed=0\) gives .*; expected \(observation, info\)"),
        (variant(reset=lambda self, result: (result[0], {})), r"info\['scenario'\] is None after reset\(seed=0\); expected 0"),
        (variant(reset=lambda self, result: (result[0], {"scenario": 0})), r"is 0 after reset\(\); expected 1: reset\(seed=…"),
        (variant(step=lambda self, result: result[:4]), r"step\(\) gives .*; expected \(observation, reward, term"),
        (stepping(1, float("nan")), "the reward of step 1 is nan; expected a finite number"),
        (stepping(2, 1), "terminated at step 1 is 1; expected True or False"),
        (variant(step=lambda self, result: (*result[:3], result[2], result[4])), "step 8 is terminated and truncated: an"),
        (stepping(2, False), r"after reset\(seed=0\) no episode ended within 50 steps: truncate those"),
        (ending(is_success=...), "info of the last of 8 steps lacks 'is_success': add it, whether the episode succeeded"),
        (ending(scenario=...), "lacks 'scenario'"),
        (ending(episode_metrics=...), "lacks 'episode_metrics': add it, a flat dict of numbers"),
        (ending(is_success=1), r"info\['is_success'\] is 1 at the last of 8 steps; expected True or False"),
        (ending(scenario=7), r"info\['scenario'\] is 7 after the last of 8 steps; expected 0"),
        (ending(episode_metrics={"ade": [1.0]}), r"episode_metrics'\] is {'ade': \[1.0\]}.*flat dict of numbers"),
        (ending(episode_metrics={"success": 0.0}), r"episode_metrics\['success'\] is 0 at the last .*; the episode says 1"),
        (ending(episode_metrics={"episode_length": 9}), r"\['episode_length'\] is 9 at .*; the episode says 8"),
        (variant(expert_plan=lambda self, plan: plan[:5]), r"expert_plan\(\) gives array.*, which is not in the action space"),
        (observing(state=None), "'state' of reset.* is None; expected Box"),
    ],
)  # fmt: skip
def test_what_breaks_it_is_named_with_value_and_remedy(env, said):
    with pytest.raises(ValueError, match=f"(?s){said}") as error:
        check_waypoint_env(env, max_steps=50, warn=False)
    assert "does not keep the contract of waypoint envs: " in str(error.value)


def drifting(self, observation):
    """Something goes on from episode to episode."""
    self.drift = getattr(self, "drift", 0.0) + 1e-3
    return {**observation, "state": observation["state"] + np.float32([self.drift, 0, 0, 0])}


def test_a_scenario_that_cannot_be_replayed():
    with pytest.raises(ValueError, match="scenario 0, played again .* differs in observation 'state' of step 0: everything"):
        check_waypoint_env(variant(observation=drifting))

    def numbered_by_order(self, result):
        self.rng = np.random.default_rng((self.base, self.next if self.scenario == 1 else self.scenario))
        return self.observation(), result[1]

    with pytest.raises(ValueError, match="scenario 1, played again .* differs in observation 'route' of step 0: everything"):
        check_waypoint_env(variant(reset=numbered_by_order))
    tired = variant(step=lambda self, result: (*result[:3], self.next == 0 and self.steps == 6, self.last()))
    with pytest.raises(ValueError, match="scenario 0, played twice with the same plans, takes 8 and 6 steps"):
        check_waypoint_env(tired)


def test_advice():
    env = with_actions(BOX(-100.0, 100.0, (20, 2), np.float32))
    with pytest.warns(UserWarning, match="does not say plan_dt, so that no planner .* is refused: use PlanSpace"):
        check_waypoint_env(env)
    env = with_space("lidar", BOX(0, 1, (5,), np.float32))
    env.observation = lambda: {**Straight.observation(env), "lidar": np.zeros(5, np.float32)}
    with pytest.warns(UserWarning, match="'lidar' in its observation is no group of the contract"):
        check_waypoint_env(env)
    alone = type("Alone", (Straight,), {"expert_plan": property()})()
    with pytest.warns(UserWarning, match=r"has no expert_plan\(\): it can be trained in"):
        check_waypoint_env(alone)


def test_what_is_no_env():
    with pytest.raises(ValueError, match="is no gymnasium.Env: check a scalar env"):
        check_waypoint_env(gym.make_vec("ToyWaypoint-v0", num_envs=2))
