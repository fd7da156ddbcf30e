"""The how-to page on an env that is not ours: its code runs, in order, and its command lines do what they say."""

import re
import shlex
import sys
from pathlib import Path

import pytest

from tests.command_line import succeeded

PAGE = Path(__file__).resolve().parents[1] / "docs" / "how-to" / "own-waypoint-env.md"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where a reader of the page works."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("my_waypoint_env", None)


def blocks(language):
    return re.findall(rf"^```{language}[^\n]*\n(.*?)^```", PAGE.read_text(), flags=re.M | re.S)


def test_the_page_does_what_it_says(folder, capsys):
    module, *snippets = blocks("python")
    (folder / "my_waypoint_env.py").write_text(module)
    names = {}
    for snippet in snippets:
        exec(compile(snippet, str(PAGE), "exec"), names)
    before, after = capsys.readouterr().out.strip().splitlines()[-2:]
    success, reward = (
        [float(re.search(rf"'{name}': ([-\d.]+)", line)[1]) for line in (before, after)]
        for name in ("success_rate", "episode_reward")
    )
    assert reward[1] > reward[0] and success[1] >= success[0] > 0.5
    assert names["callback"].best["episode_reward"] > names["callback"].evaluations[0]["episode_reward"]
    (folder / "arc.yml").write_text(blocks("yaml")[0])
    said = {}
    for command in blocks("bash")[0].replace("\\\n", "").strip().splitlines():
        path, script, *arguments = shlex.split(command)
        assert (path, script) == ("PYTHONPATH=.", "sb3-delta-waypoint")
        said[arguments[0]] = succeeded(*arguments)
    assert (folder / "out/arc/logs/grpo/ArcWaypoint-v0_1/best_model.zip").is_file()
    assert "2 episodes in out/arc/more" in said["record"]
    assert "success rate" in said["evaluate"] and "success rate" in said["compare"]
    assert (folder / "out/arc/comparison/comparison.json").is_file()
