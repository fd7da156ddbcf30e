"""``evaluate`` as a user calls it."""

import json

import numpy as np
import pytest

from sb3_delta_waypoint.envs.toy import ToyWaypointEnv
from sb3_delta_waypoint.evaluation.rollout import Scenarios
from sb3_delta_waypoint.evaluation.statistics import means
from sb3_delta_waypoint.policies.inference import WaypointPolicy
from sb3_delta_waypoint.sft.checkpoint import save_planner
from sb3_delta_waypoint.sft.planners import SFTWaypointModel
from sb3_delta_waypoint.vec_env import make_waypoint_vec_env
from tests.command_line import call, failed
from tests.commands.conftest import ON_SHORT_ROUTES, H, write_episode, write_predictions


def test_evaluate_a_model_on_scenarios(models, tmp_path):
    out = tmp_path / "metrics.json"
    result = call("evaluate", "--model", models / "model.pt", "--episodes", 10, "--seed", 3, "--out", out, *ON_SHORT_ROUTES)
    assert result.exit_code == 0, result.output
    written = json.loads(out.read_text())
    assert written["n_scenarios"] == 10 and written["seed"] == 3
    assert written["env_kwargs"] == {"horizon_steps": H, "plan_dt": 0.1, "route_length": 12}
    kwargs = {"route_length": 12, "horizon_steps": H}
    expected = Scenarios(10, 3, 8, env_kwargs=kwargs).evaluate(WaypointPolicy(models / "model.pt"))
    for name, values in expected.items():
        mean = means({name: values})[name]
        assert written["metrics"][name]["mean"] == (None if np.isnan(mean) else pytest.approx(mean))
    assert "success rate" in result.output and "10 scenarios" in result.output


def test_evaluate_takes_the_plan_step_from_the_planner(tmp_path):
    save_planner(SFTWaypointModel(horizon_steps=3, plan_dt=0.5, hidden_dims=(8,)), tmp_path / "slow.pt")
    result = call("evaluate", "--model", tmp_path / "slow.pt", "--episodes", 2, "--out", tmp_path / "m.json", *ON_SHORT_ROUTES)
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "m.json").read_text())["env_kwargs"]["plan_dt"] == 0.5


def test_evaluate_open_loop(models, tmp_path):
    for name in ("a", "b"):
        write_episode(tmp_path / f"{name}.json")
    out = tmp_path / "out" / "metrics.json"
    result = call("evaluate", "--model", models / "model.pt", "--episodes-glob", tmp_path / "*.json", "--out", out)
    assert result.exit_code == 0, result.output
    written = json.loads(out.read_text())
    assert written["n_scenarios"] == 2 and "open_loop_ade" in written["metrics"] and "ade" not in written["metrics"]


def test_evaluate_predictions(tmp_path):
    path = write_predictions(tmp_path / "predictions.json", 1.0, episodes=3)
    result = call("evaluate", "--predictions", path, "--out", tmp_path / "metrics.json")
    assert result.exit_code == 0, result.output
    metrics = json.loads((tmp_path / "metrics.json").read_text())["metrics"]
    assert metrics["open_loop_ade"]["mean"] == pytest.approx(1.01)


def test_evaluate_wants_one_subject(models, tmp_path):
    assert "either --model or --predictions" in call("evaluate").output
    result = call("evaluate", "--model", models / "model.pt", "--predictions", tmp_path / "p.json")
    assert result.exit_code == 2 and "either --model or --predictions" in result.output
    result = call("evaluate", "--model", tmp_path / "nowhere.pt")
    assert result.exit_code == 1 and "nowhere.pt" in result.output
    result = call("evaluate", "--model", models / "model.pt", "--env-kwargs", "route_length")
    assert result.exit_code == 2 and "KEY:VALUE" in result.output
    result = call("evaluate", "--model", models / "model.pt", "--env-kwargs", "colour:red")
    assert result.exit_code == 1 and "'colour'" in result.output


def test_an_env_that_is_no_waypoint_env_is_told_what_it_lacks(models):
    result = call("evaluate", "--model", models / "model.pt", "--env", "CartPole-v1", "--episodes", 2)
    failed(
        result,
        "CartPole-v1 is no waypoint env: its actions are Discrete(2), not plans, a Box (H, 2) in metres, and its observations",
        "not a Dict of groups such as state and route",
    )
    result = call("evaluate", "--model", models / "model.pt", "--env", "no_such_module:Own-v0")
    failed(result, "--env", "no module no_such_module")


