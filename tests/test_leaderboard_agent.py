"""The leaderboard agent, in a stand-in for the harness: the same modules, classes and data, on the loopback server."""

import enum
import importlib
import math
import queue
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

carla = pytest.importorskip("carla")

import sb3_delta_waypoint  # noqa: E402
from sb3_delta_waypoint.carla_bridge.connection import Session  # noqa: E402
from sb3_delta_waypoint.carla_bridge.loopback import LoopbackServer  # noqa: E402
from sb3_delta_waypoint.driving.measured_drive import Measurement  # noqa: E402
from sb3_delta_waypoint.envs.spaces import observation_space  # noqa: E402
from sb3_delta_waypoint.maps.carla_frame import pose_of, transform_of  # noqa: E402
from sb3_delta_waypoint.maps.lane_graph import LaneGraph  # noqa: E402
from sb3_delta_waypoint.maps.routes import random_route  # noqa: E402
from sb3_delta_waypoint.sft.checkpoint import save_planner  # noqa: E402
from sb3_delta_waypoint.sft.planners import SFTWaypointModel  # noqa: E402

FPS = 20.0
GNSS_NOISE = 5e-6
"""[degrees], as in the leaderboard."""
FOLLOW = 4


class Track(enum.Enum):
    SENSORS = "SENSORS"
    MAP = "MAP"


class AutonomousAgent:
    """What the leaderboard's base class does for an agent."""

    bench2drive = False

    def __init__(self, carla_host, carla_port, debug=False):
        self.track = Track.SENSORS
        self._global_plan = self._global_plan_world_coord = None

    def set_global_plan(self, global_plan_gps, global_plan_world_coord):
        kept = sorted({*range(0, len(global_plan_gps), 45), len(global_plan_gps) - 1})
        self._global_plan_world_coord = [global_plan_world_coord[index] for index in kept]
        self._global_plan = [global_plan_gps[index] for index in kept]
        if self.bench2drive:
            self._plan_gps_HACK = global_plan_gps


class CarlaDataProvider:
    hero = road_map = None

    @classmethod
    def get_hero_actor(cls):
        return cls.hero

    @classmethod
    def get_map(cls):
        return cls.road_map


@pytest.fixture
def agent_module(monkeypatch):
    """The agent's file, loaded as the evaluators load it: its folder first on the path, by its name alone."""
    contents = {
        "leaderboard": {},
        "leaderboard.autoagents": {},
        "leaderboard.autoagents.autonomous_agent": {"AutonomousAgent": AutonomousAgent, "Track": Track},
        "srunner": {},
        "srunner.scenariomanager": {},
        "srunner.scenariomanager.carla_data_provider": {"CarlaDataProvider": CarlaDataProvider},
    }
    for name, content in contents.items():
        module = types.ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, "leaderboard_agent", raising=False)
    monkeypatch.syspath_prepend(str(Path(sb3_delta_waypoint.__file__).parent))
    yield importlib.import_module("leaderboard_agent")
    sys.modules.pop("leaderboard_agent", None)


def make_agent(module, model, plan=None):
    """An agent, as far as the evaluator brings it before the first tick."""
    agent = getattr(module, module.get_entry_point())("localhost", 2000, 0)
    if plan is not None:
        agent.set_global_plan(*plan)
    agent.setup(str(model))
    return agent


@pytest.fixture(scope="module")
def planner(tmp_path_factory):
    """The planner of the package, as a file."""
    return Path(sb3_delta_waypoint.__file__).parent / "sft" / "default_planner.pt"


@pytest.fixture(scope="module")
def server():
    with LoopbackServer(fps=FPS) as server:
        yield server


@pytest.fixture
def session(server):
    session = Session(server.host, server.port, None, FPS, False, 10.0)
    yield session
    session.close()


def location_to_gps(location, reference=(49.0, 8.0)):
    """Mercator on a sphere, with the scale of the reference's latitude: how the leaderboard projects its plans."""
    scale = 6378137.0 * math.cos(math.radians(reference[0]))
    east = scale * math.radians(reference[1]) + location.x
    north = scale * math.log(math.tan(math.radians(90.0 + reference[0]) / 2.0)) - location.y
    latitude = math.degrees(2.0 * math.atan(math.exp(north / scale))) - 90.0
    return {"lat": latitude, "lon": math.degrees(east / scale), "z": location.z}


def global_plan(route):
    """What the harness hands over: each metre of the route, in degrees and in the world."""
    steps = np.diff(route.points, axis=0, append=2 * route.points[-1:] - route.points[-2:-1])
    headings = np.arctan2(steps[:, 1], steps[:, 0])
    transforms = [transform_of((x, y, yaw), 0.0) for (x, y), yaw in zip(route.points, headings, strict=True)]
    gps = [(location_to_gps(transform.location), FOLLOW) for transform in transforms]
    return gps, [(transform, FOLLOW) for transform in transforms]


