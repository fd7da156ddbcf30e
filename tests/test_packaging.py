"""What is installed: by wheel, by sdist and as an editable install, each from a copy of the sources and in its own place."""

import ast
import configparser
import json
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
from collections.abc import Callable
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = "sb3_delta_waypoint"
SOURCES = ["setup.cfg", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE", "CHANGELOG.md", "constraints.txt", "Makefile"]
SOURCES += ["CITATION.cff", "CONTRIBUTING.md", "mkdocs.yml"]
FOLDERS = [PACKAGE, "benchmarks", "docs", "examples", "hyperparams", "tests"]

REPORT = f"""
import importlib.metadata, importlib.util, json, pathlib
root = pathlib.Path(importlib.util.find_spec("{PACKAGE}").origin).parent
files = [path.relative_to(root).as_posix() for path in root.glob("**/*") if path.is_file()]
files += ["hyperparams/" + path.name for path in (root / "hyperparams").iterdir()]  # glob does not follow a link
print(json.dumps(dict(root=str(root), files=files, version=importlib.metadata.version("{PACKAGE}"))))
"""


def run(*command: str | Path, cwd: Path) -> str:
    result = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what a clone holds, without anything that was ever built in it."""
    copy = tmp_path_factory.mktemp("sources")
    for name in SOURCES:
        shutil.copy(REPOSITORY / name, copy)
    for name in FOLDERS:
        shutil.copytree(REPOSITORY / name, copy / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


@pytest.fixture(scope="module")
def distributions(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The sdist, the wheel made from it, and the sources for an editable install."""
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, sources, cwd=out)
    return {"sdist": next(out.glob("*.tar.gz")), "wheel": next(out.glob("*.whl")), "editable": sources}


@pytest.fixture(scope="module")
def installed(distributions: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A function from a kind of distribution to the Python of a virtual environment that it is installed in."""
    pythons: dict[str, Path] = {}

    def install(kind: str) -> Path:
        if kind not in pythons:
            home = tmp_path_factory.mktemp(kind)
            venv.create(home, with_pip=False)
            python = home / "bin" / "python"
            # The dependencies come from the environment of the tests; its own .pth files, that of this package too, do not.
            site_packages = sysconfig.get_path("purelib", vars={"base": str(home)})
            (Path(site_packages) / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
            arguments = ["install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--ignore-installed"]
            editable = ["--editable"] if kind == "editable" else []
            run(sys.executable, "-m", "pip", "--python", python, *arguments, *editable, distributions[kind], cwd=home)
            pythons[kind] = python
        return pythons[kind]

    return install


@pytest.mark.parametrize("kind", ["wheel", "sdist", "editable"])
def test_every_file_of_the_package_is_found_once_installed(
    kind: str, installed: Callable[[str], Path], sources: Path, tmp_path: Path
) -> None:
    report = json.loads(run(installed(kind), "-c", REPORT, cwd=tmp_path))

    assert not Path(report["root"]).is_relative_to(REPOSITORY)
    assert Path(report["root"]).is_relative_to(sources) == (kind == "editable")
    for name in (
        "py.typed",
        "episodes/episode.schema.json",
        "sft/default_planner.pt",
        "hyperparams/ppo.yml",
        "hyperparams/grpo.yml",
        "evaluation/carla/suite.yml",
    ):
        assert name in report["files"]
    expected = {path.relative_to(sources / PACKAGE).as_posix() for path in (sources / PACKAGE).glob("**/*") if path.is_file()}
    expected |= {f"hyperparams/{path.name}" for path in (sources / "hyperparams").iterdir()}
    assert {name for name in report["files"] if "__pycache__" not in name} == expected


def test_the_console_script_starts(installed: Callable[[str], Path], tmp_path: Path) -> None:
    python = installed("wheel")
    output = run(python.with_name("sb3-delta-waypoint"), "--version", cwd=tmp_path)
    assert json.loads(run(python, "-c", REPORT, cwd=tmp_path))["version"] in output


def test_the_sdist_can_be_worked_on(distributions: dict[str, Path]) -> None:
    with tarfile.open(distributions["sdist"]) as archive:
        names = {member.name.partition("/")[2] for member in archive if member.isfile()}
    assert {*SOURCES, "hyperparams/ppo.yml", f"{PACKAGE}/hyperparams/ppo.yml", "tests/test_packaging.py"} <= names
    assert {"docs/run_code_blocks.py", "examples/own_planner.py", "benchmarks/results/plans.png"} <= names


def test_every_import_is_declared() -> None:
    """
    Whatever the package imports, at the top of a module or inside a function, is in ``setup.cfg``; but for the evaluators'
    harness, which is no distribution: the leaderboard agent says what is missing.
    """
    imported = set()
    for path in (REPOSITORY / PACKAGE).glob("**/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                imported.add(node.module.partition(".")[0])
    config = configparser.ConfigParser()
    config.read(REPOSITORY / "setup.cfg")
    requirements = [config["options"]["install_requires"]]
    requirements += [text for extra, text in config["options.extras_require"].items() if extra not in ("dev", "docs")]
    declared = {canonical(line) for text in requirements for line in text.split("\n") if line and not line.startswith("#")}
    distributions_of = packages_distributions()

    undeclared = {
        name
        for name in imported - set(sys.stdlib_module_names) - {PACKAGE, "leaderboard", "srunner"}
        if not declared & {canonical(distribution) for distribution in distributions_of.get(name, [name])}
    }
    assert not undeclared


def canonical(requirement: str) -> str:
    """The name in a requirement, spelt as registries compare it: ``rl_zoo3[plots]>=2.9`` is ``rl-zoo3``."""
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name, requirement
    return re.sub(r"[-_.]+", "-", name[0]).lower()
