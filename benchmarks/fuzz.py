"""
A fuzzer of the readers of files: valid files of every kind are damaged at random and read.

    python benchmarks/fuzz.py --seconds 300 --seed 0
    python benchmarks/fuzz.py --seconds 60 --kind suite --kind planner
    python benchmarks/fuzz.py --seconds 300 --loopback 20000   # and as many messages to the loopback server

A reader may succeed, or raise a ValueError or an OSError that names the file. Anything else is a finding: another error, more
than 30 s, more than 1 GiB of memory, a crash of the process. The file is kept under --out. Exits with 1 if there is a finding.
The cloudpickle data in a model's zip is not damaged: by SB3's design, it runs as code.
"""

import io
import json
import multiprocessing
import random
import re
import resource
import sys
import time
import traceback
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import torch
import yaml
from fuzz_files import KINDS, Kind, valid_files

TIMEOUT = 30.0
"""Time after which a reader counts as hanging [s]."""
MEMORY = 1 << 20
"""Maximum memory of a reader [KiB]."""
ADDRESSES = 4 << 30
"""Memory that a worker can allocate in addition to its initial memory [bytes]."""

NUMBERS = f"0 -1 1e999 -1e308 1e12 7e12 NaN Infinity {'9' * 30} {'1' * 5000} 1e-999 2147483648 1:1:1".split()
TEXTS = ("[" * 3000, '{"a":' * 3000, "<a>" * 3000, "&a [*a]", "<<: *a", "<!DOCTYPE a>", "!!python/name:os.system ''", "\x00")
VALUES: list[Any] = [None, True, "", "x" * 100_000, "\x1b[2J\x00é", "evil.module:Class", "subprocess:Popen", [], {}, [[]]]
VALUES += [[1, "a"], {"a": None}, [[1e300] * 2] * 3, 0, -1, 0.5, 10**12, 10**40, 10**400, *map(float, ("1e308", "nan", "inf"))]
BOMB = "\nz0: &z0 [x,x,x,x,x,x,x,x,x]\n" + "".join(f"z{i}: &z{i} [{','.join([f'*z{i - 1}'] * 9)}]\n" for i in range(1, 10))


def damaged(data: bytes, kind: Kind, draw: random.Random) -> bytes:
    """Return the content of a valid file, changed in one to three places."""
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        with suppress(Exception):  # damaged data may not be JSON or an archive any more
            data = draw.choice(MUTATIONS[kind.format])(data, draw)
    return data


def cut(data: bytes, draw: random.Random) -> bytes:
    return data[: draw.randrange(len(data) + 1)]


