"""``carla-eval`` as a user calls it, against the loopback server."""

import json
import shutil
import signal
import socket
import xml.etree.ElementTree as ElementTree

import pytest
import torch
from click.testing import CliRunner
from stable_baselines3 import PPO

pytest.importorskip("carla")

# ruff: noqa: E402 (the imports below need it)

from sb3_delta_waypoint.carla_bridge.env import CarlaWaypointEnv
from sb3_delta_waypoint.carla_bridge.loopback import LoopbackServer
from sb3_delta_waypoint.cli import main
from sb3_delta_waypoint.evaluation.carla import closed_loop
from sb3_delta_waypoint.policies.delta_policy import DeltaWaypointPolicy
from sb3_delta_waypoint.sft.checkpoint import load_planner, save_planner
from sb3_delta_waypoint.sft.planners import SFTWaypointModel
from sb3_delta_waypoint.vec_env import make_waypoint_vec_env

SUITE = """
env: {route_length: 20, off_route_distance: 1.0}
episodes: 2
scenarios:
  ahead: {route: straight, weather: ClearNight}
  wherever: {route: any}
"""
DRIVEN = 8
"""Two scenarios, two episodes, two policies."""


@pytest.fixture(scope="module")
def server():
    with LoopbackServer() as server:
        yield server


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """The planner of the package, one that knows nothing, and a model around the first that pulls to the left."""
    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    save_planner(load_planner(None), folder / "model.pt")
    save_planner(SFTWaypointModel(hidden_dims=(8,)), folder / "other.pt")
    model = PPO(DeltaWaypointPolicy, make_waypoint_vec_env(n_envs=2), n_steps=8, batch_size=8, seed=0)
    with torch.no_grad():
        model.policy.delta_net[-1].bias[:] = 0.3
    model.save(folder / "rl.zip")
    with torch.no_grad():
        model.policy.delta_net[-1].bias[:] = 0.4
    model.save(folder / "rl_other.zip")
    (folder / "suite.yml").write_text(SUITE)
    return folder


def invoke(*arguments):
    return CliRunner().invoke(main, ["carla-eval", *map(str, arguments)])


@pytest.fixture(scope="module")
def command(models, server):
    """A function that calls the command for the module's server, with a suite of short routes."""

    def call(folder, *arguments, checkpoint="rl.zip"):
        known = {"--suite": models / "suite.yml", "--port": server.port, "--timeout": 5, "--output-dir": folder}
        for option in ("--suite", "--routes"):
            if option in arguments:
                known.pop("--suite")
        return invoke("--checkpoint", models / checkpoint, *(text for pair in known.items() for text in pair), *arguments)

    return call


@pytest.fixture(scope="module")
def whole(command, tmp_path_factory):
    """An evaluation from end to end: its folder and what it printed."""
    folder = tmp_path_factory.mktemp("evaluation") / "whole"
    result = command(folder)
    assert result.exit_code == 0, result.output
    return folder, result.output


@pytest.fixture
def driven(monkeypatch):
    """What is driven: the count of episodes, and after which one Ctrl-C is pressed."""

    class Driven:
        episodes = 0
        interrupted_at = None

    drive = closed_loop.drive_episode

    def drive_counted(*arguments):
        if Driven.episodes == Driven.interrupted_at:
            raise KeyboardInterrupt
        Driven.episodes += 1
        return drive(*arguments)

    monkeypatch.setattr(closed_loop, "drive_episode", drive_counted)
    return Driven


def read(folder, name="metrics"):
    return json.loads((folder / f"{name}.json").read_text())


