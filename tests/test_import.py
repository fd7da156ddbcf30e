"""What ``import sb3_delta_waypoint`` does, each time in a Python of its own."""

import json
import subprocess
import sys
from typing import Any

OPTIONAL_OR_HEAVY = ["carla", "matplotlib", "optuna", "pandas", "pygame", "ray", "rl_zoo3", "sb3_contrib"]


def run(code: str) -> Any:
    """Run a program that prints one JSON value."""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_import_is_light_and_needs_no_extra() -> None:
    """It loads nothing heavy beyond what Stable-Baselines3 loads by itself, and works where no extra is installed."""
    loaded = run(
        f"""
import json, sys
import stable_baselines3
from stable_baselines3.common import callbacks, evaluation
heavy = {OPTIONAL_OR_HEAVY}
before = set(sys.modules)
for name in ("carla", "ray", "rl_zoo3"):
    sys.modules[name] = None  # an import of it fails
import sb3_delta_waypoint
public = [getattr(sb3_delta_waypoint, name) for name in sb3_delta_waypoint.__all__]
print(json.dumps([name for name in heavy if name not in before and sys.modules.get(name)]))
"""
    )
    assert loaded == []


def test_registering_the_envs_does_not_load_torch() -> None:
    assert run("import json, sys, sb3_delta_waypoint; print(json.dumps('torch' in sys.modules))") is False


def test_the_public_names() -> None:
    names = run("import json, sb3_delta_waypoint; print(json.dumps(sb3_delta_waypoint.__all__))")
    expected = {"DeltaWaypointPolicy", "GRPO", "SFTWaypointModel", "WaypointEvalCallback", "WaypointPolicy"}
    assert expected | {"make_waypoint_vec_env"} <= set(names)


def test_registration_happens_once_and_may_be_repeated() -> None:
    messages, entries, same = run(
        """
import json, warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import gymnasium as gym, sb3_delta_waypoint
    first = gym.spec("ToyWaypoint-v0")
    import importlib
    importlib.reload(sb3_delta_waypoint)
messages = [str(warning.message) for warning in caught if "Waypoint" in str(warning.message)]
entries = sum(name.startswith("ToyWaypoint") for name in gym.registry)
print(json.dumps([messages, entries, gym.spec("ToyWaypoint-v0") is first]))
"""
    )
    assert messages == []
    assert entries == 1
    assert same


def test_gymnasium_imports_the_package_by_the_name_in_the_id() -> None:
    shape = run(
        """
import json, gymnasium
env = gymnasium.make("sb3_delta_waypoint:ToyWaypoint-v0")
print(json.dumps(env.action_space.shape))
"""
    )
    assert shape == [20, 2]