def flipped(data: bytes, draw: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(draw.choice((1, 2, 10, 100))):
        if changed:
            changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def without(data: bytes, draw: random.Random) -> bytes:
    begin = draw.randrange(len(data) + 1)
    return data[:begin] + data[begin + draw.choice((1, 10, 1000)) :]


def repeated(data: bytes, draw: random.Random) -> bytes:
    begin = draw.randrange(len(data) + 1)
    part = data[begin : begin + draw.choice((1, 10, 1000))]
    return data[:begin] + part * draw.choice((2, 3, 100)) + data[begin:]


def other_number(data: bytes, draw: random.Random) -> bytes:
    place = draw.choice(list(re.finditer(rb"-?\d+(\.\d+)?(e[-+]?\d+)?", data)))
    return data[: place.start()] + draw.choice(NUMBERS).encode() + data[place.end() :]


def other_text(data: bytes, draw: random.Random) -> bytes:
    begin = draw.choice([place.start() for place in re.finditer(rb"[\s:,>\"]", data)] or [0])
    return data[:begin] + draw.choice(TEXTS).encode() + data[begin + draw.choice((0, 0, 5)) :]


def with_bomb(data: bytes, draw: random.Random) -> bytes:
    text = data.decode(errors="replace")
    place = draw.choice(list(re.finditer(r": [^\n{}\[\]]*", text)) or [re.search("$", text)])
    return f"{BOMB[1:]}{text[: place.start()]}: *z9{text[place.end() :]}".encode()


def other_value(value: Any, draw: random.Random) -> Any:
    """Return a tree of mappings and lists in which one value is changed or removed."""
    parts = list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    if not parts or draw.random() < 0.2:
        return draw.choice(VALUES)
    key, part = draw.choice(parts)
    copy = value.copy()
    if draw.random() < 0.15:
        del copy[key]
    else:
        copy[key] = other_value(part, draw)
    return copy


def other_json(data: bytes, draw: random.Random) -> bytes:
    return json.dumps(other_value(json.loads(data), draw)).encode()


def other_yaml(data: bytes, draw: random.Random) -> bytes:
    return yaml.safe_dump(other_value(yaml.safe_load(data), draw)).encode()


def other_planner(data: bytes, draw: random.Random) -> bytes:
    content = torch.load(io.BytesIO(data), weights_only=True)
    if draw.random() < 0.3:
        name = draw.choice(list(content["state_dict"]))
        content["state_dict"][name] = draw.choice(
            [torch.zeros(1).expand(10**6, 10**7), torch.zeros(0), torch.tensor(1), torch.zeros(3, 2).to_sparse(), None, "text"]
        )
    else:
        content = other_value({**content, "state_dict": dict(content["state_dict"])}, draw)
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def other_member(data: bytes, draw: random.Random) -> bytes:
    """Return an archive with one damaged member and correct checksums; sometimes it is compressed."""
    archive = zipfile.ZipFile(io.BytesIO(data))
    members = {name: archive.read(name) for name in archive.namelist()}
    name = draw.choice([name for name in members if name != "data"])
    inner = [flipped, cut, without, *([other_member] if members[name][:2] == b"PK" else [])]
    members[name] = draw.choice(inner)(members[name], draw)
    if draw.random() < 0.1:
        del members[name]
    buffer = io.BytesIO()
    compression = zipfile.ZIP_DEFLATED if draw.random() < 0.1 else zipfile.ZIP_STORED
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


BYTES: list[Callable[[bytes, random.Random], bytes]] = [cut, flipped, without, repeated]
MUTATIONS = {
    "json": [*BYTES, other_number, other_text, *[other_json] * 4],
    "yaml": [*BYTES, other_number, other_text, with_bomb, *[other_yaml] * 4],
    "xml": [*BYTES, *[other_number] * 4, other_text],
    "planner": [*BYTES, other_member, *[other_planner] * 3],
    "zip": [*BYTES, *[other_member] * 3],
}


def judge(kind: Kind, path: Path) -> tuple[str, str]:
    """
    Read a file and classify the outcome.

    :param kind: kind of the file
    :param path: path of the file
    :return: ``"read"``, ``"refused"`` or ``"finding"``, and the error that was raised
    """
    try:
        kind.read(path)
    except (ValueError, OSError) as error:
        if path.name in str(error):
            return "refused", ""
        return "finding", "does not name the file: " + traceback.format_exc()
    except Exception:
        return "finding", traceback.format_exc()
    return "read", ""


def work(connection: Connection, folder: Path, originals: dict[str, bytes]) -> None:
    """Judge files by kind and seed, as requested by the parent process, until it closes the connection."""
    warnings.simplefilter("ignore")
    # larger allocations than the check below could see get a MemoryError instead of all memory of the machine
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + ADDRESSES, taken + ADDRESSES))
    sys.stdout = sys.stderr = io.StringIO()
    while True:
        try:
            name, seed = connection.recv()
        except EOFError:
            return
        path = folder / f"damaged{KINDS[name].suffix}"
        path.write_bytes(damaged(originals[name], KINDS[name], random.Random(seed)))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        result, detail = judge(KINDS[name], path)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        if grown > MEMORY:
            result, detail = "finding", f"took {grown >> 10} MiB"
        connection.send((result, detail))


