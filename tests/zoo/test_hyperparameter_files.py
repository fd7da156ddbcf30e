"""Hyperparameters in a file that is broken or hostile."""

import pytest

from sb3_delta_waypoint import zoo

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"ToyWaypoint-v0: {", "not readable as YAML"),
        (b"\xff\xfe\x00", "not readable as YAML"),
        (b"- ToyWaypoint-v0", r"expected hyperparameters by env, found \['ToyWaypoint-v0'\]"),
        (b"ToyWaypoint-v0: [n_steps, 3]", r"ToyWaypoint-v0: expected hyperparameters by name, found \['n_steps', 3\]"),
        (b"", "expected hyperparameters by env, found None"),
        (f"{BOMB}ToyWaypoint-v0: {{n_timesteps: *i}}".encode(), "more than 100,000 values"),
    ],
)
def test_a_broken_file_is_named(tmp_path, content, said):
    path = tmp_path / "own.yml"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"own\.yml: .*{said}"):
        zoo.train(["--algo", "ppo", "-conf", str(path), "-f", str(tmp_path / "logs")])
    assert not (tmp_path / "logs" / "ppo").exists() or not list((tmp_path / "logs" / "ppo").iterdir())
