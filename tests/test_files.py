"""Writing files, and reading hostile ones."""

import os
import resource
import stat
import threading
import time
import zipfile

import pytest

from sb3_delta_waypoint import files
from sb3_delta_waypoint.files import read_json, read_text, read_xml, read_yaml, write_atomically

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGE_BOMB = "a: &a0 {x: 1}\n" + "".join(f"b{i}: &a{i} {{<<: [{','.join([f'*a{i - 1}'] * 9)}]}}\n" for i in range(1, 9))


def test_what_is_written_replaces_what_was_there(tmp_path):
    path = tmp_path / "new" / "a.txt"
    assert write_atomically(path, "one") == path
    write_atomically(path, b"two")
    assert path.read_text() == "two" and list(path.parent.iterdir()) == [path]


def test_devices_are_written_to(tmp_path):
    write_atomically("/dev/null", "text")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    os.mkfifo(tmp_path / "pipe")
    received = []
    reader = threading.Thread(target=lambda: received.append((tmp_path / "pipe").read_text()))
    reader.start()
    write_atomically(tmp_path / "pipe", "text")
    reader.join(timeout=30)
    assert received == ["text"] and stat.S_ISFIFO(os.stat(tmp_path / "pipe").st_mode)


@pytest.mark.parametrize("there", [True, False])
def test_links_are_followed(tmp_path, there):
    target, link = tmp_path / "folder" / "target.txt", tmp_path / "link.txt"
    if there:
        write_atomically(target, "old")
    link.symlink_to("folder/target.txt")
    assert write_atomically(link, "new") == link
    assert link.is_symlink() and target.read_text() == "new"
    assert list(target.parent.iterdir()) == [target]


def test_a_full_disk_names_the_file_and_leaves_nothing(tmp_path):
    with pytest.raises(OSError, match="No space left on device: '/dev/full'"):
        write_atomically("/dev/full", "text")
    path = tmp_path / "a.txt"
    write_atomically(path, "old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(OSError, match=r"File too large: '.*a\.txt'") as caught:
            write_atomically(path, b"x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.filename == str(path)
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("name", "named"), [("folder", "folder"), ("file/below", "file"), ("loop", "loop")])
def test_what_cannot_be_written_is_named(tmp_path, name, named):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError) as caught:
        write_atomically(tmp_path / name, "text")
    assert caught.value.filename == str(tmp_path / named)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder", "loop"]


def test_names_may_be_as_long_as_the_system_allows(tmp_path):
    assert write_atomically(tmp_path / ("ü" * 127), "text").read_text() == "text"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"a": 1', r"line 1, column 8: is not valid JSON \(.*\); the file may have been cut off"),
        (b"\xff{}", "is not text in UTF-8"),
        (b"[" * 100_000, "is nested too deeply"),
        (b'{"a": ' * 100_000, "is nested too deeply"),
        (b"1" * 10_000, "is not valid JSON .*digits"),
    ],
)
def test_json_that_cannot_be_read(tmp_path, content, said):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"a\.json: {said}"):
        read_json(path, "result")


def test_files_without_end_are_not_read_to_it(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MAX_BYTES", 1000)
    with pytest.raises(ValueError, match="/dev/zero: more than 1,000 bytes are not read"):
        read_json("/dev/zero", "result")
    with (tmp_path / "sparse.json").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ValueError, match=r"sparse\.json: more than 1,000 bytes are not read"):
        read_json(tmp_path / "sparse.json", "result")
    with pytest.raises(FileNotFoundError, match=r"there is no result .*none\.json"):
        read_json(tmp_path / "none.json", "result")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "while parsing"),
        ("a: \x07", "special characters are not allowed"),
        ("a: &a [*a]", "more than 100,000 values"),
        (BOMB, "more than 100,000 values"),
        (MERGE_BOMB, "more than 100,000 values"),
        ("[" * 800, "is nested too deeply"),
        ("a: !!bool maybe", "maybe"),
        ("a: !!int ''", "out of range"),
        ("a: !!timestamp x", "NoneType"),
        ("a: 2020-99-99", "month must be in"),
        ("a: 1" + ":1" * 10_000, "line 1: a number has 20001 characters"),
        ("a: 0x" + "f" * 10_000, "line 1: a number has 10002 characters"),
        ("a: !!python/object/apply:os.system ['true']", "could not determine a constructor"),
        ("# " + "x" * files.MAX_YAML_BYTES, "more than 262,144 bytes are not read"),
    ],
)
def test_yaml_that_is_not_read(tmp_path, text, said):
    path = tmp_path / "a.yml"
    path.write_text(text)
    begin = time.process_time()
    with pytest.raises(ValueError, match=rf"a\.yml: .*{said}") as caught:
        read_yaml(path, "suite")
    assert time.process_time() - begin < 30.0, "for ever, otherwise"
    assert len(str(caught.value)) < 500 + len(str(path))


def test_yaml_may_use_aliases(tmp_path):
    (tmp_path / "a.yml").write_text("a: &a {x: 1, y: [2]}\nb: {<<: *a, y: *a}\n")
    assert read_yaml(tmp_path / "a.yml", "suite") == {"a": {"x": 1, "y": [2]}, "b": {"x": 1, "y": {"x": 1, "y": [2]}}}


@pytest.mark.parametrize("content", [b"<a>", b"", b"<?xml version='1.0' encoding='x-none'?><a/>", b"<a>\xff</a>"])
def test_xml_that_cannot_be_read(tmp_path, content):
    pytest.importorskip("defusedxml")
    (tmp_path / "a.xml").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.xml is not a map: not readable as XML"):
        read_xml(tmp_path / "a.xml", "a map")


def test_text_that_cannot_be_read(tmp_path):
    (tmp_path / "a.xodr").write_bytes(b"<OpenDRIVE>\xe4</OpenDRIVE>")
    with pytest.raises(ValueError, match=r"a\.xodr: is not text in UTF-8"):
        read_text(tmp_path / "a.xodr", "map file")


def test_archives_that_are_larger_than_they_seem(tmp_path):
    with zipfile.ZipFile(tmp_path / "inner.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(10**6))
    with pytest.raises(ValueError, match=r"inner\.zip: zeros is compressed"):
        files.refuse_compressed(tmp_path / "inner.zip")
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as archive:
        archive.write(tmp_path / "inner.zip", "policy.pth")
    with pytest.raises(ValueError, match=r"outer\.zip: policy\.pth: zeros is compressed"):
        files.refuse_compressed(tmp_path / "outer.zip")


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_files_may_be_read_by_whom_the_user_lets_read_files(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        write_atomically(tmp_path / "a.txt", "text")
    finally:
        assert os.umask(before) == umask
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == mode