def test_times_relative_to_the_reference(models, tmp_path):
    arguments = ["evaluate", "--model", models / "rl_model_900_steps.zip", "--episodes", 6, "--out", tmp_path / "m.json"]
    result = call(*arguments, *ON_SHORT_ROUTES, "--reference")
    assert result.exit_code == 0, result.output
    metrics = json.loads((tmp_path / "m.json").read_text())["metrics"]
    finished = round(6 * metrics["success_rate"]["mean"])
    assert metrics["time_ratio"].get("n", 6) == finished
    assert metrics["time_with_failures"]["mean"] > 0.0 and "n" not in metrics["time_with_failures"]
    assert "time with failures (s) ↓" in result.output
    # a car that is alone is timed only if asked
    result = call(*arguments, *ON_SHORT_ROUTES)
    assert "time_ratio" not in json.loads((tmp_path / "m.json").read_text())["metrics"]


def test_a_panel_needs_an_env_with_behaviours(models, tmp_path):
    failed(call("evaluate", "--model", models / "model.pt", "--panel"), "ToyWaypoint-v0 has no panel of behaviours")
    path = write_predictions(tmp_path / "predictions.json", 1.0, episodes=3)
    result = call("evaluate", "--predictions", path, "--panel")
    assert result.exit_code == 2 and "--panel is about driving" in result.output


def test_a_panel_reports_every_behaviour(models, tmp_path, monkeypatch):
    monkeypatch.setattr(ToyWaypointEnv, "behaviours", ("mixed", "idm"), raising=False)
    # arguments that the env does not have are not its own: here, traffic is what the panel sets
    monkeypatch.setattr(
        "sb3_delta_waypoint.evaluation.rollout.make_waypoint_vec_env",
        lambda env_id, n_envs, traffic, **kwargs: make_waypoint_vec_env(
            env_id, n_envs, **{**kwargs, "route_length": {"mixed": 12, "idm": 24}[traffic["behaviour"]]}
        ),
    )
    arguments = ["evaluate", "--model", models / "model.pt", "--panel", "--episodes", 4, "--out", tmp_path / "m.json"]
    result = call(*arguments, *ON_SHORT_ROUTES)
    assert result.exit_code == 0, result.output
    written = json.loads((tmp_path / "m.json").read_text())
    parts = [written["behaviours"][name]["episode_length"]["mean"] for name in ("mixed", "idm")]
    assert written["metrics"]["episode_length"]["mean"] == pytest.approx(sum(parts) / 2) and parts[0] != parts[1]
    # where others drive, the reference driver is asked by default
    assert "time_ratio" in written["behaviours"]["idm"] and "time_ratio" in written["metrics"]
    assert "mixed" in result.output and "idm" in result.output and "overall" in result.output


def test_scenarios_that_a_planner_fails_in(planner, tmp_path):
    file, again = tmp_path / "failed.json", tmp_path / "again.json"
    evaluated = ("evaluate", "--model", planner, *ON_SHORT_ROUTES)
    narrow = ("--env-kwargs", "off_route_distance:0.21")
    result = call(*evaluated, "--episodes", 30, "--seed", 3, "--failed", file, *narrow)
    assert result.exit_code == 0, result.output
    written = json.loads(file.read_text())
    kwargs = {"route_length": 12, "off_route_distance": 0.21}
    success = Scenarios(30, 3, 8, env_kwargs=kwargs).evaluate(WaypointPolicy(planner))["success_rate"]
    assert written == {"seed": 3, "scenarios": np.flatnonzero(success < 1.0).tolist()}
    assert 0 < len(written["scenarios"]) < 30
    # played alone, it fails in all of them
    only = ("--env-kwargs", f"hard_scenarios:{file}", "--env-kwargs", "hard_share:1")
    result = call(*evaluated, "--episodes", len(written["scenarios"]), *narrow, *only, "--out", again)
    assert result.exit_code == 0, result.output
    assert json.loads(again.read_text())["metrics"]["success_rate"]["mean"] == 0.0
    result = call(*evaluated, "--episodes", 3, "--seed", 4, "--failed", again, *narrow, *only)
    assert result.exit_code == 2 and "hard_scenarios" in result.output


def test_where_failures_are_not_to_be_learnt_from(models, tmp_path):
    evaluated = ("evaluate", "--model", models / "model.pt", "--failed", tmp_path / "failed.json")
    result = call(*evaluated, "--episodes", 2)
    assert result.exit_code == 2 and "give another --seed" in " ".join(result.output.split())
    result = call(*evaluated, "--episodes-glob", "*.json")
    assert result.exit_code == 2 and "--failed names scenarios" in result.output
    assert not (tmp_path / "failed.json").exists()
