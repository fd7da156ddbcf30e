"""Videos of policies beside one another: both are there, in step, in the same scenario."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from sb3_delta_waypoint.envs import ToyWaypointEnv
from sb3_delta_waypoint.evaluation import film
from sb3_delta_waypoint.evaluation.film import film_side_by_side
from sb3_delta_waypoint.rendering.birds_eye import Renderer
from sb3_delta_waypoint.rendering.video import GAP

KWARGS = {"route_length": 20.0, "horizon_steps": 5}


def straight(speed):
    """A policy that drives straight on."""
    plan = np.stack([0.1 * speed * np.arange(1.0, 6.0), np.zeros(5)], axis=1).astype(np.float32)
    return lambda observation: plan


@pytest.fixture
def told(monkeypatch):
    """What the pictures and the titles above them say; pictures are small, and the left column counts the steps."""
    said = []

    def draw(self, scene):
        step = int(scene.text[0].split("step ")[1].split()[0])
        return np.full((20, 40, 3), 2 * step, np.uint8)

    titled = film.titled

    def spy(picture, title, note, colour):
        said.append((title, note))
        return titled(picture, title, note, colour)

    monkeypatch.setattr(Renderer, "draw", draw)
    monkeypatch.setattr(film, "titled", spy)
    return said


@pytest.fixture
def pictures(monkeypatch):
    """The pictures that would be written."""
    kept = []

    def keep(pictures, path, fps):
        kept.extend(pictures)
        assert fps == 10
        return path

    monkeypatch.setattr(film, "write_video", keep)
    return kept


def steps(pictures, half):
    """The steps that one half shows, by the colour below the title."""
    columns = slice(0, 40) if half == 0 else slice(40 + GAP, None)
    return [int(picture[-1, columns].mean()) // 2 for picture in pictures]


def test_both_halves_are_in_step_until_one_has_ended_and_its_last_picture_stays(told, pictures):
    film_side_by_side({"planner": straight(4.0), "refined": straight(12.0)}, "ToyWaypoint-v0", KWARGS, 3, 1, "out.gif")
    left, right = steps(pictures, 0), steps(pictures, 1)
    slow, fast = max(left), max(right)
    assert fast < slow
    assert left == [*range(slow + 1), *[slow] * 15]
    assert right == [min(step, fast) for step in left]
    for title, last in (("planner", slow), ("refined", fast)):
        notes = [note for name, note in told if name == title]
        assert notes[:3] == ["0.0 s", "0.1 s", "0.2 s"] and len(notes) == last + 1
        assert notes[-1].endswith(f"   {0.1 * last:.1f} s")


def test_both_drive_the_same_scenario(told, pictures, monkeypatch):
    played = []
    reset = ToyWaypointEnv.reset

    def spy(env, *, seed=None, options=None):
        played.append((seed, options["scenario"], id(env)))
        return reset(env, seed=seed, options=options)

    monkeypatch.setattr(ToyWaypointEnv, "reset", spy)
    film_side_by_side({"planner": straight(8.0), "refined": straight(8.0)}, "ToyWaypoint-v0", KWARGS, 3, 7, "out.gif")
    assert [entry[:2] for entry in played] == [(3, 7)] * 2 and played[0][2] != played[1][2]
    assert steps(pictures, 0) == steps(pictures, 1)


@pytest.mark.parametrize(
    ("info", "said"),
    [
        ({"is_success": True, "episode_metrics": {"collision": 1.0}}, "goal reached"),
        ({"is_success": False, "episode_metrics": {"timeout": 1.0, "collision": 1.0}}, "out of time"),
        ({"is_success": False, "episode_metrics": {"collision": 1.0, "timeout": 0.0}}, "collision"),
        ({"is_success": False, "episode_metrics": {"collision_at_fault": 1.0}}, "at-fault collision"),
        ({"is_success": False, "episode_metrics": {"off_route": 1.0}}, "off route"),
        ({"is_success": False, "episode_metrics": {"timeout": 1.0, "off_route": 0.0}}, "out of time"),
        ({"is_success": False, "episode_metrics": {}}, "failed"),
        ({"fault": "the server is gone"}, "broken off"),
    ],
)
def test_the_title_says_how_an_episode_ended(info, said):
    assert film._outcome(info)[0] == said


def test_the_file_is_there(tmp_path, told):
    path = film_side_by_side({"planner": straight(9.0)}, "ToyWaypoint-v0", KWARGS, 3, 1, tmp_path / "drive.gif")
    assert path.stat().st_size > 1000


class Blind(gym.Env):
    """A waypoint env without pictures."""

    metadata = {"render_modes": ["human"]}
    observation_space = spaces.Dict({"state": spaces.Box(-1, 1, (4,))})
    action_space = spaces.Box(-1, 1, (5, 2))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"env_id": "CartPole-v1", "env_kwargs": {}}, "CartPole-v1 is no waypoint env"),
        ({"env_id": "Blind-v0", "env_kwargs": {}}, r"Blind-v0 draws no pictures: its render_modes are \['human'\]"),
        ({"env_kwargs": {"wheels": 3}}, "ToyWaypoint-v0 cannot be made with .*wheels"),
        ({"path": "drive.mov"}, "must end in .gif or .mp4"),
        ({"policies": {}}, "policies: there is none"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(gym.registry, "Blind-v0", gym.envs.registration.EnvSpec("Blind-v0", entry_point=Blind))
    usual = {"policies": {"planner": straight(8.0)}, "env_id": "ToyWaypoint-v0", "env_kwargs": KWARGS, "path": "drive.gif"}
    with pytest.raises(ValueError, match=message):
        film_side_by_side(**{**usual, **arguments}, seed=3, scenario=1)
    assert not list(tmp_path.iterdir())
