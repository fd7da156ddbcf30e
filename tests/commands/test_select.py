"""``evaluate``, ``compare`` and ``select`` as a user calls them."""

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from stable_baselines3 import PPO

from sb3_delta_waypoint.cli import main
from sb3_delta_waypoint.evaluation.rollout import Scenarios
from sb3_delta_waypoint.policies.delta_policy import DeltaWaypointPolicy
from sb3_delta_waypoint.policies.inference import WaypointPolicy
from sb3_delta_waypoint.sft.checkpoint import save_planner
from sb3_delta_waypoint.sft.planner import SFTWaypointModel
from sb3_delta_waypoint.vec_env import make_waypoint_vec_env

H = 5
SHORT = ["--env-kwargs", "route_length:12", "--n-envs", "8"]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A planner and checkpoints that carry it, with residuals further and further from zero; the last has not run yet."""
    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    save_planner(SFTWaypointModel(horizon_steps=H, hidden_dims=(8,)), folder / "model.pt")
    venv = make_waypoint_vec_env(n_envs=2, horizon_steps=H)
    model = PPO(DeltaWaypointPolicy, venv, n_steps=8, batch_size=8, policy_kwargs={"sft": str(folder / "model.pt")}, seed=0)
    for steps, bias in ((900, 0.0), (10_000, 0.4), (20_000, 0.8)):
        with torch.no_grad():
            model.policy.delta_net[-1].bias[:] = bias
        model.save(folder / f"rl_model_{steps}_steps.zip")
    return folder


def invoke(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def write_predictions(path, errors, episodes=25):
    expert = [[float(step + 1), 0.0] for step in range(H)]
    samples = [
        {"episode_id": f"e{i}", "t": 0.1, "expert": expert, "predicted": [[x, y + errors + 0.01 * i] for x, y in expert]}
        for i in range(episodes)
    ]
    path.write_text(json.dumps({"horizon_steps": H, "dt": 0.1, "samples": samples}))
    return path


def write_episode(path):
    route = [[3.0 * (i + 1), 0.0] for i in range(10)]
    waypoints = [[0.5 * (step + 1), 0.0] for step in range(H)]
    frame = {"observations": {"cameras": {}, "state": [5.0, 0, 0, 0], "route": route}, "expert": {"waypoints": waypoints}}
    episode = {
        "episode_id": path.stem,
        "domain": "toy",
        "source": {"dataset": "toy", "split": "train", "scene_id": "0"},
        "cameras": [],
        "waypoint_spec": {"horizon_steps": H, "dt": 0.1, "frame": "ego", "units": "m"},
        "frames": [{"t": 0.1 * i, **frame} for i in range(3)],
    }
    path.write_text(json.dumps(episode))
    return path


def test_evaluate_a_model_on_scenarios(models, tmp_path):
    out = tmp_path / "metrics.json"
    result = invoke("evaluate", "--model", models / "model.pt", "--episodes", 10, "--seed", 3, "--out", out, *SHORT)
    assert result.exit_code == 0, result.output
    written = json.loads(out.read_text())
    assert written["n_scenarios"] == 10 and written["seed"] == 3
    assert written["env_kwargs"] == {"horizon_steps": H, "plan_dt": 0.1, "route_length": 12}
    kwargs = {"route_length": 12, "horizon_steps": H}
    expected = Scenarios(10, 3, 8, env_kwargs=kwargs).evaluate(WaypointPolicy(models / "model.pt"))
    for name, values in expected.items():
        assert written["metrics"][name]["mean"] == pytest.approx(values.mean())
    assert "success rate" in result.output and "10 scenarios" in result.output


def test_evaluate_takes_the_plan_step_from_the_planner(tmp_path):
    save_planner(SFTWaypointModel(horizon_steps=3, plan_dt=0.5, hidden_dims=(8,)), tmp_path / "slow.pt")
    result = invoke("evaluate", "--model", tmp_path / "slow.pt", "--episodes", 2, "--out", tmp_path / "m.json", *SHORT)
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "m.json").read_text())["env_kwargs"]["plan_dt"] == 0.5


def test_evaluate_open_loop(models, tmp_path):
    for name in ("a", "b"):
        write_episode(tmp_path / f"{name}.json")
    out = tmp_path / "out" / "metrics.json"
    result = invoke("evaluate", "--model", models / "model.pt", "--episodes-glob", tmp_path / "*.json", "--out", out)
    assert result.exit_code == 0, result.output
    written = json.loads(out.read_text())
    assert written["n_scenarios"] == 2 and "open_loop_ade" in written["metrics"] and "ade" not in written["metrics"]


def test_evaluate_predictions(tmp_path):
    path = write_predictions(tmp_path / "predictions.json", 1.0, episodes=3)
    result = invoke("evaluate", "--predictions", path, "--out", tmp_path / "metrics.json")
    assert result.exit_code == 0, result.output
    metrics = json.loads((tmp_path / "metrics.json").read_text())["metrics"]
    assert metrics["open_loop_ade"]["mean"] == pytest.approx(1.01)


def test_evaluate_wants_one_subject(models, tmp_path):
    assert "either --model or --predictions" in invoke("evaluate").output
    result = invoke("evaluate", "--model", models / "model.pt", "--predictions", tmp_path / "p.json")
    assert result.exit_code == 2 and "either --model or --predictions" in result.output
    result = invoke("evaluate", "--model", tmp_path / "nowhere.pt")
    assert result.exit_code == 1 and "nowhere.pt" in result.output
    result = invoke("evaluate", "--model", models / "model.pt", "--env-kwargs", "route_length")
    assert result.exit_code == 2 and "KEY:VALUE" in result.output
    result = invoke("evaluate", "--model", models / "model.pt", "--env-kwargs", "colour:red")
    assert result.exit_code == 1 and "'colour'" in result.output


def test_compare_models(models, tmp_path):
    rl, out = models / "rl_model_20000_steps.zip", tmp_path / "comparison"
    result = invoke("compare", "--sft", models / "model.pt", "--rl", rl, "--episodes", 24, "--out", out, *SHORT)
    assert result.exit_code == 0, result.output
    comparison = json.loads((out / "comparison.json").read_text())
    assert comparison["n_scenarios"] == 24
    assert comparison["metrics"]["ade"]["sft"] != comparison["metrics"]["ade"]["rl"]
    assert " ".join(comparison["verdict"].split()) in " ".join(result.output.split())
    for name in ("comparison.json", "comparison.md", "metrics.png", "displacement.png", "trajectories.png"):
        assert (out / name).is_file() and str(out / name) in result.output
    # without --sft the planner inside the model is meant
    inside = tmp_path / "inside"
    result = invoke("compare", "--rl", rl, "--episodes", 24, "--out", inside, *SHORT)
    assert result.exit_code == 0, result.output
    assert json.loads((inside / "comparison.json").read_text()) == comparison


def test_compare_says_when_it_cannot_tell(models, tmp_path):
    rl = models / "rl_model_900_steps.zip"  # its residual is zero
    result = invoke("compare", "--rl", rl, "--episodes", 20, "--out", tmp_path, *SHORT)
    assert result.exit_code == 0, result.output
    assert "cannot tell the two apart" in " ".join(result.output.split())


def test_compare_predictions(models, tmp_path):
    sft, rl = (write_predictions(tmp_path / f"{name}.json", error) for name, error in (("sft", 1.0), ("rl", 0.5)))
    result = invoke("compare", "--sft", sft, "--rl", rl, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    comparison = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert comparison["metrics"]["open_loop_fde"]["verdict"] == "better"
    assert comparison["metrics"]["open_loop_fde"]["difference"]["mean"] == pytest.approx(-0.5)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "comparison.json",
        "comparison.md",
        "displacement.png",
        "metrics.png",
    ]
    for arguments in (["--rl", rl], ["--sft", models / "model.pt", "--rl", rl], ["--sft", sft, "--rl", models / "model.pt"]):
        result = invoke("compare", *arguments, "--out", tmp_path / "none")
        assert result.exit_code == 2 and "both as .json files" in result.output
    other = write_predictions(tmp_path / "other.json", 0.5, episodes=26)
    result = invoke("compare", "--sft", sft, "--rl", other, "--out", tmp_path / "none")
    assert result.exit_code == 1 and "('e25', t = 0.1 s)" in result.output
    assert not (tmp_path / "none").exists()


def test_compare_plans_of_two_lengths(models, tmp_path):
    for planner, named in (({"horizon_steps": 3}, "other.pt plans 3 steps of 0.1 s"), ({"plan_dt": 0.2}, "steps of 0.2 s")):
        save_planner(SFTWaypointModel(**{"horizon_steps": H, "hidden_dims": (8,), **planner}), tmp_path / "other.pt")
        result = invoke(
            "compare", "--sft", tmp_path / "other.pt", "--rl", models / "rl_model_900_steps.zip", "--out", tmp_path / "out"
        )
        assert result.exit_code == 1 and named in result.output
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def ades(models):
    """The mean ADE of each checkpoint on the scenarios of these tests."""
    scenarios = Scenarios(8, 3, 8, env_kwargs={"route_length": 12, "horizon_steps": H})
    paths = sorted(models.glob("rl_model_*_steps.zip"))
    values = {path: scenarios.evaluate(WaypointPolicy(path))["ade"].mean() for path in paths}
    assert len(set(values.values())) == 3
    return values


def test_select_the_lowest(models, ades, tmp_path):
    checkpoints = models / "rl_model_*_steps.zip"
    arguments = ["select", "--checkpoints", checkpoints, "--metric", "ade", "--episodes", 8, "--seed", 3, *SHORT]
    result = invoke(*arguments, "--output-best", tmp_path / "new" / "best.zip")
    assert result.exit_code == 0, result.output
    best = min(ades, key=ades.__getitem__)
    assert (tmp_path / "new" / "best.zip").read_bytes() == best.read_bytes()
    assert f"{best.name} ← best" in result.output
    # all checkpoints, by number of steps
    positions = [result.output.index(f"rl_model_{steps}_steps.zip") for steps in (900, 10_000, 20_000)]
    assert positions == sorted(positions)
    assert all(f"{ade:.3f}" in result.output for ade in ades.values())
    # under a constraint that the lowest does not meet
    bound = np.median(list(ades.values()))
    result = invoke(*arguments, "--where", f"ade>={bound - 1e-9}", "--output-best", tmp_path / "second.zip")
    assert result.exit_code == 0, result.output
    second = sorted(ades, key=ades.__getitem__)[1]
    assert (tmp_path / "second.zip").read_bytes() == second.read_bytes()


def test_select_writes_nothing_where_nothing_meets_the_constraint(models, tmp_path):
    best = tmp_path / "best.zip"
    best.write_bytes(b"of an earlier run")
    arguments = ["--checkpoints", models / "*.zip", "--metric", "ade", "--where", "success_rate>1", "--output-best", best]
    result = invoke("select", *arguments, "--episodes", 4, *SHORT)
    assert result.exit_code == 1
    assert "none of the 3 checkpoints meets success_rate > 1" in result.output and "rl_model_900_steps.zip" in result.output
    assert best.read_bytes() == b"of an earlier run"


def test_select_open_loop(models, tmp_path):
    write_episode(tmp_path / "a.json")
    arguments = [
        "--checkpoints",
        models / "*.zip",
        "--metric",
        "ade",
        "--where",
        "fde<1000",
        "--eval-data",
        tmp_path / "*.json",
    ]
    result = invoke("select", *arguments)
    assert result.exit_code == 0, result.output
    assert "open-loop ADE" in result.output and "← best" in result.output


def test_select_bad_input(models, tmp_path):
    result = invoke("select", "--checkpoints", tmp_path / "*.zip", "--metric", "ade")
    assert result.exit_code == 1 and "no checkpoint matches" in result.output
    for arguments, message in (
        (["--metric", "adee"], "cannot rank by 'adee'"),
        (["--metric", "ade", "--where", "success_rate=0.9"], "success_rate>=0.9"),
        (["--metric", "open_loop_ade"], "unknown metric 'open_loop_ade'"),
    ):
        result = invoke("select", "--checkpoints", models / "*.zip", "--episodes", 1, *SHORT, *arguments)
        assert result.exit_code == 1 and message in result.output, result.output


def spoilt(models, folder):
    """A folder with the checkpoints, of which the first is empty, the second cut off."""
    for index, path in enumerate(sorted(models.glob("rl_model_*.zip"))):
        content = path.read_bytes()
        (folder / path.name).write_bytes([b"", content[: len(content) // 2], content][index])
    return folder / "*.zip"


def test_select_passes_over_damaged_checkpoints(models, tmp_path):
    arguments = ["--checkpoints", spoilt(models, tmp_path), "--output-best", tmp_path / "out" / "best.zip"]
    result = invoke("select", *arguments, "--episodes", 4, *SHORT)
    assert result.exit_code == 0, result.output
    assert result.stderr.count("skipped: ") == 2
    assert "rl_model_10000_steps.zip" in result.stderr and "rl_model_20000_steps.zip" in result.stderr
    left = "rl_model_900_steps.zip"
    assert f"best: {tmp_path / left} (by success_rate, in a tie route_completion, lateral_deviation_mean)" in result.stdout
    assert (tmp_path / "out" / "best.zip").read_bytes() == (models / left).read_bytes()


def test_select_with_nothing_but_damaged_checkpoints(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"")
    result = invoke("select", "--checkpoints", tmp_path / "*.zip", "--output-best", tmp_path / "best" / "best.zip", *SHORT)
    assert result.exit_code == 1 and "none of the 1 files" in result.stderr and "a.zip" in result.stderr
    assert not (tmp_path / "best").exists()


def test_select_open_loop_needs_a_metric(models, tmp_path):
    result = invoke("select", "--checkpoints", models / "*.zip", "--eval-data", write_episode(tmp_path / "a.json"))
    assert result.exit_code == 2 and "--eval-data needs --metric" in result.stderr
