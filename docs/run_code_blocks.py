"""
Runs the code of README.md and of the documentation, and checks the commands and links that they name.

    python docs/run_code_blocks.py                       # all pages, two at a time
    python docs/run_code_blocks.py README.md docs/tutorial.md

The ``python`` and ``bash`` blocks of a page run from top to bottom: Python in one process, all of them in one temporary folder
that holds links to ``examples`` and ``hyperparams``. A block with a ``title="module.py"``, in any language, is written to that
file. A block under ``<!-- skip: why -->`` is not run, but its commands are checked all the same. Blocks in any other language
are not code to run. Exits with 1 if anything fails, naming page, line and error.
"""

import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile
import textwrap
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parents[1]
LINKED = ("examples", "hyperparams")
PAGES_AT_A_TIME = 2
BLOCK = re.compile(
    r"^(?P<skip>[ ]*<!-- skip: .+? -->\n+)?(?P<indent>[ ]*)```(?P<language>\w*)"
    r'(?: title="(?P<title>[^"]+)")?[^\n]*\n(?P<code>.*?)^(?P=indent)```$',
    re.M | re.S,
)
COMMANDS = ("sb3-delta-waypoint", "make", "python")


class Block(NamedTuple):
    """A fenced block: language, title, code, the line of the page where that begins (from 1), and whether it is not run."""

    language: str
    title: str | None
    code: str
    line: int
    skipped: bool


def blocks(text: str) -> list[Block]:
    """:return: the fenced blocks of a page, in order"""
    return [
        Block(
            match["language"],
            match["title"],
            textwrap.dedent(match["code"]),
            text[: match.start("code")].count("\n") + 1,
            match["skip"] is not None,
        )
        for match in BLOCK.finditer(text)
    ]


def run_blocks(page: Path) -> str | None:
    """
    Run a page in this process and folder.

    :param page: the file
    :return: what failed, None if nothing did
    """
    namespace: dict[str, object] = {"__name__": page.stem}
    sys.path.insert(0, "")
    for block in blocks(page.read_text()):
        if block.title is not None:
            Path(block.title).write_text(block.code)
        elif block.skipped or block.language not in ("python", "bash"):
            continue
        elif block.language == "python":
            try:
                exec(compile("\n" * (block.line - 1) + block.code, str(page), "exec"), namespace)
            except BaseException as error:
                traceback.print_exc()
                lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(page)]
                line = lines[0] if lines else getattr(error, "lineno", block.line)
                return f"line {line}: {type(error).__name__}: {error}"
        else:
            # bash counts the line of the trap as the first
            trap = f"trap 'echo $((LINENO + {block.line - 2})) > .failed' ERR\n"
            done = subprocess.run(["bash", "-c", f"set -Eeuo pipefail; {trap}{block.code}"], check=False)
            if done.returncode:
                failed = Path(".failed")
                line = failed.read_text().strip() if failed.exists() else str(block.line)
                return f"line {line}: exit code {done.returncode}"
    return None


