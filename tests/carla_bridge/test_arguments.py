"""Arguments of CarlaWaypoint-v0 that are refused."""

import pytest

pytest.importorskip("carla")

# ruff: noqa: E402 (the imports below need it)
from sb3_delta_waypoint.carla_bridge.sensors import Camera
from sb3_delta_waypoint.carla_bridge.traffic import TrafficOptions


@pytest.mark.parametrize(
    ("kwargs", "error", "named"),
    [
        ({"fps": 15}, ValueError, "fps=15"),
        ({"town": "Atlantis"}, ValueError, "Atlantis"),
        ({"town": "nowhere.xodr", "port": None}, FileNotFoundError, "nowhere.xodr"),
        ({"routes": "nowhere.json"}, FileNotFoundError, "nowhere.json"),
        ({"weather": "Nice"}, ValueError, "Nice"),
        ({"weather": {"sunshine": 1.0}}, ValueError, "sunshine"),
        ({"cameras": {"front": {"zoom": 2}}}, ValueError, "zoom"),
        ({"traffic": {"trams": 2}}, ValueError, "trams"),
        ({"blueprint": "vehicle.flying.carpet"}, ValueError, "carpet"),
        ({"ends_at": ["rain"]}, ValueError, "rain"),
        ({"reward": {"speeding": 1.0}}, ValueError, "speeding"),
        ({"render_mode": "3d"}, ValueError, "3d"),
        *(({"fps": fps}, ValueError, f"fps={fps}") for fps in (0, -10, float("nan"), float("inf"), True, 1e5)),
        ({"timeout": float("nan")}, ValueError, "timeout=nan: expected a number between 0.1 and 3600 s"),
        ({"blocked_time": -1.0}, ValueError, "blocked_time=-1.0"),
        ({"port": 70_000}, ValueError, "port=70000"),
        ({"port": True}, ValueError, "port=True"),
        ({"host": 5}, ValueError, "host=5"),
        ({"blueprint": None}, ValueError, "blueprint=None"),
        ({"town": 3}, ValueError, "town=3"),
        ({"routes": 3}, ValueError, "routes=3"),
        ({"weather": 3}, ValueError, "weather=3"),
        ({"weather": {"fog_density": float("nan")}}, ValueError, "weather: fog_density=nan"),
        ({"cameras": {"state": {}}}, ValueError, "'state' cannot be the name of a camera"),
        ({"cameras": ["front"]}, ValueError, "cameras=.*expected cameras by name"),
        ({"cameras": {"front": 3}}, ValueError, r"cameras\['front'\]=3"),
        ({"cameras": {"front": {"width": 10**9}}}, ValueError, r"cameras\['front'\]: width=1000000000"),
        ({"cameras": {"front": Camera(fov=float("nan"))}}, ValueError, "fov=nan"),
        ({"traffic": 3}, ValueError, "traffic=3"),
        ({"traffic": TrafficOptions(vehicles=-1)}, ValueError, "traffic: vehicles=-1"),
        ({"traffic": {"vehicles": 2.0}}, ValueError, r"vehicles=2\.0: expected a whole number"),
        ({"traffic": {"pedestrians": True}}, ValueError, "pedestrians=True"),
        ({"ends_at": "collision"}, ValueError, "ends_at='collision': expected several"),
        ({"ends_at": 3}, ValueError, "ends_at=3"),
        ({"ends_at": [["collision"]]}, ValueError, "unknown"),
        ({"plan_dt": float("nan")}, ValueError, "plan_dt=nan"),
    ],
)
def test_bad_arguments_are_refused(make, kwargs, error, named):
    with pytest.raises(error, match=named):
        make(**kwargs)
