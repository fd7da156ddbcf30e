"""``record-video`` makes a film."""

import pytest
from PIL import Image

from sb3_delta_waypoint.envs import drive_env
from sb3_delta_waypoint.evaluation import film
from sb3_delta_waypoint.evaluation.seeds import REPORT_SEED
from tests.command_line import call, failed, succeeded

ON_SHORT_ROUTES = ("--env-kwargs", "route_length:12")


@pytest.fixture
def drawn(monkeypatch):
    """The names of the plans in each picture."""
    plans = []
    draw = drive_env.Renderer.draw

    def spy(renderer, scene):
        plans.append(list(scene.plans))
        return draw(renderer, scene)

    monkeypatch.setattr(drive_env.Renderer, "draw", spy)
    return plans


@pytest.mark.parametrize(("options", "plans"), [([], ["expert", "sft", "final"]), (["--hide-planner"], ["expert", "final"])])
def test_record_video(options, plans, logs, run, drawn, tmp_path):
    pytest.importorskip("moviepy")
    command = ["record-video", "--algo", "ppo", "-f", logs, "--exp-id", 1, "--load-best", "-n", 5, "-o", tmp_path]
    succeeded(*command, *options)
    (video,) = tmp_path.glob("*.mp4")
    assert video.stat().st_size > 1000
    # before the first step nothing is planned yet
    first = next(i for i, names in enumerate(drawn) if len(names) > 1)
    assert first <= 2 and len(drawn) >= 5 and all(names == plans for names in drawn[first:])


def test_a_video_lies_in_the_folder_of_its_run(logs, run):
    pytest.importorskip("moviepy")
    succeeded("record-video", "--algo", "ppo", "-f", logs, "--exp-id", 1, "--load-best", "-n", 2)
    assert len(list((run / "videos").glob("*.mp4"))) == 1


@pytest.mark.parametrize(
    ("options", "plans"),
    [([], [["expert", "final"], ["expert", "sft", "final"]]), (["--hide-planner"], [["expert", "final"]] * 2)],
)
def test_planner_and_refined_model_beside_one_another(options, plans, models, drawn, tmp_path):
    out = tmp_path / "new" / "drive.gif"
    model = models / "rl_model_10000_steps.zip"
    said = succeeded("record-video", "--rl", model, "--scenario", 3, "--out", out, *ON_SHORT_ROUTES, *options)
    assert said.strip() == str(out)
    with Image.open(out) as video:
        assert video.n_frames > 5 and video.size[0] == 1280
    assert drawn[:4] == [["expert"], ["expert"], *plans]


def test_by_default_they_drive_the_scenarios_of_a_comparison(models, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(film, "film_side_by_side", lambda *arguments: asked.append(arguments) or arguments[5])
    command = ("record-video", "--rl", models / "rl_model_10000_steps.zip", "--out", tmp_path / "drive.gif", *ON_SHORT_ROUTES)
    succeeded(*command)
    succeeded(*command, "--seed", 5, "--scenario", 2, "--sft", models / "model.pt", "--hide-planner")
    (policies, env_id, kwargs, *rest), others = asked
    assert list(policies) == ["planner", "refined"] and env_id == "ToyWaypoint-v0"
    assert kwargs == {"horizon_steps": 5, "plan_dt": 0.1, "route_length": 12}
    assert rest == [REPORT_SEED, 0, tmp_path / "drive.gif", True]
    assert others[3:] == (5, 2, tmp_path / "drive.gif", False)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--out", "drive.gif"], "--out is for a video of two: give --rl, too"),
        (["--scenario", 3], "--scenario is for a video of two"),
        (["--rl", "model.zip", "--algo", "ppo"], "--algo does not go with --rl"),
        (["--rl", "model.zip", "-n", 5], "--n-timesteps does not go with --rl"),
    ],
)
def test_options_of_the_other_kind_of_video_are_refused(options, words):
    result = call("record-video", *options)
    assert result.exit_code == 2 and words in result.stderr


def test_another_kind_of_file_is_refused(models, tmp_path):
    model = models / "rl_model_10000_steps.zip"
    failed(call("record-video", "--rl", model, "--out", tmp_path / "drive.avi"), "drive.avi", "must end in .gif or .mp4")
    assert not list(tmp_path.iterdir())