class Car:
    """The hero with its sensors, and what they said in the last tick."""

    def __init__(self, session, start):
        self.session, self.rng, self.queue = session, np.random.default_rng(0), queue.Queue()
        library = session.world.get_blueprint_library()
        blueprint = library.find("vehicle.lincoln.mkz_2020")
        blueprint.set_attribute("role_name", "hero")
        start.location.z += 0.3
        self.vehicle = session.world.spawn_actor(blueprint, start)
        session.tick()
        self.sensors = []
        for name in ("gnss", "imu"):
            sensor = session.world.spawn_actor(library.find(f"sensor.other.{name}"), carla.Transform(), self.vehicle)
            sensor.listen(lambda data, name=name: self.queue.put((name, data)))
            self.sensors.append(sensor)
        session.tick()

    def destroy(self):
        for sensor in self.sensors:
            sensor.stop()
            sensor.destroy()
        self.vehicle.destroy()

    def tick(self, track, opendrive):
        frame = self.session.tick()
        data = {}
        while len(data) < 2:
            name, measured = self.queue.get(timeout=5.0)
            if measured.frame == frame:
                data[name] = measured
        gnss, imu = data["gnss"], data["imu"]
        noise = self.rng.normal(0.0, GNSS_NOISE, 2)
        turn = imu.gyroscope
        velocity = self.vehicle.get_velocity()
        result = {
            "gnss": (frame, np.array([gnss.latitude + noise[0], gnss.longitude + noise[1], gnss.altitude])),
            "imu": (frame, np.array([0.0, 0.0, 9.8, turn.x, turn.y, turn.z, imu.compass])),
            "speed": (frame, {"speed": math.hypot(velocity.x, velocity.y)}),
        }
        if track == Track.MAP:
            result["map"] = (frame, {"opendrive": opendrive})
        return result


@pytest.mark.parametrize("bench2drive", [False, True], ids=["leaderboard", "bench2drive"])
def test_drives_a_route_by_sensors(agent_module, planner, session, monkeypatch, bench2drive):
    monkeypatch.setattr(AutonomousAgent, "bench2drive", bench2drive)
    spawn_points = [pose_of(transform) for transform in session.map.get_spawn_points()]
    route = random_route(LaneGraph(session.map), spawn_points, 7, 150.0, 250.0)
    plan = global_plan(route)
    agent = make_agent(agent_module, planner, plan)
    assert agent.track == (Track.SENSORS if bench2drive else Track.MAP)
    wanted = {sensor["type"] for sensor in agent.sensors()}
    assert wanted - {"sensor.opendrive_map"} == {"sensor.other.gnss", "sensor.other.imu", "sensor.speedometer"}
    assert ("sensor.opendrive_map" in wanted) == (not bench2drive)

    car = Car(session, plan[1][0][0])
    monkeypatch.setattr(CarlaDataProvider, "hero", car.vehicle)
    monkeypatch.setattr(CarlaDataProvider, "road_map", session.map)
    policy, plans = agent._policy, []
    monkeypatch.setattr(agent, "_policy", lambda observation: plans.append(observation) or policy(observation))
    agent._policy.horizon_steps, agent._policy.plan_dt = policy.horizon_steps, policy.plan_dt
    opendrive = session.map.to_opendrive()
    deviations = []
    for tick in range(1200):
        control = agent.run_step(car.tick(agent.track, opendrive), tick / FPS)
        car.vehicle.apply_control(control)
        place = pose_of(car.vehicle.get_transform())[:2]
        deviations.append(np.hypot(*(route.points - place).T).min())
        if math.dist(place, route.points[-1]) < 5.0:
            break
    assert math.dist(place, route.points[-1]) < 5.0, "the goal is reached"
    assert max(deviations) < 1.2
    assert len(plans) == math.ceil((tick + 1) / 2), "one plan every second tick"
    assert all(plan["state"].shape == (4,) and plan["route"].shape == (10, 2) for plan in plans)

    agent._plan(agent._drive, Measurement(1e4, 1e4, 0.0, speed=5.0, yaw_rate=0.0))
    assert observation_space().contains(plans[-1]), "kilometres beside the route, the policy sees what it accepts"
    agent.destroy()
    car.destroy()


def test_waits_until_there_is_something_to_go_by(agent_module, planner, monkeypatch):
    monkeypatch.setattr(CarlaDataProvider, "hero", None)
    control = make_agent(agent_module, planner).run_step({}, 0.0)
    assert (control.throttle, control.brake) == (0.0, 1.0)


def test_models_that_cannot_be_driven(agent_module, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere.zip"):
        make_agent(agent_module, tmp_path / "nowhere.zip")
    model = SFTWaypointModel(horizon_steps=4, hidden_dims=(8,))
    save_planner(model, tmp_path / "model.pt")
    assert make_agent(agent_module, tmp_path / "model.pt").track == Track.MAP
    loaded = agent_module.WaypointPolicy(tmp_path / "model.pt")
    loaded.module.observation_keys = ("state", "route", "front")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(agent_module, "WaypointPolicy", lambda path: loaded)
        with pytest.raises(ValueError, match="model.pt reads front; the leaderboard agent gives route and state only"):
            make_agent(agent_module, tmp_path / "model.pt")


def test_without_the_harness_the_import_says_what_is_missing():
    program = "import sb3_delta_waypoint.leaderboard_agent"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode != 0
    assert (
        "ImportError: No module named 'leaderboard': the leaderboard agent runs inside the CARLA leaderboard" in result.stderr
    )