def test_both_drive_the_same_episodes_and_all_is_written(whole):
    folder, output = whole
    assert sorted(path.name for path in folder.iterdir()) == ["metrics.json", "scenario_ahead.json", "scenario_wherever.json"]
    metrics = read(folder)
    assert metrics["complete"] and metrics["settings"]["sft"] == "inside the checkpoint"
    for name in ("ahead", "wherever"):
        scenario = read(folder, f"scenario_{name}")
        for content in (scenario, metrics):
            assert (content["backend"], content["server_version"], content["client_version"]) == (
                "loopback",
                "0.9.16",
                "0.9.16",
            )
            assert content["settings"]["seed"] == 2_000_003 and len(content["settings"]["checkpoint"]["sha256"]) == 64
        assert scenario["town"] == metrics["scenarios"][name]["town"] == "LoopbackTown"
        assert scenario["settings"]["env"] == {"route_length": 20, "off_route_distance": 1.0}
        assert scenario["n_episodes"] == 2 and len(scenario["episodes"]) == 4
        sft, rl = ([e for e in scenario["episodes"] if e["policy"] == policy] for policy in ("sft", "rl"))
        for one, other in zip(sft, rl, strict=True):
            same = ("episode", "seed", "scenario_number", "route")
            assert [one[key] for key in same] == [other[key] for key in same]
            assert one["metrics"]["route_length"] == other["metrics"]["route_length"]
            deviations = [episode["metrics"]["lateral_deviation_mean"] for episode in (one, other)]
            assert deviations[0] < deviations[1], "the planner drives without the residual"
        found = scenario["comparison"]
        assert found == metrics["scenarios"][name]["comparison"] and found["n_scenarios"] == 2
        values = [[e["metrics"]["ade"] for e in side] for side in (sft, rl)]
        difference = sum(values[1]) / 2 - sum(values[0]) / 2
        assert found["metrics"]["ade"]["difference"]["mean"] == pytest.approx(difference)
        low, high = found["metrics"]["ade"]["difference"]["ci95"]
        assert low <= difference <= high
        assert scenario["infractions_per_km"]["sft"]["total"] == 0.0
    assert metrics["scenarios"]["ahead"]["settings"]["weather"] == "ClearNight"
    assert metrics["overall"]["comparison"]["n_scenarios"] == 4
    for text in ("loopback server", "not CARLA", "ahead", "wherever", "all scenarios", "planner (SFT)", "RL − SFT"):
        assert text in output


def test_what_was_broken_off_goes_on_where_it_was(command, whole, driven, tmp_path):
    driven.interrupted_at = 3
    result = command(tmp_path)
    assert result.exit_code == 130
    assert f"Interrupted; 3 episodes are in {tmp_path}: the same command goes on from there." in result.output
    assert len(read(tmp_path, "scenario_ahead")["episodes"]) == 3
    assert not read(tmp_path)["complete"]
    assert read(tmp_path)["overall"]["comparison"]["n_scenarios"] == 1, "what has no counterpart does not count"
    driven.interrupted_at = None
    result = command(tmp_path)
    assert result.exit_code == 0 and "3 episodes were there already" in result.output
    assert driven.episodes == DRIVEN, "each is driven once"
    for name in ("metrics", "scenario_ahead", "scenario_wherever"):
        assert read(tmp_path, name) == read(whole[0], name), "as if it had not been broken off"


def test_what_is_done_is_not_driven_again_and_more_can_be_added(command, whole, driven, tmp_path):
    folder = shutil.copytree(whole[0], tmp_path / "copy")
    assert command(folder).exit_code == 0 and driven.episodes == 0
    result = command(folder, "--episodes", 3, "--scenarios", "wherever")
    assert result.exit_code == 0 and driven.episodes == 2
    metrics = read(folder)
    assert {name: scenario["n_episodes"] for name, scenario in metrics["scenarios"].items()} == {"ahead": 2, "wherever": 3}
    assert metrics["overall"]["comparison"]["n_scenarios"] == 5
    assert read(folder, "scenario_ahead") == read(whole[0], "scenario_ahead"), "the other one stays as it was"


