"""Reading episode files, and what is said of broken ones."""

import json

import numpy as np
import pytest

from sb3_delta_waypoint.episodes.reader import read_episode, read_episodes
from sb3_delta_waypoint.episodes.schema import EpisodeError
from sb3_delta_waypoint.episodes.writer import write_episode


@pytest.fixture
def written(tmp_path, circle):
    return write_episode(tmp_path / "circle.json", circle())


def change(path, edit):
    """Rewrite a JSON file after an edit of its content."""
    data = json.loads(path.read_text())
    edit(data)
    path.write_text(json.dumps(data))


def test_what_is_written_is_read_back(written, circle):
    episode, original = read_episode(written), circle()
    assert (episode.episode_id, episode.domain, episode.source) == ("circle", "test", original.source)
    assert (episode.path, episode.dt, episode.horizon_steps, len(episode)) == (written, 0.1, 4, 12)
    assert episode.t.dtype == np.float64
    read = {"t": episode.t, "waypoints": episode.waypoints, **episode.observations}
    for name, expected in {"t": original.t, "waypoints": original.waypoints, **original.observations}.items():
        assert read[name].dtype == expected.dtype and read[name].shape == expected.shape
        np.testing.assert_allclose(read[name], expected, atol=5.1e-6)


@pytest.mark.parametrize(
    ("edit", "frame", "field", "said"),
    [
        (lambda d: d.pop("domain"), None, "domain", "missing"),
        (lambda d: d["source"].pop("scene_id"), None, "source.scene_id", "missing"),
        (lambda d: d["frames"][3].pop("expert"), 3, "expert", "missing"),
        (lambda d: d["frames"][3]["observations"].pop("route"), 3, "observations.route", "missing"),
        (
            lambda d: d["frames"][3]["observations"].update(signall=[1, 0]),
            3,
            "observations.signall",
            "no such field; accepted are state, route, speed_limit, agents, agents_valid, signal, cameras",
        ),
        (
            lambda d: [frame["observations"].update(agents=[]) for frame in d["frames"]],
            0,
            "observations.agents_valid",
            r"missing \(16 numbers: 1 for rows of agents that hold somebody",
        ),
        (lambda d: d["frames"][3]["observations"].update(state="fast"), 3, "observations.state", "'fast' is not of type"),
        (lambda d: d["frames"].clear(), None, "frames", "non-empty"),
        (lambda d: d["waypoint_spec"].update(frame="world"), None, "waypoint_spec.frame", "'world', but 'ego'"),
        (lambda d: d["waypoint_spec"].update(dt=0), None, "waypoint_spec.dt", "0 is less than"),
        (lambda d: d["waypoint_spec"].update(dt=float("inf")), None, "waypoint_spec.dt", "inf"),
        (lambda d: d["waypoint_spec"].update(horizon_steps=5), 0, "expert.waypoints", r"\(4, 2\), expected \(5, 2\)"),
        (lambda d: d["frames"][7]["expert"]["waypoints"].pop(), 7, "expert.waypoints", r"\(3, 2\), expected \(4, 2\)"),
        (lambda d: d["frames"][7]["expert"]["waypoints"][2].pop(), 7, "expert.waypoints", "different lengths"),
        (lambda d: d["frames"][7]["expert"]["waypoints"][2].__setitem__(0, None), 7, "expert.waypoints", "holds None"),
        (lambda d: d["frames"][7]["observations"]["state"].__setitem__(1, float("nan")), 7, "observations.state", "holds nan"),
        (lambda d: d["frames"][7]["observations"]["state"].__setitem__(1, 1e39), 7, "observations.state", "holds 1e.39"),
        (lambda d: d["frames"][7]["observations"]["state"].__setitem__(1, "0.1"), 7, "observations.state", "'0.1'"),
        (lambda d: d["frames"][7]["observations"]["route"].append([0, 0]), 7, "observations.route", r"\(11, 2\), expected"),
        (lambda d: d["frames"][7].update(t=0.6), 7, "t", "0.6 after 0.6"),
        (lambda d: d["frames"][7].update(t=10**400), 7, "t", "holds <an integer of 1329 bits>, expected finite numbers"),
        (
            lambda d: d["waypoint_spec"].update(dt=10**400),
            None,
            "waypoint_spec.dt",
            "1000.* … .*000 is greater than the maximum",
        ),
        (
            lambda d: d["waypoint_spec"].update(horizon_steps=1e300),
            None,
            "waypoint_spec.horizon_steps",
            "greater than the max",
        ),
    ],
)
def test_an_error_names_file_frame_field_and_value(written, edit, frame, field, said):
    change(written, edit)
    with pytest.raises(EpisodeError, match=said) as caught:
        read_episode(written)
    assert (caught.value.path, caught.value.frame, caught.value.field) == (written, frame, field)
    where = field if frame is None else f"frame {frame}, {field}"
    assert str(caught.value).startswith(f"{written}: {where}: ")


def agents_of(n_frames):
    agents = np.random.default_rng(0).uniform(-1, 1, (n_frames, 16, 7)).astype(np.float32)
    return {"agents": agents, "agents_valid": np.eye(16, dtype=np.float32)[:n_frames]}


