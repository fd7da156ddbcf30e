"""``record-video`` makes a film."""

import pytest

from sb3_delta_waypoint.envs import drive_env
from tests.command_line import succeeded

pytest.importorskip("rl_zoo3")
pytest.importorskip("moviepy")


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
    command = ["record-video", "--algo", "ppo", "-f", logs, "--exp-id", 1, "--load-best", "-n", 5, "-o", tmp_path]
    succeeded(*command, *options)
    (video,) = tmp_path.glob("*.mp4")
    assert video.stat().st_size > 1000
    # before the first step nothing is planned yet
    first = next(i for i, names in enumerate(drawn) if len(names) > 1)
    assert first <= 2 and len(drawn) >= 5 and all(names == plans for names in drawn[first:])


def test_a_video_lies_in_the_folder_of_its_run(logs, run):
    succeeded("record-video", "--algo", "ppo", "-f", logs, "--exp-id", 1, "--load-best", "-n", 2)
    assert len(list((run / "videos").glob("*.mp4"))) == 1