def test_results_of_other_settings_are_not_mixed(command, models, whole, driven, tmp_path):
    folder = shutil.copytree(whole[0], tmp_path / "copy")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    longer = tmp_path / "longer.yml"
    longer.write_text(SUITE.replace("20", "25"))
    broken = shutil.copytree(whole[0], tmp_path / "broken")
    (broken / "scenario_ahead.json").write_text('{"backend": "loop')
    # another server than before, of which the file knows, but not the settings
    foreign = shutil.copytree(whole[0], tmp_path / "foreign")
    content = read(foreign, "scenario_wherever")
    content["backend"] = "carla"
    (foreign / "scenario_wherever.json").write_text(json.dumps(content))
    for where, arguments, message, checkpoint in (
        (folder, [], 'checkpoint was {"file": "rl.zip"', "rl_other.zip"),
        (folder, ["--seed", 1], "seed was 2000003, is 1", "rl.zip"),
        (folder, ["--sft", models / "model.pt"], 'sft was "inside the checkpoint"', "rl.zip"),
        (folder, ["--suite", longer], 'env was {"route_length": 20', "rl.zip"),
        (folder, ["--episodes", 1], "an evaluation of 2 episodes", "rl.zip"),
        (broken, [], "scenario_ahead.json is not a result of carla-eval, or is damaged", "rl.zip"),
        (foreign, ["--episodes", 3], 'backend was "carla", is "loopback"', "rl.zip"),
    ):
        result = command(where, *arguments, checkpoint=checkpoint)
        assert result.exit_code == 1 and message in result.output, result.output
        assert len(result.output.splitlines()) == 1
    assert driven.episodes == 0
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_a_planner_alone(command, tmp_path):
    result = command(tmp_path, "--scenarios", "wherever", "--episodes", 1, checkpoint="model.pt")
    assert result.exit_code == 0, result.output
    metrics = read(tmp_path)
    assert "comparison" not in metrics["overall"] and metrics["settings"]["sft"] is None
    assert metrics["overall"]["metrics"]["success_rate"]["mean"] == 1.0
    assert "planner (SFT)" in result.output and "refined" not in result.output


def test_arguments_of_the_env(command, tmp_path):
    changes = ["--env-kwargs", "off_route_distance:2.5", "fps:20"]
    result = command(tmp_path, *changes, "--scenarios", "ahead", checkpoint="model.pt")
    assert result.exit_code == 0, result.output
    assert read(tmp_path, "scenario_ahead")["settings"]["env"] == {"route_length": 20, "off_route_distance": 2.5, "fps": 20}


def test_another_planner_as_baseline(command, models, whole, tmp_path):
    result = command(tmp_path, "--sft", models / "other.pt", "--scenarios", "ahead", "wherever", "--episodes", 1)
    assert result.exit_code == 0, result.output
    for name in ("scenario_ahead", "scenario_wherever"):
        sft, rl = read(tmp_path, name)["episodes"]
        assert rl == read(whole[0], name)["episodes"][1]
        assert sft["metrics"]["success"] == 0.0, "this planner knows nothing"


def test_routes_of_a_leaderboard_file_each_in_its_weather(command, server, monkeypatch, tmp_path):
    with CarlaWaypointEnv(port=server.port, route_length=40.0) as env:
        lines = [env.reset(seed=0, options={"scenario": g}) and env.drive.route[["x", "y"]].copy() for g in (0, 1)]
    root = ElementTree.Element("routes")
    for number, line in enumerate(lines):
        route = ElementTree.SubElement(root, "route", id=f"the {number}", town="LoopbackTown")
        weather = ElementTree.SubElement(ElementTree.SubElement(route, "weathers"), "weather", route_percentage="0")
        weather.set("fog_density", str(40 + number))
        positions = ElementTree.SubElement(route, "waypoints")
        for x, y in line[[5, 30]].tolist():
            ElementTree.SubElement(positions, "position", x=str(x), y=str(-y), z="0")
    ElementTree.ElementTree(root).write(tmp_path / "mine.xml")
    fog = []

    def drive(env, *arguments):
        episode = closed_loop_drive(env, *arguments)
        fog.append(env.session.world.get_weather().fog_density)
        return episode

    closed_loop_drive = closed_loop.drive_episode
    monkeypatch.setattr(closed_loop, "drive_episode", drive)
    result = command(tmp_path / "out", "--routes", tmp_path / "mine.xml", checkpoint="model.pt")
    assert result.exit_code == 0, result.output
    episodes = read(tmp_path / "out", "scenario_mine")["episodes"]
    assert [episode["route"] for episode in episodes] == ["the 0", "the 1"] and fog == [40.0, 41.0]
    assert all(20.0 < episode["metrics"]["route_length"] < 40.0 for episode in episodes)


