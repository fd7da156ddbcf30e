"""Files of hard scenarios, and envs that play them."""

import gymnasium as gym
import numpy as np
import pytest

from sb3_delta_waypoint.envs.hard_scenarios import write_hard_scenarios

SHORT = {"route_length": 20}


def routes(seed, scenarios, **kwargs):
    env = gym.make("ToyWaypoint-v0", **SHORT, **kwargs)
    return [env.reset(seed=seed, options={"scenario": g})[0]["route"] for g in scenarios]


@pytest.fixture
def file(tmp_path):
    return write_hard_scenarios(tmp_path / "hard.json", 7, np.array([3, 17]))


def test_only_hard_ones(file):
    played = {route.tobytes() for route in routes(1, range(2), hard_scenarios=str(file), hard_share=1.0)}
    assert played == {route.tobytes() for route in routes(7, (3, 17))}


def test_groups_share_hard_and_other_scenarios_and_numbers_stay(file):
    venv = gym.make_vec("ToyWaypoint-v0", num_envs=40, group_size=4, hard_scenarios=file, **SHORT)
    seen, _ = venv.reset(seed=1)
    by_group = seen["route"].reshape(10, 4, -1)
    assert (by_group == by_group[:, :1]).all()
    alone = routes(1, range(10), hard_scenarios=file)
    np.testing.assert_array_equal(seen["route"][::4], alone)
    own = [bool((route == plain).all()) for route, plain in zip(alone, routes(1, range(10)), strict=True)]
    assert 0 < sum(own) < 10
    assert (venv.unwrapped.simulation.cars["scenario"] == np.arange(40) // 4).all()


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("[3, 17]", "is no list of hard scenarios"),
        ('{"seed": "7", "scenarios": [3]}', "is no list of hard scenarios"),
        ('{"seed": 7, "scenarios": []}', "names no scenario"),
        ('{"seed": -7, "scenarios": [3]}', "seed=-7: expected a whole number"),
        ('{"seed": 7, "scenarios": [3, 1.5]}', "scenarios=1.5: expected a whole number"),
        ("{", "bad.json"),
    ],
)
def test_bad_files(tmp_path, content, error):
    path = tmp_path / "bad.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=error):
        gym.make("ToyWaypoint-v0", hard_scenarios=path)


def test_bad_arguments(file, tmp_path):
    with pytest.raises(ValueError, match="hard_share=2: expected a number between 0 and 1"):
        gym.make("ToyWaypoint-v0", hard_scenarios=file, hard_share=2)
    with pytest.raises(ValueError, match="hard_scenarios=3: expected a file"):
        gym.make("ToyWaypoint-v0", hard_scenarios=3)
    with pytest.raises(FileNotFoundError, match="nowhere.json"):
        gym.make_vec("ToyWaypoint-v0", num_envs=1, hard_scenarios=tmp_path / "nowhere.json")