class Worker:
    """
    A process that reads files, so that neither a hang nor a crash ends the fuzzing.

    :param folder: folder for its files
    :param originals: the valid files by kind
    """

    def __init__(self, folder: Path, originals: dict[str, bytes]):
        context = multiprocessing.get_context("fork")
        self.connection, other = context.Pipe()
        self.process = context.Process(target=work, args=(other, folder, originals), daemon=True)
        self.process.start()
        other.close()

    def judge(self, name: str, seed: int) -> tuple[str, str]:
        """Call :func:`judge` in the process; a worker that does not answer cannot be used again."""
        self.connection.send((name, seed))
        if not self.connection.poll(TIMEOUT):
            return "dead", f"no answer within {TIMEOUT:g} s"
        try:
            return self.connection.recv()
        except (EOFError, ConnectionError):
            self.process.join()
            return "dead", f"the process died, exit code {self.process.exitcode}"

    def close(self) -> None:
        self.process.kill()
        self.process.join()


@click.command()
@click.option("--seconds", default=120.0, show_default=True, help="Time for the files.")
@click.option("--seed", default=0, show_default=True)
@click.option("--kind", "names", multiple=True, type=click.Choice(list(KINDS)), help="Only this; can be repeated.")
@click.option("--out", default="out/fuzz", show_default=True, type=click.Path(path_type=Path), help="For files that do harm.")
@click.option("--loopback", default=0, metavar="N", help="Send N messages to the loopback server, too (loopback_fuzz.py).")
def main(seconds: float, seed: int, names: tuple[str, ...], out: Path, loopback: int) -> None:
    """Damage files and read them."""
    torch.set_num_threads(1)
    counts: Counter[tuple[str, str]] = Counter()
    chosen, findings, slowest = names or tuple(KINDS), set[str](), dict.fromkeys(KINDS, 0.0)
    with TemporaryDirectory() as name:
        folder = Path(name)
        originals = valid_files(folder)
        for kind in chosen:
            with redirect_stdout(io.StringIO()):  # also imports everything before the fork
                KINDS[kind].read(folder / f"valid{KINDS[kind].suffix}")
        worker, number, end = Worker(folder, originals), 0, time.monotonic() + seconds
        try:
            while time.monotonic() < end:
                kind, case = chosen[number % len(chosen)], seed * 10**9 + number
                begin = time.monotonic()
                result, detail = worker.judge(kind, case)
                slowest[kind] = max(slowest[kind], time.monotonic() - begin)
                if result == "dead":
                    worker.close()
                    worker = Worker(folder, originals)
                if result in ("dead", "finding"):
                    result = "finding"
                    # findings from the same line of code count as one fault
                    lines = detail.strip().splitlines()
                    places = [line for line in lines if line.startswith("  File")]
                    fault = f"{kind}: {lines[-1].partition(':')[0]} {places[-1:]}"
                    if fault not in findings:
                        findings.add(fault)
                        out.mkdir(parents=True, exist_ok=True)
                        kept = out / f"{kind}_{case}{KINDS[kind].suffix}"
                        kept.write_bytes((folder / f"damaged{KINDS[kind].suffix}").read_bytes())
                        click.echo(f"{kept}\n{detail}")
                counts[kind, result] += 1
                number += 1
        finally:
            worker.close()
    for kind in chosen:
        shown = ", ".join(f"{counts[kind, result]:,} {result}" for result in ("refused", "read", "finding"))
        click.echo(f"{kind:12} {shown}; slowest {slowest[kind]:.1f} s")
    click.echo(f"{number:,} files, {sum(counts[kind, 'finding'] for kind in chosen)} findings, {len(findings)} different ones")
    if loopback:
        from loopback_fuzz import fuzz

        wrong = fuzz(loopback, seconds, seed)
        findings.update(wrong)
        click.echo("\n".join(wrong) or "the loopback server holds")
    sys.exit(bool(findings))


if __name__ == "__main__":
    main()
