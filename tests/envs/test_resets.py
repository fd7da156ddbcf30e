"""Use before reset() and after close() raises ResetNeeded; options that mean nothing are refused."""

import subprocess
import sys

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import ResetNeeded

from sb3_delta_waypoint import make_waypoint_vec_env
from sb3_delta_waypoint.driving.config import DrivingConfig
from sb3_delta_waypoint.driving.measured_drive import MeasuredDrive, Measurement
from sb3_delta_waypoint.driving.simulation import Simulation

PLANS = np.zeros((2, 20, 2), np.float32)

SCALAR = {
    "step": lambda env: env.step(PLANS[0]),
    "expert_plan": lambda env: env.expert_plan(),
    "render": lambda env: env.render(),
}
VECTOR = {
    "step": lambda venv: venv.step(PLANS),
    "expert_plans": lambda venv: venv.expert_plans(),
    "render": lambda venv: venv.render(),
}
ADAPTER = {
    "step": lambda venv: venv.step(PLANS),
    "step_wait": lambda venv: venv.step_wait(),
    "env_method": lambda venv: venv.env_method("expert_plan"),
    "get_images": lambda venv: venv.get_images(),
}
MAKERS = {
    "scalar": lambda: gym.make("ToyWaypoint-v0", render_mode="rgb_array", disable_env_checker=True).unwrapped,
    "vector": lambda: gym.make_vec("ToyWaypoint-v0", num_envs=2, render_mode="rgb_array"),
    "adapter": lambda: make_waypoint_vec_env(n_envs=2, render_mode="rgb_array"),
}
USES = [
    pytest.param(kind, use, id=f"{kind}-{name}")
    for kind, uses in (("scalar", SCALAR), ("vector", VECTOR), ("adapter", ADAPTER))
    for name, use in uses.items()
]


@pytest.mark.parametrize(("kind", "use"), USES)
def test_use_before_reset_and_after_close_is_refused(kind, use):
    env = MAKERS[kind]()
    with pytest.raises(ResetNeeded, match=r"call reset\(\) first"):
        use(env)
    env.reset()
    env.close()
    with pytest.raises(ResetNeeded, match=r"call reset\(\) first"):
        use(env)


def test_the_interpreter_survives_use_before_reset():
    script = """
import gymnasium as gym, numpy as np
import sb3_delta_waypoint
env = gym.make("ToyWaypoint-v0", disable_env_checker=True).unwrapped
venv = sb3_delta_waypoint.make_waypoint_vec_env(n_envs=2)
uses = [env.expert_plan, lambda: env.step(np.zeros((20, 2))), lambda: venv.step(np.zeros((2, 20, 2)))]
for use in [*uses, lambda: venv.env_method("expert_plan")]:
    try:
        use()
    except gym.error.ResetNeeded:
        print("refused")
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert (result.returncode, result.stdout.split()) == (0, ["refused"] * 4), result.stderr


@pytest.mark.parametrize("use", [lambda cars: cars.step(PLANS), lambda cars: cars.expert_plans()])
def test_the_simulation_itself_refuses_too(use):
    with pytest.raises(RuntimeError, match=r"reset\(\) first"):
        use(Simulation(2, DrivingConfig()))


@pytest.mark.parametrize(
    "use",
    [
        lambda drive: drive.settle(Measurement(0.0, 0.0, 0.0, 0.0, 0.0)),
        lambda drive: drive.move(Measurement(0.0, 0.0, 0.0, 0.0, 0.0)),
        lambda drive: drive.judge(),
    ],
)
def test_a_measured_drive_without_a_route_is_refused(use):
    with pytest.raises(RuntimeError, match=r"begin\(\) first"):
        use(MeasuredDrive(DrivingConfig()))


def test_a_finished_episode_can_be_looked_at_but_not_stepped():
    env = gym.make("ToyWaypoint-v0", route_length=10, render_mode="rgb_array", disable_env_checker=True).unwrapped
    env.reset(seed=0)
    done = False
    while not done:
        _, _, terminated, truncated, _ = env.step(env.expert_plan())
        done = terminated or truncated
    assert env.render().shape[2] == 3 and env.expert_plan().shape == (20, 2)
    with pytest.raises(ResetNeeded):
        env.step(env.expert_plan())
    env.reset()
    env.step(env.expert_plan())


@pytest.mark.parametrize("kind", ["scalar", "vector"])
def test_a_closed_env_can_be_reset(kind):
    env = MAKERS[kind]()
    env.reset(seed=0)
    env.close()
    env.reset(seed=0)
    env.step(PLANS[0] if kind == "scalar" else PLANS)
    env.close()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"scenario": -1}, r"options\['scenario'\]=-1: expected a whole number"),
        ({"scenario": 2**63}, "9223372036854775808"),
        ({"scenario": 1.0}, r"=1\.0"),
        ({"scenario": True}, "=True"),
        ({"scenario": "3"}, "='3'"),
        ({"scenaro": 3}, "'scenaro'.* unknown; accepted is 'scenario'"),
        ([3], r"options=\[3\]: expected a mapping"),
    ],
)
def test_options_that_mean_nothing_are_refused(options, named):
    env = MAKERS["scalar"]()
    with pytest.raises(ValueError, match=named):
        env.reset(options=options)


def test_every_scenario_number_of_63_bits_can_be_played():
    env = MAKERS["scalar"]()
    for number in (np.int64(3), 2**63 - 1):
        assert env.reset(seed=1, options={"scenario": number})[1] == {"scenario": int(number)}
    assert env.reset(options={"scenario": None})[1] == {"scenario": 0}


def test_vector_envs_take_no_options_and_say_so():
    with pytest.raises(ValueError, match="scalar env plays a chosen scenario"):
        MAKERS["vector"]().reset(options={"scenario": 3})
    adapter = MAKERS["adapter"]()
    adapter.set_options({"scenario": 3})
    with pytest.raises(ValueError, match="scalar env plays a chosen scenario"):
        adapter.reset()


@pytest.mark.parametrize("seed", [-1, 1.5, "1"])
def test_seeds_that_are_none_are_refused(seed):
    for kind in ("scalar", "vector"):
        with pytest.raises(gym.error.Error, match="Seed must be"):
            MAKERS[kind]().reset(seed=seed)


def test_a_vector_env_plays_chosen_scenarios():
    env = gym.make_vec("ToyWaypoint-v0", num_envs=3)
    observation, _ = env.reset(seed=4, options={"scenarios": [8, 1, 8]})
    scalar = gym.make("ToyWaypoint-v0")
    for i, number in enumerate([8, 1, 8]):
        expected, _ = scalar.reset(seed=4, options={"scenario": number})
        np.testing.assert_array_equal(observation["route"][i], expected["route"])
    # the order of the others is as it was
    np.testing.assert_array_equal(env.reset()[0]["route"], env.reset(seed=4)[0]["route"])
    for options, said in (
        ({"scenarios": [1, 2]}, "expected 3 numbers, one per env"),
        ({"scenarios": 1}, "expected 3 numbers"),
        ({"scenarios": [1, 2, -3]}, r"options\['scenarios'\]=-3: expected a whole number"),
        ({"scenarios": [1, 2, 3], "more": 1}, "takes 'scenarios'"),
    ):
        with pytest.raises(ValueError, match=said):
            env.reset(options=options)