def test_groups_beyond_state_and_route_are_read_back_where_a_file_has_them(tmp_path, circle):
    episode = circle()
    assert set(read_episode(write_episode(tmp_path / "alone.json", episode)).observations) == {"state", "route"}
    episode.observations |= agents_of(12)
    again = read_episode(write_episode(tmp_path / "others.json", episode))
    assert set(again.observations) == {"state", "route", "agents", "agents_valid"}
    for name, values in episode.observations.items():
        assert again.observations[name].dtype == np.float32
        np.testing.assert_allclose(again.observations[name], values, atol=5.1e-6)


def test_a_group_must_be_in_every_frame_and_of_its_shape(tmp_path, circle):
    episode = circle()
    episode.observations |= agents_of(12)
    path = write_episode(tmp_path / "others.json", episode)
    change(path, lambda data: data["frames"][5]["observations"]["agents"].pop())
    with pytest.raises(EpisodeError, match=r"frame 5, observations.agents: has shape \(15, 7\), expected \(16, 7\)"):
        read_episode(path)
    change(path, lambda data: data["frames"][4]["observations"].pop("agents"))
    with pytest.raises(EpisodeError, match="frame 4, observations.agents: the field is missing, which other frames have"):
        read_episode(path)


def test_a_truncated_file_is_located(written):
    text = written.read_text()
    written.write_text(text[: text.index("\n", 500)])
    last_line = len(text[: text.index("\n", 500)].splitlines())
    with pytest.raises(EpisodeError, match=rf"circle.json: line {last_line}, column \d+: is not valid JSON"):
        read_episode(written)


@pytest.mark.parametrize("content", [b"", b"[]", b"5", b"\xff\xfe{}", b"[" * 100_000, b"9" * 10_000])
def test_other_content_is_refused(tmp_path, content):
    path = tmp_path / "other.json"
    path.write_bytes(content)
    with pytest.raises(EpisodeError, match="other.json"):
        read_episode(path)


def test_absent_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="none.json"):
        read_episode(tmp_path / "none.json")


def test_cameras_are_checked_by_structure_and_not_opened(written):
    camera = {"image_path": "images/front/000.png", "intrinsics": np.eye(3).tolist(), "extrinsics": np.eye(4).tolist()}

    def add(data):
        data["cameras"] = ["front"]
        for frame in data["frames"]:
            frame["observations"]["cameras"] = {"front": camera}

    change(written, add)
    assert len(read_episode(written)) == 12
    change(written, lambda data: data["frames"][2]["observations"]["cameras"]["front"].pop("image_path"))
    with pytest.raises(EpisodeError, match="frame 2, observations.cameras.front.image_path: the field is missing"):
        read_episode(written)
    change(written, lambda data: data["frames"][2]["observations"].update(cameras={"front": {**camera, "intrinsics": [1]}}))
    with pytest.raises(EpisodeError, match="frame 2, observations.cameras.front.intrinsics"):
        read_episode(written)


def test_the_glob_goes_through_folders_in_order(tmp_path, circle):
    names = ["z", "b/c/2", "k", "1", "y", "b/1", "c/9", "a"]
    for name in names:
        write_episode(tmp_path / f"{name}.json", circle(name=name))
    episodes, errors = read_episodes(f"{tmp_path}/**/*.json")
    assert [episode.episode_id for episode in episodes] == sorted(names)
    assert errors == []


def test_nothing_matches(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no episode file matches '.*/\*\*/\*.json'"):
        read_episodes(f"{tmp_path}/**/*.json")
    with pytest.raises(FileNotFoundError, match=r"it is a folder: try '.*/\*\*/\*.json'"):
        read_episodes(str(tmp_path))


def test_another_horizon(tmp_path, circle):
    # the odd one comes first: the others are what is meant
    for name, horizon in (("a", 5), ("b", 4), ("c", 4)):
        write_episode(tmp_path / f"{name}.json", circle(horizon=horizon))
    with pytest.raises(EpisodeError, match=r"a.json: waypoint_spec: has horizon_steps 5, .* 2 others have 4"):
        read_episodes(f"{tmp_path}/*.json")
    with pytest.raises(EpisodeError, match="b.json: waypoint_spec.horizon_steps: is 4, expected 5"):
        read_episodes(f"{tmp_path}/*.json", horizon_steps=5)
    episodes, errors = read_episodes(f"{tmp_path}/*.json", skip_invalid=True)
    assert [episode.path.name for episode in episodes] == ["b.json", "c.json"]
    assert [error.path.name for error in errors] == ["a.json"]


def test_skipping_broken_files(tmp_path, circle):
    for name in ("a", "b", "c"):
        write_episode(tmp_path / f"{name}.json", circle())
    (tmp_path / "b.json").write_text('{"episode_id": ')
    with pytest.raises(EpisodeError, match="b.json"):
        read_episodes(f"{tmp_path}/*.json")
    episodes, errors = read_episodes(f"{tmp_path}/*.json", skip_invalid=True)
    assert [episode.path.name for episode in episodes] == ["a.json", "c.json"]
    assert [error.path.name for error in errors] == ["b.json"]
