"""
README.md stays true: its Python runs, its commands exist with the options it gives them, its links lead somewhere.

A code block under a line ``<!-- skip: why -->`` is not run.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from sb3_delta_waypoint.cli import main

REPOSITORY = Path(__file__).resolve().parents[1]
README = REPOSITORY / "README.md"


@dataclass
class Block:
    code: str
    line: int  # of README.md, counted from 0, where the code begins
    skipped: bool


def blocks(language: str) -> list[Block]:
    """The fenced blocks of one language, in order."""
    text = README.read_text()
    found = []
    for match in re.finditer(r"(?P<skip><!-- skip: .+ -->\n+)?^```(?P<language>\w*)\n(?P<code>.*?)^```$", text, re.M | re.S):
        if match["language"] == language:
            line = text[: match.start("code")].count("\n")
            found.append(Block(match["code"], line, match["skip"] is not None))
    return found


def commands() -> Iterator[tuple[str, list[str]]]:
    """Every command line of the bash blocks: where it is, and its words without comments and variables set in front."""
    for block in blocks("bash"):
        lines = block.code.replace("\\\n", " ").splitlines()
        for number, line in enumerate(lines):
            words = shlex.split(line, comments=True)
            while words and re.fullmatch(r"\w+=.*", words[0]):
                words = words[1:]
            if words:
                yield f"README.md, bash block at line {block.line + 1}, command {number + 1}: {line}", words


def test_python_blocks_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are run in order, as one program in an empty folder."""
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": "readme"}
    to_run = [block for block in blocks("python") if not block.skipped]
    assert to_run
    for block in to_run:
        exec(compile("\n" * block.line + block.code, str(README), "exec"), namespace)


def test_console_script_commands_exist() -> None:
    lines = [(where, words[1:]) for where, words in commands() if words[0] == "sb3-delta-waypoint"]
    assert lines
    for where, words in lines:
        check_command(where, words)


def check_command(where: str, words: list[str]) -> None:
    """Parse a command line as click would, without running it."""
    context = click.Context(main, info_name="sb3-delta-waypoint")
    try:
        _, words, _ = main.make_parser(context).parse_args(words)
        if not words:
            return
        name, command, arguments = main.resolve_command(context, words)
        assert name is not None and command is not None
        parser = command.make_parser(click.Context(command, info_name=name, parent=context, **command.context_settings))
        values, _, _ = parser.parse_args(list(arguments))
    except click.UsageError as error:
        pytest.fail(f"{where}: {error.format_message()}")
    # options that the command hands on to rl_zoo3 are left among its arguments; its help lists them
    given = [values.get(parameter.name) for parameter in command.params if isinstance(parameter, click.Argument)]
    words_given = [
        word for value in given for word in (value if isinstance(value, tuple) else [value]) if isinstance(word, str)
    ]
    passed_on = {word.partition("=")[0] for word in words_given if re.match("--?[a-zA-Z]", word)}
    if passed_on:
        text = CliRunner().invoke(main, [name, "--help"]).output
        unknown = passed_on - set(re.findall(r"(?<![\w-])--?[a-zA-Z][\w-]*", text))
        assert not unknown, where


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.M))
    named = [word for _, words in commands() if words[0] == "make" for word in words[1:] if "=" not in word]
    assert {"demo", "test"} <= set(named) <= targets


def test_local_links_lead_to_a_file() -> None:
    prose = re.sub(r"^```.*?^```$", "", README.read_text(), flags=re.M | re.S)
    links = re.findall(r"\]\(([^)\s]+)", prose) + re.findall(r'(?:src|href)="([^"]+)"', prose)
    local = [link.partition("#")[0] for link in links if not re.match(r"[a-z]+:", link)]
    missing = [link for link in local if link and not (REPOSITORY / link).exists()]
    assert not missing


def test_links_to_a_section_lead_to_one() -> None:
    text = re.sub(r"^```.*?^```$", "", README.read_text(), flags=re.M | re.S)
    # the anchor that hosts make of a heading: lower case, punctuation dropped, blanks as dashes
    anchors = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^#+ (.+)$", text, re.M)}
    missing = [link for link in re.findall(r"\]\(#([^)\s]+)\)", text) if link not in anchors]
    assert not missing
