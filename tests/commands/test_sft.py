"""``sft``: what a user types and sees."""

import json
import signal

import pytest

from sb3_delta_waypoint.sft import training
from sb3_delta_waypoint.sft.checkpoint import load_planner
from tests.command_line import call, failed


@pytest.fixture
def copies(recorded, tmp_path):
    """A copy of the episodes to spoil."""
    folder = tmp_path / "copies"
    folder.mkdir()
    for path in recorded.iterdir():
        (folder / path.name).write_text(path.read_text())
    return folder


def sft(glob, out, *more):
    return call("sft", "--episodes-glob", glob, "--num-steps", 60, "--batch-size", 32, "--out", out, *more)


def test_sft_trains_a_planner(recorded, tmp_path):
    result = sft(f"{recorded}/**/*.json", tmp_path / "run", "--hidden-dims", "16,8", "--seed", 3, "--learning-rate", 0.01)
    assert result.exit_code == 0, result.output
    assert "5 episodes" in result.output and str(tmp_path / "run" / "model.pt") in result.output
    names = sorted(path.name for path in (tmp_path / "run").iterdir())
    assert names == ["config.json", "loss.png", "metrics.json", "model.pt"]
    assert load_planner(tmp_path / "run" / "model.pt").config()["hidden_dims"] == [16, 8]
    training = json.loads((tmp_path / "run" / "config.json").read_text())["training"]
    assert (training["seed"], training["learning_rate"], training["num_steps"]) == (3, 0.01, 60)


def test_sft_trains_a_planner_of_ones_own(recorded, tmp_path, monkeypatch):
    (tmp_path / "typed_planners.py").write_text(
        "from sb3_delta_waypoint import SFTWaypointModel\n"
        "class Wide(SFTWaypointModel):\n"
        "    def __init__(self, width=4, **kwargs):\n"
        "        super().__init__(**{'hidden_dims': (width,), **kwargs})\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    own = ("--planner", "typed_planners:Wide", "--planner-kwargs", "width:12")
    result = sft(f"{recorded}/**/*.json", tmp_path / "run", *own)
    assert result.exit_code == 0, result.output
    planner = load_planner(tmp_path / "run" / "model.pt")
    assert type(planner).__name__ == "Wide" and planner.hidden_dims == (12,)
    assert "'--planner-kwargs': 'width' is not KEY:VALUE" in sft(recorded, tmp_path, *own[:3], "width").output
    failed(sft(f"{recorded}/**/*.json", tmp_path / "run", *own[:3], "depth:1"), "typed_planners:Wide", "depth")
    failed(sft(f"{recorded}/**/*.json", tmp_path / "run", "--planner", "typed_planners"), "package.module:Class")
    failed(sft(f"{tmp_path}/nothing/*.json", tmp_path / "run", "--planner", "typed_planners:Gone"), "has no 'Gone'")


def cut_off(path):
    path.write_text(path.read_text()[:3000])


def remove_expert(path):
    data = json.loads(path.read_text())
    del data["frames"][6]["expert"]
    path.write_text(json.dumps(data))


def shorten_horizon(path):
    data = json.loads(path.read_text())
    data["waypoint_spec"]["horizon_steps"] = 10
    for frame in data["frames"]:
        frame["expert"]["waypoints"] = frame["expert"]["waypoints"][:10]
    path.write_text(json.dumps(data))


BROKEN = [
    (cut_off, ("toy-4-2.json: line ", "column", "not valid JSON")),
    (remove_expert, ("toy-4-2.json: frame 6, expert: ", "missing")),
    (shorten_horizon, ("toy-4-2.json: waypoint_spec: ", "horizon_steps 10", "have 20")),
]


@pytest.mark.parametrize(("spoil", "said"), BROKEN)
def test_sft_names_what_is_broken_and_writes_nothing(copies, tmp_path, spoil, said):
    spoil(copies / "toy-4-2.json")
    failed(sft(f"{copies}/*.json", tmp_path / "run"), *said)
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(("spoil", "said"), BROKEN)
def test_sft_skips_what_is_broken_and_lists_it(copies, tmp_path, spoil, said):
    spoil(copies / "toy-4-2.json")
    result = sft(f"{copies}/*.json", tmp_path / "run", "--skip-invalid")
    assert result.exit_code == 0, result.output
    skipped = [line for line in result.stderr.splitlines() if line.startswith("skipped: ")]
    assert len(skipped) == 1
    for words in said:
        assert words in skipped[0]
    assert json.loads((tmp_path / "run" / "config.json").read_text())["data"]["episodes"] == 4


def test_sft_with_nothing_left_after_skipping(copies, tmp_path):
    for path in copies.iterdir():
        cut_off(path)
    failed(sft(f"{copies}/*.json", tmp_path / "run", "--skip-invalid"), "none of the 5 files")
    assert not (tmp_path / "run").exists()


def test_sft_without_a_match(tmp_path):
    failed(sft("nowhere/**/*.json", tmp_path / "run"), "no episode file matches 'nowhere/**/*.json'")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--hidden-dims", "12,x"), "12,x"),
        (("--validation-fraction", 1), "--validation-fraction"),
        (("--num-steps", 0), "--num-steps"),
        (("--device", "quantum"), "--device"),
        (("--device", "cuda:77"), "cuda:77"),
    ],
)
def test_sft_refuses_impossible_options(recorded, tmp_path, args, said):
    result = sft(f"{recorded}/*.json", tmp_path / "run", *args)
    assert result.exit_code == 2 and said in result.stderr


@pytest.mark.usefixtures("undrawn")
def test_sigterm_ends_sft_as_ctrl_c_does(recorded, tmp_path, monkeypatch):
    """The weights so far are kept, a line says where, and the exit code says what it was."""
    fit = training._fit

    def terminated(*arguments):
        rows = fit(*arguments)
        yield next(rows)
        signal.raise_signal(signal.SIGTERM)
        yield from rows

    monkeypatch.setattr(training, "_fit", terminated)
    result = sft(f"{recorded}/*.json", tmp_path / "run")
    assert result.exit_code == 143, result.output
    assert str(tmp_path / "run" / "model.pt") in result.output
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["interrupted"]
    load_planner(tmp_path / "run" / "model.pt")


def test_a_folder_that_cannot_be_made_is_found_out_before_the_training(recorded, monkeypatch):
    def trained(*args, **kwargs):
        raise AssertionError("trained for nothing")

    monkeypatch.setattr(training, "train_sft", trained)
    failed(sft(f"{recorded}/*.json", "/dev/null"), "/dev/null")