def run_page(page: Path) -> str | None:
    """
    Run a page in a process and a temporary folder of its own.

    :param page: the file
    :return: what failed and what was printed before, None if nothing failed
    """
    started = time.monotonic()
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
        **dict.fromkeys(["OMP_NUM_THREADS", "PYTHONUNBUFFERED"], "1"),
        "MPLBACKEND": "Agg",
        "SDL_VIDEODRIVER": "dummy",
    }
    with tempfile.TemporaryDirectory() as folder:
        for name in LINKED:
            (Path(folder) / name).symlink_to(REPOSITORY / name)
        command = [sys.executable, __file__, "--here", str(page)]
        done = subprocess.run(
            command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
    if done.returncode:
        output = done.stdout.rstrip().splitlines()
        return "\n".join([*output[-25:-1], f"{name_of(page)}, {output[-1] if output else 'no output'}"])
    print(f"{name_of(page)}: {time.monotonic() - started:.0f} s", flush=True)
    return None


def name_of(page: Path) -> str:
    """:return: the page's path in the repository, or as it is"""
    return str(page.relative_to(REPOSITORY)) if page.is_relative_to(REPOSITORY) else str(page)


def commands(text: str) -> Iterator[tuple[int, list[str]]]:
    """:return: the command lines of a page, in bash blocks and in the prose: line and words without variables set in front"""
    for block in blocks(text):
        if block.language == "bash":
            for match in re.finditer(r"(?:.*\\\n)*.+", block.code):
                words = shlex.split(match[0].replace("\\\n", " "), comments=True)
                yield block.line + block.code[: match.start()].count("\n"), words
    prose = BLOCK.sub(lambda match: "\n" * match[0].count("\n"), text)
    for match in re.finditer(rf"`((?:{'|'.join(COMMANDS)})\s[^`]+)`", prose):
        yield prose[: match.start()].count("\n") + 1, shlex.split(match[1].replace("\n", " "), comments=True)


def wrong_commands(text: str) -> Iterator[str]:
    """:return: what is wrong with a page's commands: sub-commands, options, make targets and scripts that do not exist"""
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.M))
    for line, words in commands(text):
        while words and re.fullmatch(r"\w+=.*", words[0]):
            words = words[1:]
        problem = None
        if words and words[0] == "sb3-delta-waypoint":
            problem = wrong_arguments(words[1:])
        elif words and words[0] == "make":
            unknown = {word for word in words[1:] if "=" not in word} - targets
            problem = f"no such target: {', '.join(sorted(unknown))}" if unknown else None
        elif len(words) > 1 and words[0] == "python" and words[1].startswith(("benchmarks/", "examples/", "docs/")):
            problem = wrong_script(words[1], words[2:])
        if problem:
            yield f"line {line}: {shlex.join(words)}: {problem}"


def wrong_script(path: str, words: list[str]) -> str | None:
    """:return: what is wrong with a call of a script of the repository, None if nothing is"""
    if not (REPOSITORY / path).exists():
        return "no such file"
    source = (REPOSITORY / path).read_text()
    if "parse_known_args" in source:  # it hands on what it does not know
        return None
    unknown = [word for word in words if word.startswith("--") and f'"{word.partition("=")[0]}"' not in source]
    return f"no such option: {', '.join(unknown)}" if unknown else None


def wrong_arguments(words: list[str]) -> str | None:
    """:return: what click says against a call of the console script, None if it would take it; nothing is run"""
    import click

    from sb3_delta_waypoint.cli import main

    context = click.Context(main, info_name="sb3-delta-waypoint")
    try:
        _, words, _ = main.make_parser(context).parse_args(words)
        if not words:
            return None
        name, command, arguments = main.resolve_command(context, words)
        assert name is not None and command is not None
        parser = command.make_parser(click.Context(command, info_name=name, parent=context, **command.context_settings))
        parser.parse_args(list(arguments))
    except click.UsageError as error:
        return error.format_message()
    return None


def broken_links(page: Path, text: str) -> Iterator[str]:
    """:return: links that lead to no file of the repository, or to no heading"""
    prose = BLOCK.sub("", text)
    for link in re.findall(r"\]\(([^)\s]+)", prose) + re.findall(r'(?:src|href)="([^"]+)"', prose):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if re.match(r"[a-z]+:", link):
            continue
        if not target.exists():
            yield f"the link {link} leads to no file"
        elif anchor and target.suffix == ".md":
            titles = re.findall(r"^#+ (.+)$", BLOCK.sub("", target.read_text()), re.M)
            # the anchor that hosts make of a heading: lower case, punctuation dropped, blanks as dashes
            if anchor not in {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}:
                yield f"the link {link} leads to no heading"


def main() -> int:
    """:return: the exit code"""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="*", type=Path, help="default: README.md, CONTRIBUTING.md and docs/**/*.md")
    parser.add_argument("--here", type=Path, metavar="PAGE", help="run one page in this process and folder")
    options = parser.parse_args()
    if options.here is not None:
        failure = run_blocks(options.here)
        print(failure or "")
        return int(failure is not None)
    pages = [page.resolve() for page in options.pages]
    pages = pages or [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted(REPOSITORY.glob("docs/**/*.md"))]
    failures = []
    for page in pages:
        text = page.read_text()
        failures += [f"{name_of(page)}, {problem}" for problem in (*wrong_commands(text), *broken_links(page, text))]
    to_run = [
        page
        for page in pages
        if any(not block.skipped and block.language in ("python", "bash") for block in blocks(page.read_text()))
    ]
    with ThreadPoolExecutor(PAGES_AT_A_TIME) as pool:
        failures += filter(None, pool.map(run_page, to_run))
    print("\n\n".join(failures), file=sys.stderr)
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