def test_smoke_drives_one_short_episode_of_the_suite_that_ships_on_a_server_of_its_own(models, tmp_path):
    result = invoke("--checkpoint", models / "model.pt", "--output-dir", tmp_path, "--smoke")
    assert result.exit_code == 0, result.output
    metrics = read(tmp_path / "smoke")
    assert list(metrics["scenarios"]) == ["straight_clear"] and metrics["complete"] and metrics["backend"] == "loopback"
    (episode,) = read(tmp_path / "smoke", "scenario_straight_clear")["episodes"]
    assert episode["metrics"]["route_length"] == pytest.approx(20.0, abs=1.0)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--scenarios", "straight_snow"],
            "there is no scenario 'straight_snow'; the suite has straight_clear, straight_cloudy",
        ),
        (["--checkpoint", "none.zip"], "there is no model none.zip"),
        (["--suite", "none.yml"], "there is no suite none.yml; omit it for the one that ships"),
        (["--routes", "none.xml"], "there is no route file none.xml"),
        (["--town", "none.xodr"], "--town: there is no OpenDRIVE file none.xodr"),
        (["--town", "Town01"], "Town01: there is no such map file; scenario straight_clear: --town takes an OpenDRIVE"),
        (["--env-kwargs", "town:Nowhere"], "Nowhere: there is no such map file; scenario straight_clear: --town takes"),
        (["--env-kwargs", "traffic:yes"], "TrafficOptions; scenario straight_clear\n"),
        (["--env-kwargs", "cameras:{'front':1}"], "or Camera; scenario straight_clear\n"),
        (["--env-kwargs", "observe:state"], "the model reads 'route', which is not observed: add it to observe='state'"),
        (["--port", None, "--timeout", "0.3"], "there is no CARLA server at localhost"),
    ],
)
def test_bad_input_is_named_in_one_line(models, tmp_path, capfd, arguments, message):
    given = [free_port() if argument is None else argument for argument in arguments]
    result = invoke("--checkpoint", models / "rl.zip", "--output-dir", tmp_path / "out", *given)
    assert result.exit_code == 1 and message in result.output, result.output
    assert len(result.output.splitlines()) == 1
    assert capfd.readouterr().err == ""
    assert not (tmp_path / "out").exists()


def test_a_planner_that_does_not_say_what_it_reads_is_given_what_others_give_it(tmp_path, monkeypatch):
    class Quiet(torch.nn.Module):
        horizon_steps, plan_dt = 20, 0.1

        def forward(self, observation):
            latent = observation["route"].flatten(1)
            return latent, latent.reshape(-1, 10, 2).repeat_interleave(2, 1)

    checkpoint = tmp_path / "model.pt"
    checkpoint.touch()
    monkeypatch.setattr("sb3_delta_waypoint.policies.inference.load_planner", lambda *_: Quiet())
    result = invoke("--checkpoint", checkpoint, "--output-dir", tmp_path / "out", "--env-kwargs", "observe:state")
    assert result.exit_code == 1 and "the model reads 'route'" in result.output


def test_usage(models, tmp_path):
    folder = ["--output-dir", tmp_path]
    result = invoke("--checkpoint", models / "model.pt", "--sft", models / "other.pt", *folder)
    assert result.exit_code == 2 and "--sft is for a refined model" in result.output
    result = invoke("--checkpoint", models / "rl.zip", "--suite", "a.yml", "--routes", "b.xml", *folder)
    assert result.exit_code == 2 and "either --suite or --routes" in result.output


def test_a_kind_of_route_that_the_town_does_not_have_is_named(command, monkeypatch, tmp_path):
    monkeypatch.setattr(closed_loop, "is_kind", lambda kind, points: False)
    result = command(tmp_path, "--scenarios", "ahead")
    assert result.exit_code == 1 and "0 are of the kind 'straight', 2 are wanted" in result.output
    assert len(result.output.splitlines()) == 1


def test_sigterm_keeps_what_was_driven(command, tmp_path, monkeypatch):
    drive = closed_loop.drive_episode

    def terminated(*arguments):
        episode = drive(*arguments)
        signal.raise_signal(signal.SIGTERM) if (tmp_path / "scenario_ahead.json").exists() else None
        return episode

    monkeypatch.setattr(closed_loop, "drive_episode", terminated)
    result = command(tmp_path, "--scenarios", "ahead")
    assert result.exit_code == 143, result.output
    assert "Interrupted; " in result.stderr and f"episodes are in {tmp_path}" in result.stderr
    assert not read(tmp_path)["complete"]
