"""Compiled functions: never stale, and the same for a car alone and among others."""

import os

import numpy as np
import pytest

from sb3_delta_waypoint.driving.config import DrivingConfig
from sb3_delta_waypoint.driving.expert import BLOCK
from sb3_delta_waypoint.driving.kernels import forget_stale_kernels
from sb3_delta_waypoint.driving.simulation import Simulation


def test_kernels_older_than_any_source_are_compiled_anew(tmp_path):
    for name, time in {"a.py": 20, "b.py": 30, "__pycache__/a.old.nbi": 25, "__pycache__/a.old.nbc": 25}.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
        os.utime(path, (time, time))
    (tmp_path / "__pycache__/b.new.nbi").touch()
    (tmp_path / "__pycache__/a.pyc").touch()
    forget_stale_kernels(tmp_path)
    assert {path.name for path in (tmp_path / "__pycache__").iterdir()} == {"b.new.nbi", "a.pyc"}


@pytest.mark.parametrize("n_cars", [BLOCK - 1, BLOCK, 2 * BLOCK + 3])
def test_a_car_among_others_drives_as_it_would_alone(n_cars):
    among, alone = Simulation(n_cars, DrivingConfig()), Simulation(1, DrivingConfig())
    among.reset()
    noise = np.random.default_rng(0).normal(0.0, 0.1, (60, n_cars, 1, 2))
    plans, results = [], []
    for step in range(60):
        plans.append(among.expert_plans())
        results.append(among.step(plans[step] + noise[step]))
    for i in range(n_cars):
        alone.reset(scenario=i)
        for step in range(60):
            np.testing.assert_array_equal(alone.expert_plans()[0], plans[step][i])
            result = alone.step(plans[step][i : i + 1] + noise[step][i])
            assert result.reward[0] == results[step].reward[i], f"car {i}, step {step}"
            if result.outcome[0]:
                break
            for one, many in zip(result.observation, results[step].observation, strict=True):
                np.testing.assert_array_equal(one[0], many[i])
        assert step > 20
